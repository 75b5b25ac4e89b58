using System.Text.Json;
using MiniVmm.Host;

namespace MiniVmm.Measurement;

/// <summary>Who sets the frequency of one host CPU; null where there is no cpufreq, as in most guests.</summary>
/// <param name="Cpu">The host CPU's number.</param>
/// <param name="Governor">The policy: <c>performance</c>, <c>powersave</c>, <c>schedutil</c>, …</param>
/// <param name="Driver">What carries it out: <c>intel_pstate</c>, <c>acpi-cpufreq</c>, …</param>
public sealed record CpuFrequency(int Cpu, string? Governor, string? Driver);

/// <summary>
/// How the host's CPUs are set up (Documentation/admin-guide/cputopology.rst and pm/cpufreq.rst). Null is what could
/// not be read.
/// </summary>
public sealed record HostCpus
{
    private const string Folder = "/sys/devices/system/cpu";

    /// <summary>How many are online.</summary>
    public int? Online { get; init; }

    /// <summary>Whether two hardware threads of a core are in use.</summary>
    public bool? SmtActive { get; init; }

    /// <summary>CPUs kept from the scheduler (isolcpus), as the kernel lists them; empty for none.</summary>
    public string? Isolated { get; init; }

    /// <summary>CPUs whose tick stops while one task runs, as the kernel lists them; empty for none.</summary>
    public string? NohzFull { get; init; }

    /// <summary>Whether the processor may go beyond its nominal frequency.</summary>
    public bool? Turbo { get; init; }

    /// <summary>One entry for each CPU that was asked for, in that order.</summary>
    public IReadOnlyList<CpuFrequency> Frequency { get; init; } = [];

    /// <param name="cpus">Host CPUs whose frequency setting counts.</param>
    public static HostCpus Read(HostFiles files, IReadOnlyList<int> cpus)
    {
        ArgumentNullException.ThrowIfNull(files);
        ArgumentNullException.ThrowIfNull(cpus);
        return new()
        {
            Online = CpuList.Count(files.ReadFact($"{Folder}/online")),
            SmtActive = files.ReadSwitch($"{Folder}/smt/active"),
            Isolated = files.ReadLine($"{Folder}/isolated"),
            // Without the boot option the kernel prints a mask that was never allocated.
            NohzFull = files.ReadLine($"{Folder}/nohz_full") switch { "(null)" => "", var list => list },
            Turbo = !files.ReadSwitch($"{Folder}/intel_pstate/no_turbo")
                ?? files.ReadSwitch($"{Folder}/cpufreq/boost"),
            Frequency =
            [
                .. cpus.Distinct().Select(cpu => new CpuFrequency(
                    cpu,
                    files.ReadFact($"{Folder}/cpu{cpu}/cpufreq/scaling_governor"),
                    files.ReadFact($"{Folder}/cpu{cpu}/cpufreq/scaling_driver"))),
            ],
        };
    }

    internal IEnumerable<(string Name, string Value)> Rows()
    {
        if (Online is { } online)
            yield return ("CPUs", $"{online} online{(SmtActive is { } smt ? smt ? ", SMT on" : ", SMT off" : "")}");
        if (Frequency.Count > 0)
            yield return ("governor", Governors());
        if (Turbo is { } turbo)
            yield return ("turbo", turbo ? "on" : "off");
        if (!string.IsNullOrEmpty(Isolated))
            yield return ("isolated CPUs", Isolated);
        if (!string.IsNullOrEmpty(NohzFull))
            yield return ("nohz_full", NohzFull);
    }

    internal void WriteJson(Utf8JsonWriter writer)
    {
        writer.WriteStartObject("cpus");
        writer.WriteFact("online", Online);
        writer.WriteFact("smtActive", SmtActive);
        writer.WriteString("isolated", Isolated);
        writer.WriteString("nohzFull", NohzFull);
        writer.WriteFact("turbo", Turbo);
        writer.WriteStartArray("frequency");
        foreach (CpuFrequency frequency in Frequency)
        {
            writer.WriteStartObject();
            writer.WriteNumber("cpu", frequency.Cpu);
            writer.WriteString("governor", frequency.Governor);
            writer.WriteString("driver", frequency.Driver);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private string Governors()
    {
        IGrouping<string, int>[] settings = [.. Frequency.GroupBy(Setting, frequency => frequency.Cpu)];
        return settings.Length == 1
            ? settings[0].Key
            : string.Join("; ", settings.Select(setting => $"CPU {CpuList.Format(setting)}: {setting.Key}"));
    }

    private static string Setting(CpuFrequency frequency) => frequency switch
    {
        { Governor: null, Driver: null } => "not readable (no cpufreq)",
        { Driver: null } => frequency.Governor,
        _ => $"{frequency.Governor ?? "not readable"} ({frequency.Driver})",
    };
}
