using System.Globalization;
using MiniVmm.Measurement;
using static MiniVmm.Teaching.Doctor.FindingState;

namespace MiniVmm.Teaching.Doctor;

/// <summary>What makes one measurement differ from the next: see docs/measuring.md.</summary>
internal static class MeasuringFindings
{
    private const string Cpu = "/sys/devices/system/cpu";
    private const double QuietLoad = 0.3;

    public static FindingGroup Of(DoctorHost host)
    {
        HostCpus cpus = HostCpus.Read(host.Files, [0]);
        return new("measuring", [Load(host), Governor(host, cpus), Turbo(host, cpus), Threads(host, cpus), Isolation(cpus), Clock(host), Hypervisor(host)]);
    }

    private static Finding Load(DoctorHost host)
    {
        string text = host.Files.ReadFact("/proc/loadavg")?.Split(' ')[0] ?? "";
        if (!double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double load))
            return new("load", Fact, "not readable");
        return load < QuietLoad
            ? new("load", Good, $"{text} in the last minute")
            : new("load", Disturbing, $"{text} in the last minute: something else runs", "see what", "ps -eo pcpu,comm --sort=-pcpu | head");
    }

    private static Finding Governor(DoctorHost host, HostCpus cpus) => cpus.Frequency is [{ Governor: { } governor } first, ..]
        ? governor == "performance"
            ? new("frequency", Good, $"{governor} ({first.Driver})")
            : new("frequency", Disturbing, $"{governor} ({first.Driver}): it follows the load", "keep it up", host.Write("performance", $"{Cpu}/cpu*/cpufreq/scaling_governor"))
        : new("frequency", Fact, "not this kernel's to set (no cpufreq)");

    private static Finding Turbo(DoctorHost host, HostCpus cpus) => cpus.Turbo switch
    {
        null => new("turbo", Fact, "not this kernel's to set"),
        false => new("turbo", Good, "off"),
        true => new("turbo", Disturbing, "on: the frequency follows the temperature, and what other cores do", "turn it off",
            host.Files.Exists($"{Cpu}/intel_pstate/no_turbo")
                ? host.Write("1", $"{Cpu}/intel_pstate/no_turbo")
                : host.Write("0", $"{Cpu}/cpufreq/boost")),
    };

    private static Finding Threads(DoctorHost host, HostCpus cpus) => cpus.SmtActive switch
    {
        null => new("SMT", Fact, "not readable"),
        false => new("SMT", Good, $"off; {cpus.Online?.ToString(CultureInfo.InvariantCulture) ?? "?"} CPUs"),
        true => new("SMT", Disturbing, "on: the other thread of a core takes some of it", "turn it off", host.Write("off", $"{Cpu}/smt/control")),
    };

    private static Finding Isolation(HostCpus cpus) => string.IsNullOrEmpty(cpus.Isolated)
        ? new("isolated CPUs", Fact, "none; isolcpus= on the kernel's command line keeps the scheduler from some, for --pin")
        : new("isolated CPUs", Good, cpus.Isolated);

    private static Finding Clock(DoctorHost host) => HostKernel.Read(host.Files).Clocksource switch
    {
        null => new("clock source", Fact, "not readable"),
        "tsc" => new("clock source", Good, "tsc"),
        var other => new("clock source", Disturbing, $"{other}: reading the time takes longer than with tsc"),
    };

    private static Finding Hypervisor(DoctorHost host) => HostProcessor.Read(host.Files).Hypervisor switch
    {
        true => new("hypervisor", Disturbing, "this host is itself a virtual machine: another can take its processors away at any time"),
        false => new("hypervisor", Good, "none below this host"),
        null => new("hypervisor", Fact, "not readable"),
    };
}
