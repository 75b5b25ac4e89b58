using System.Globalization;
using MiniVmm.Host;

namespace MiniVmm.Control;

/// <summary>
/// How much host memory this process uses and how much of it KSM shares, as the kernel reports it (proc_pid_status(5),
/// Documentation/admin-guide/mm/ksm.rst). What this kernel does not report is null or missing.
/// </summary>
internal sealed record ProcessMemory
{
    private const string KsmFolder = "/sys/kernel/mm/ksm";

    private static readonly string[] HostCounters =
    [
        "run", "pages_to_scan", "sleep_millisecs", "pages_shared", "pages_sharing", "pages_unshared", "pages_volatile",
        "full_scans", "ksm_zero_pages", "general_profit",
    ];

    /// <summary>VmRSS: the guest RAM that was touched, and MiniVmm's own memory. Excludes hugetlbfs pages.</summary>
    public long? ResidentBytes { get; init; }

    /// <summary>VmSwap.</summary>
    public long? SwappedBytes { get; init; }

    /// <summary>HugetlbPages.</summary>
    public long? HugetlbBytes { get; init; }

    /// <summary>Pages of this process that KSM has merged with others (Linux 5.19).</summary>
    public long? KsmMergingPages { get; init; }

    /// <summary>The numbers in ksm_stat, under the kernel's names (since Linux 6.1; later versions have more).</summary>
    public required IReadOnlyDictionary<string, long> KsmOfProcess { get; init; }

    /// <summary>The host's counters and settings, under the kernel's names.</summary>
    public required IReadOnlyDictionary<string, long> KsmOfHost { get; init; }

    public static ProcessMemory Read(HostFiles files)
    {
        Dictionary<string, long> status = Numbers(files.ReadAllText("/proc/self/status"));
        Dictionary<string, long> ksm = [];
        foreach (string name in HostCounters)
        {
            if (Number(files.ReadFact($"{KsmFolder}/{name}")) is { } value)
                ksm[name] = value;
        }

        return new ProcessMemory
        {
            ResidentBytes = Kibibytes(status, "VmRSS"),
            SwappedBytes = Kibibytes(status, "VmSwap"),
            HugetlbBytes = Kibibytes(status, "HugetlbPages"),
            KsmMergingPages = Number(files.ReadFact("/proc/self/ksm_merging_pages")),
            KsmOfProcess = Numbers(files.ReadAllText("/proc/self/ksm_stat")),
            KsmOfHost = ksm,
        };
    }

    /// <summary>Reads lines of a name and a number, with or without a colon; skips others.</summary>
    private static Dictionary<string, long> Numbers(string? text)
    {
        Dictionary<string, long> numbers = [];
        foreach (string line in (text ?? "").Split('\n'))
        {
            string[] words = line.Split((char[])[':', ' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
            if (words is [var name, var word, ..] && Number(word) is { } value)
                numbers[name] = value;
        }

        return numbers;
    }

    private static long? Kibibytes(Dictionary<string, long> status, string name) =>
        status.TryGetValue(name, out long value) && value is >= 0 and <= long.MaxValue / 1024 ? value * 1024 : null;

    private static long? Number(string? text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) ? value : null;
}
