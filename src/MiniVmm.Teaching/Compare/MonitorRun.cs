using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Compare;

/// <summary>A guest's run under a monitor.</summary>
internal sealed record MonitorRun
{
    /// <summary>As in "QEMU 7.2.22".</summary>
    public required string Monitor { get; init; }

    /// <summary>In words.</summary>
    public required string End { get; init; }

    /// <summary>The exit status that the monitor has for it; null where it was stopped.</summary>
    public int? Status { get; init; }

    /// <summary>Whether its time ran out.</summary>
    public bool TimedOut { get; init; }

    /// <summary>From the monitor's first instruction, or the machine's making, to the end.</summary>
    public required TimeSpan Length { get; init; }

    /// <summary>What the guest has sent to the first serial port, the first of it.</summary>
    public required string Output { get; init; }

    public required MonitorTrace Trace { get; init; }
}

/// <summary>Two runs of a guest beside each other.</summary>
internal sealed record Comparison
{
    public required string Guest { get; init; }

    public required MonitorRun MiniVmm { get; init; }

    public required MonitorRun Qemu { get; init; }

    /// <summary>What is to be known of the figures, a sentence each.</summary>
    public required IReadOnlyList<string> Remarks { get; init; }

    /// <summary>Exits by kind and place.</summary>
    public IReadOnlyList<ExitGroup> Groups => ExitGroup.Of(MiniVmm.Trace, Qemu.Trace);

    /// <summary>vCPUs that have exits in <see cref="Align"/>.</summary>
    public IReadOnlyList<int> Vcpus => [.. Kernel(MiniVmm).Concat(Kernel(Qemu)).Select(exit => exit.Vcpu).Distinct().Order()];

    /// <summary>A vCPU's exits beside each other since the kernel was entered; kicks left out, which come by chance.</summary>
    public ExitAlignment Align(int vcpu) =>
        ExitAlignment.Of(Kernel(MiniVmm).Where(exit => exit.Vcpu == vcpu), Kernel(Qemu).Where(exit => exit.Vcpu == vcpu));

    /// <summary>The first line in which the guest's outputs differ, from 1; null where they are the same.</summary>
    public int? FirstDifferentLine
    {
        get
        {
            string[] left = Lines(MiniVmm.Output);
            string[] right = Lines(Qemu.Output);
            for (int i = 0; i < Math.Max(left.Length, right.Length); i++)
            {
                if (i >= left.Length || i >= right.Length || left[i] != right[i])
                    return i + 1;
            }

            return null;
        }
    }

    /// <summary>Lines of an output, without the blanks at their ends.</summary>
    public static string[] Lines(string output) => [.. output.TrimEnd().Split('\n').Select(line => line.TrimEnd())];

    private static IEnumerable<ComparedExit> Kernel(MonitorRun run) => run.Trace.Exits.Skip(run.Trace.FirmwareExits)
        .Where(exit => exit.Reason != KvmExitReason.KVM_EXIT_INTR);
}
