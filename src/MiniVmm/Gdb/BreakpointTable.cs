namespace MiniVmm.Gdb;

/// <summary>
/// What gdb has set, and how the vCPUs are to have it: pure. Debug registers go to watchpoints and hardware breakpoints, which
/// have nothing else, then to software breakpoints. They know linear addresses only, so that a breakpoint of a kernel that is
/// still packed, or whose addresses are not mapped yet, hits all the same, and nothing is written to the guest. What does
/// not fit is an INT3 in guest memory where its address is mapped, and waits until it is.
/// </summary>
internal sealed class BreakpointTable
{
    /// <summary>Debug registers of a processor.</summary>
    public const int DebugRegisters = 4;

    /// <summary>Most breakpoints; more are a gdb that has gone wild.</summary>
    public const int Most = 1024;

    private readonly List<Breakpoint> _breakpoints = [];

    public IReadOnlyList<Breakpoint> All => _breakpoints;

    /// <summary>Sets one; one that is set already stays as it is.</summary>
    public BreakpointAnswer Set(Breakpoint breakpoint)
    {
        if (breakpoint.Kind is not (BreakpointKind.Software or BreakpointKind.Hardware) && !breakpoint.IsWatch)
            return BreakpointAnswer.Unknown;
        if (_breakpoints.Contains(breakpoint))
            return BreakpointAnswer.Done;
        if (_breakpoints.Count >= Most)
            return BreakpointAnswer.Full;
        if (breakpoint.Kind != BreakpointKind.Software
            && _breakpoints.Where(each => each.Kind != BreakpointKind.Software).Sum(Registers) + Registers(breakpoint) > DebugRegisters)
            return BreakpointAnswer.Full;
        _breakpoints.Add(breakpoint);
        return BreakpointAnswer.Done;
    }

    /// <summary>Takes one away; without effect where it is not set.</summary>
    public void Clear(Breakpoint breakpoint) => _breakpoints.Remove(breakpoint);

    public void ClearAll() => _breakpoints.Clear();

    /// <summary>Shares them out.</summary>
    /// <param name="isMapped">Whether a linear address can be written to now.</param>
    public BreakpointPlan Plan(Func<ulong, bool> isMapped)
    {
        List<DebugRegister> registers = [];
        foreach (Breakpoint each in _breakpoints.Where(each => each.Kind != BreakpointKind.Software))
            registers.AddRange(Pieces(each));
        List<Breakpoint> software = [.. _breakpoints.Where(each => each.Kind == BreakpointKind.Software)];
        int free = DebugRegisters - registers.Count;
        if (software.Count <= free)
        {
            registers.AddRange(software.Select(each => new DebugRegister(each, each.Address, 1)));
            return new(registers, [], []);
        }

        // Those that could not be written first.
        ILookup<bool, Breakpoint> mapped = software.ToLookup(each => isMapped(each.Address));
        List<Breakpoint> unserved = [.. mapped[false].Concat(mapped[true])];
        registers.AddRange(unserved[..free].Select(each => new DebugRegister(each, each.Address, 1)));
        HashSet<ulong> rest = [.. unserved[free..].Select(each => each.Address)];
        return new(
            registers,
            [.. mapped[true].Select(each => each.Address).Where(rest.Contains)],
            [.. mapped[false].Select(each => each.Address).Where(rest.Contains)]);
    }

    private static int Registers(Breakpoint breakpoint) => Pieces(breakpoint).Count();

    /// <summary>A debug register watches 1, 2, 4 or 8 bytes that begin at a multiple of that (SDM vol. 3, 18.2.5).</summary>
    private static IEnumerable<DebugRegister> Pieces(Breakpoint breakpoint)
    {
        if (!breakpoint.IsWatch)
        {
            yield return new(breakpoint, breakpoint.Address, 1);
            yield break;
        }

        ulong at = breakpoint.Address;
        int left = Math.Clamp(breakpoint.Length, 1, (DebugRegisters + 1) * 8);
        while (left > 0)
        {
            int size = 8;
            while (size > left || at % (ulong)size != 0)
                size /= 2;
            yield return new(breakpoint, at, size);
            at += (ulong)size;
            left -= size;
        }
    }
}

/// <summary>A debug register, and what it is for.</summary>
/// <param name="Breakpoint">Of gdb's.</param>
/// <param name="Address">Linear.</param>
/// <param name="Length">1, 2, 4 or 8 bytes; 1 of a breakpoint.</param>
internal readonly record struct DebugRegister(Breakpoint Breakpoint, ulong Address, int Length);

/// <summary>How the vCPUs are to have the breakpoints.</summary>
/// <param name="Registers">At most four, DR0 first.</param>
/// <param name="Written">Linear addresses at which an INT3 is to be.</param>
/// <param name="Pending">Linear addresses that are not mapped yet.</param>
internal sealed record BreakpointPlan(
    IReadOnlyList<DebugRegister> Registers, IReadOnlyList<ulong> Written, IReadOnlyList<ulong> Pending)
{
    public static readonly BreakpointPlan Nothing = new([], [], []);
}
