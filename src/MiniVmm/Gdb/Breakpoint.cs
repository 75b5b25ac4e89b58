namespace MiniVmm.Gdb;

/// <summary>The kinds of gdb's <c>Z</c> packets, by their numbers.</summary>
internal enum BreakpointKind
{
    Software = 0,
    Hardware = 1,
    WriteWatch = 2,

    /// <summary>Reads only, which the processor cannot watch for: gdb takes <see cref="AccessWatch"/> then.</summary>
    ReadWatch = 3,
    AccessWatch = 4,
}

/// <summary>A breakpoint or a watchpoint, at linear addresses.</summary>
/// <param name="Kind">What of it stops a vCPU.</param>
/// <param name="Address">First byte.</param>
/// <param name="Length">Bytes that are watched; of a breakpoint gdb's size of it, which is 1.</param>
internal readonly record struct Breakpoint(BreakpointKind Kind, ulong Address, int Length)
{
    public bool IsWatch => Kind is BreakpointKind.WriteWatch or BreakpointKind.AccessWatch;
}

/// <summary>What became of a request to set one.</summary>
internal enum BreakpointAnswer
{
    Done,

    /// <summary>There is no such kind here.</summary>
    Unknown,

    /// <summary>No debug register is left for it, or there are too many.</summary>
    Full,
}
