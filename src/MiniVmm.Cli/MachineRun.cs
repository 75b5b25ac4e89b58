using MiniVmm.Cli.Output;
using MiniVmm.Diagnostics;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Machine;
using MiniVmm.Tracing;

namespace MiniVmm.Cli;

/// <summary>One machine in this process, from its options to its end and what there is to say of it.</summary>
/// <param name="options">The machine.</param>
/// <param name="milestones">When it came how far.</param>
internal sealed class MachineRun(MachineOptions options, Milestones milestones)
{
    /// <summary>Longest run; null for no limit.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Whether it waits for <c>minivmm ctl</c> before its first instruction.</summary>
    public bool StartsPaused { get; init; }

    /// <summary>Whether to say at the end what the vCPUs did.</summary>
    public bool Statistics { get; init; }

    /// <summary>What of it is traced, and where to; null for nothing.</summary>
    public TraceRequest? Trace { get; init; }

    /// <summary>The signals that end it, where they outlive it; null for its own.</summary>
    public StopSignals? Signals { get; set; }

    /// <summary>Whether to say where gdb connects.</summary>
    public bool AnnouncesGdb { get; set; }

    /// <summary>Gets the plan before the machine is made of it.</summary>
    public Action<MachinePlan>? Planned { get; set; }

    /// <summary>Gets the machine before it starts.</summary>
    public Action<VirtualMachine>? Built { get; set; }

    /// <summary>Whether the machine is made, and does not run.</summary>
    public bool IsMadeOnly { get; set; }

    /// <summary>Whether a bad end is passed over in silence.</summary>
    public bool IsQuiet { get; init; }

    /// <summary>Whether it ended by a triple fault.</summary>
    public bool WasTripleFault { get; private set; }

    /// <summary>What there was to say of its end, said or not; null for nothing.</summary>
    public OptionMessage? Explanation { get; private set; }

    /// <summary>Builds the machine, runs it, and reports a bad end.</summary>
    /// <exception cref="VmmException">It cannot be built; nothing has run.</exception>
    public StopReason Run()
    {
        using MachinePlan plan = Plan();
        Planned?.Invoke(plan);

        // A network is set up on the host while the machine is built. Without one, signals can wait until the vCPUs'
        // threads start, beside which they take no time.
        using StopSignals? own = Signals is null && options.Nets.Count > 0 ? new StopSignals() : null;
        using VirtualMachine machine = VirtualMachine.Create(plan, milestones, Messages.Warning);
        plan.Dispose(); // the files are in guest memory now
        foreach ((string port, string place) in machine.ConsolePlaces)
            Messages.Note($"{port} is at {place}");
        if (AnnouncesGdb && options.Gdb is { } gdb)
            Messages.Note($"gdb: target remote {(gdb.Path is not null ? gdb.Path : $"{gdb}")}{(options.GdbWaits ? "; the guest waits for it" : "")}");
        Built?.Invoke(machine);
        if (IsMadeOnly)
            return new StopReason(StopKind.PowerOff);
        machine.TraceSinks = TraceRequest.Sink;
        TraceSession? trace = Trace?.Start(machine);
        if (StartsPaused)
            machine.Pause();
        StopReason reason = RunUntilStopped(machine, Signals ?? own, out OptionMessage? explanation);
        Explanation = explanation;
        WasTripleFault = machine.DiedOfTripleFault;
        if (Statistics || (explanation is not null && !IsQuiet))
            EndGuestLine(machine);
        if (explanation is not null && !IsQuiet)
            Messages.Report(explanation);
        if (trace?.Failure is { } failure)
            Messages.Warning($"{OptionName.TraceFile}: the trace ends early: {failure}");
        if (Statistics)
            StatisticsReport.Print(machine, milestones);
        return reason;
    }

    /// <summary>Works the machine out, and says what is not quite as it was asked for.</summary>
    /// <exception cref="BadInputException">A file or a size that cannot be used.</exception>
    public MachinePlan Plan()
    {
        MachinePlan plan = MachinePlan.Create(options);
        if (plan.Remark is { } remark)
            Messages.Report(remark);
        if (plan.Memory.Size != options.Memory.Size)
        {
            Messages.Warning(
                $"{OptionName.Mem.With(ByteSize.Format(options.Memory.Size))}: rounded up to {ByteSize.Format(plan.Memory.Size)}, "
                + $"whole pages of {options.Memory.Path}");
        }

        milestones.Reach("kernel read");
        return plan;
    }

    private static void EndGuestLine(VirtualMachine machine)
    {
        if (machine.LeavesLineOpen && Standard.ErrorIsOutput)
            Messages.EndGuestLine();
    }

    private StopReason RunUntilStopped(VirtualMachine machine, StopSignals? early, out OptionMessage? explanation)
    {
        // The vCPUs' threads get ready while this one prepares for signals; the guest runs once the terminal is raw.
        machine.HangReport = report =>
        {
            EndGuestLine(machine);
            Messages.Report(report);
        };
        machine.Start();
        using StopSignals? late = early is null ? new StopSignals() : null;
        (early ?? late!).Attach(machine);

        // While the guest begins: half of what this process has in memory was for its start.
        StopReason reason = machine.WaitForEnd(Timeout, ProgramImage.ReleaseTouched);
        explanation = machine.ExplainEnd();
        return reason;
    }
}
