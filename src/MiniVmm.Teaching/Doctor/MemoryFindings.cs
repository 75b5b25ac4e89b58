using System.Globalization;
using MiniVmm.Host;
using static MiniVmm.Teaching.Doctor.FindingState;

namespace MiniVmm.Teaching.Doctor;

/// <summary>What guest RAM can be made of.</summary>
internal static class MemoryFindings
{
    private const string Pools = "/sys/kernel/mm/hugepages";
    private const string Ksm = "/sys/kernel/mm/ksm/run";
    private const string TransparentPages = "/sys/kernel/mm/transparent_hugepage/enabled";
    private const string Prefix = "hugepages-";

    public static FindingGroup Of(DoctorHost host) => new("memory", [Ram(host), HugePages(host), HugePageFiles(host), Transparent(host), Merging(host)]);

    private static Finding Ram(DoctorHost host)
    {
        string text = host.Files.ReadAllText("/proc/meminfo") ?? "";
        return Kibibytes(text, "MemTotal:") is { } total && Kibibytes(text, "MemAvailable:") is { } available
            ? new("RAM", Fact, $"{Gibibytes(total)}, of which {Gibibytes(available)} are available")
            : new("RAM", Fact, "not readable");
    }

    private static Finding HugePages(DoctorHost host)
    {
        const string name = "huge pages";
        List<string> pools = [];
        bool any = false;
        foreach (string pool in host.Files.List(Pools) ?? [])
        {
            string size = pool[Math.Min(Prefix.Length, pool.Length)..];
            if (!size.EndsWith("kB", StringComparison.Ordinal) || !ulong.TryParse(size[..^2], CultureInfo.InvariantCulture, out ulong kibibytes))
                continue;
            string all = host.Files.ReadFact($"{Pools}/{pool}/nr_hugepages") ?? "?";
            string free = host.Files.ReadFact($"{Pools}/{pool}/free_hugepages") ?? "?";
            any |= all is not ("0" or "?");
            pools.Add($"{free} of {all} free of {ByteSize.Format(kibibytes << 10)}");
        }

        string text = pools.Count > 0 ? string.Join(", ", pools) : "this kernel has none";
        return any || pools.Count == 0
            ? new(name, any ? Good : Lacking, text)
            : new(name, Lacking, text, "for --mem-path, as many as a guest of 1 GiB needs", host.Write("512", "/proc/sys/vm/nr_hugepages"));
    }

    private static Finding HugePageFiles(DoctorHost host)
    {
        const string name = "hugetlbfs";
        string[] places =
        [
            .. from line in (host.Files.ReadAllText("/proc/mounts") ?? "").Split('\n')
               let words = line.Split(' ')
               where words is [_, _, "hugetlbfs", ..]
               select HostFiles.Printable(words[1]),
        ];
        return places.Length > 0
            ? new(name, Good, $"at {string.Join(", ", places)}")
            : new(name, Lacking, "not mounted", "for --mem-path",
                $"{host.Sudo}mkdir -p /dev/hugepages", $"{host.Sudo}mount -t hugetlbfs hugetlbfs /dev/hugepages");
    }

    private static Finding Transparent(DoctorHost host) => host.Files.ReadFact(TransparentPages) switch
    {
        null => new("transparent huge pages", Lacking, "this kernel has none"),
        var choices when choices.Contains("[never]", StringComparison.Ordinal) =>
            new("transparent huge pages", Lacking, "off: guests' RAM is of 4 KiB pages", "let programs ask for them", host.Write("madvise", TransparentPages)),
        var choices => new("transparent huge pages", Good, choices.Contains("[always]", StringComparison.Ordinal) ? "for all memory" : "where programs ask for them, as MiniVmm does"),
    };

    private static Finding Merging(DoctorHost host) => host.Files.ReadFact(Ksm) switch
    {
        null => new("KSM", Lacking, "this kernel has none; --mem-merge has no effect"),
        "1" => new("KSM", Good, $"on, {host.Files.ReadFact("/sys/kernel/mm/ksm/pages_sharing") ?? "0"} pages saved"),
        _ => new("KSM", Lacking, "off; --mem-merge has no effect", "to merge equal pages of guests", host.Write("1", Ksm)),
    };

    private static string Gibibytes(ulong kibibytes) => string.Create(CultureInfo.InvariantCulture, $"{kibibytes / 1048576.0:0.0} GiB");

    /// <summary>A line of /proc/meminfo (proc_meminfo(5)).</summary>
    private static ulong? Kibibytes(string text, string key)
    {
        foreach (string line in text.Split('\n'))
        {
            if (line.StartsWith(key, StringComparison.Ordinal)
                && line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, string number, ..]
                && ulong.TryParse(number, CultureInfo.InvariantCulture, out ulong kibibytes))
                return kibibytes;
        }

        return null;
    }
}
