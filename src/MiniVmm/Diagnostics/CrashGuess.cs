using MiniVmm.Kvm;

namespace MiniVmm.Diagnostics;

/// <summary>What is known of a vCPU that died: enough to guess why, without a vCPU.</summary>
/// <param name="Regs">General registers.</param>
/// <param name="Sregs">Segments and control registers.</param>
/// <param name="CodeMapped">Whether RIP translates to RAM.</param>
/// <param name="StackMapped">Whether the bytes below RSP translate to RAM.</param>
/// <param name="IdtMapped">Whether the IDT's base translates to RAM.</param>
/// <param name="Code">Bytes at RIP; empty when it is not mapped.</param>
internal readonly record struct CrashState(
    kvm_regs Regs, kvm_sregs Sregs, bool CodeMapped, bool StackMapped, bool IdtMapped, ReadOnlyMemory<byte> Code)
{
    /// <summary>Whether this host's KVM emulates supervisor code (see <see cref="EmulatedSupervisor"/>).</summary>
    public bool SupervisorEmulated { get; init; }
}

/// <summary>A guess in plain words at what killed a guest: pure, and marked as a guess where it is printed.</summary>
internal static class CrashGuess
{
    private const ulong Protected = 1;
    private const ulong Paging = 1UL << 31;
    private const ulong PhysicalAddressExtension = 1 << 5;
    private const ulong LongModeActive = 1 << 10;
    private const ulong ResetRip = 0xfff0;
    private const ushort ResetCs = 0xf000;
    private const int LongGate = 16;
    private const int ProtectedGate = 8;
    private const int Exceptions = 32;

    /// <summary>Why a triple fault, as far as the registers tell.</summary>
    public static string OfTripleFault(in CrashState state)
    {
        kvm_sregs sregs = state.Sregs;
        if (IsAfterReset(state))
        {
            return "KVM on AMD resets a vCPU at a triple fault, so these are the registers after INIT and the cause is "
                + "gone; the usual one is an exception before the kernel had a working IDT";
        }

        if (OfKvmsLimit(state) is { } limit)
            return limit;
        if (sregs.idt.limit == 0)
        {
            return "IDT limit is 0: the kernel has no interrupt table, so its first exception (or interrupt) became a "
                + "triple fault";
        }

        if (!state.IdtMapped)
            return $"the IDT at 0x{sregs.idt.@base:x} is not mapped: no exception can be delivered";
        bool protectedMode = (sregs.cr0 & Protected) != 0;
        int gate = sregs.cs.l != 0 ? LongGate : protectedMode ? ProtectedGate : 4;
        if (protectedMode && sregs.idt.limit + 1 < Exceptions * gate)
        {
            return $"the IDT has {(sregs.idt.limit + 1) / gate} entries, fewer than the {Exceptions} exceptions: "
                + "one past its end was raised";
        }

        if (!state.CodeMapped)
        {
            return $"RIP 0x{state.Regs.rip:x} is not mapped: the kernel jumped or returned to nowhere, and the "
                + "page-fault handler is not reachable either";
        }

        if (!state.StackMapped)
            return $"the stack below RSP 0x{state.Regs.rsp:x} is not mapped: pushing an exception's frame faults again";
        return "an exception was raised while a double fault was being delivered: look at the IDT entries, their "
            + "selectors and the stack they use";
    }

    /// <summary>Why KVM could not emulate, as far as the bytes tell; null where nothing stands out.</summary>
    public static string? OfEmulation(in CrashState state)
    {
        if (OfKvmsLimit(state) is { } limit)
            return limit;
        if (!state.CodeMapped)
            return $"RIP 0x{state.Regs.rip:x} is not in RAM: the kernel jumped to nowhere, or into a device";
        if (state.Code.Length > 0 && state.Code.Span.IndexOfAnyExcept((byte)0) < 0)
            return "the bytes at RIP are all zero: the kernel runs in memory that nobody wrote";
        return "this KVM cannot emulate the instruction at RIP; where supervisor code is emulated (no hardware "
            + "virtualisation) many are missing";
    }

    /// <summary>What this kind of KVM cannot run, if the vCPU is in such a state; null if not.</summary>
    public static string? OfKvmsLimit(in CrashState state) =>
        state is { SupervisorEmulated: true, Sregs: { } sregs }
        && (sregs.cr0 & Paging) != 0 && (sregs.cr4 & PhysicalAddressExtension) == 0 && (sregs.efer & LongModeActive) == 0
            ? "32-bit paging without PAE is on (CR0.PG = 1, CR4.PAE = 0), which this host's KVM cannot run, because it "
                + "emulates supervisor code; on a host with hardware virtualisation the kernel may well work"
            : null;

    /// <summary>Whether these are the registers of a processor after INIT rather than at the fault.</summary>
    public static bool IsAfterReset(in CrashState state) =>
        state.Regs.rip == ResetRip && state.Sregs.cs.selector == ResetCs && (state.Sregs.cr0 & Protected) == 0;
}
