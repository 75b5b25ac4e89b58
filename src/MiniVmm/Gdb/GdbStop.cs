namespace MiniVmm.Gdb;

/// <summary>What a vCPU is to do when gdb lets the guest run.</summary>
internal enum ThreadOrder
{
    Stay,
    Continue,

    /// <summary>One instruction, or on until it is out of a range.</summary>
    Step,
}

/// <summary>A vCPU's order, with the range that a step is not to end in.</summary>
/// <param name="kind">What it is to do.</param>
/// <param name="start">The range's first address.</param>
/// <param name="end">The first one behind it; of a step of one instruction the same.</param>
internal readonly struct VcpuOrder(ThreadOrder kind, ulong start = 0, ulong end = 0)
{
    public ThreadOrder Kind { get; } = kind;

    public ulong Start { get; } = start;

    public ulong End { get; } = end;

    public bool Holds(ulong address) => address >= Start && address < End;
}

/// <summary>Why the guest stands still.</summary>
internal enum StopCause
{
    /// <summary>gdb has come, or has asked for it.</summary>
    Interrupt,
    Step,
    SoftwareBreakpoint,
    HardwareBreakpoint,
    Watch,

    /// <summary>KVM could not emulate an instruction.</summary>
    BadInstruction,

    /// <summary>Whatever else ends a machine: it does when it is to go on.</summary>
    Crash,
}

/// <summary>A stop, as gdb is told of it.</summary>
/// <param name="Vcpu">Index of the vCPU.</param>
/// <param name="Cause">Why.</param>
/// <param name="Watch">The watchpoint of <see cref="StopCause.Watch"/>.</param>
/// <param name="Note">A line for gdb's user; null for none.</param>
internal readonly record struct GdbStop(int Vcpu, StopCause Cause, Breakpoint Watch = default, string? Note = null);
