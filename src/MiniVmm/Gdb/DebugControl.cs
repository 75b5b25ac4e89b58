using MiniVmm.Kvm;

namespace MiniVmm.Gdb;

/// <summary>What KVM_SET_GUEST_DEBUG is told of breakpoints and steps, and what KVM_EXIT_DEBUG says of them: pure.</summary>
internal static unsafe class DebugControl
{
    public const uint DebugException = 1;
    public const uint BreakpointException = 3;

    /// <summary>DR6: the step (SDM vol. 3, 18.2.3).</summary>
    public const ulong Dr6SingleStep = 1 << 14;
    private const ulong Dr7Reserved = 1 << 10; // reads as 1
    private const int FirstGlobalEnable = 1;
    private const int FirstKind = 16; // R/W and LEN, four bits a register

    /// <param name="plan">The breakpoints.</param>
    /// <param name="steps">Whether the vCPU stops after one instruction.</param>
    /// <param name="holdsInterrupts">Whether no interrupt comes in between; only where KVM can.</param>
    public static kvm_guest_debug Build(BreakpointPlan plan, bool steps, bool holdsInterrupts)
    {
        kvm_guest_debug debug = default;
        if (plan.Written.Count + plan.Pending.Count > 0)
            debug.control |= KvmConstants.KVM_GUESTDBG_ENABLE | KvmConstants.KVM_GUESTDBG_USE_SW_BP;
        if (plan.Registers.Count > 0)
            debug.control |= KvmConstants.KVM_GUESTDBG_ENABLE | KvmConstants.KVM_GUESTDBG_USE_HW_BP;
        if (steps)
        {
            debug.control |= KvmConstants.KVM_GUESTDBG_ENABLE | KvmConstants.KVM_GUESTDBG_SINGLESTEP;
            if (holdsInterrupts)
                debug.control |= KvmConstants.KVM_GUESTDBG_BLOCKIRQ;
        }

        ulong dr7 = Dr7Reserved;
        for (int i = 0; i < plan.Registers.Count; i++)
        {
            DebugRegister register = plan.Registers[i];
            debug.arch.debugreg[i] = register.Address;
            dr7 |= 1UL << (FirstGlobalEnable + (2 * i));
            dr7 |= Kind(register) << (FirstKind + (4 * i));
        }

        if (plan.Registers.Count > 0)
            debug.arch.debugreg[7] = dr7;
        return debug;
    }

    /// <summary>The same, and no interrupt comes; only where KVM can.</summary>
    public static kvm_guest_debug HoldingInterrupts(kvm_guest_debug debug)
    {
        debug.control |= KvmConstants.KVM_GUESTDBG_ENABLE | KvmConstants.KVM_GUESTDBG_BLOCKIRQ;
        return debug;
    }

    /// <summary>Whether an exit is the end of a step, and of nothing else.</summary>
    public static bool IsStepAlone(in kvm_debug_exit_arch exit) =>
        exit.exception == DebugException && (exit.dr6 & (Dr6SingleStep | 0xf)) == Dr6SingleStep;

    /// <summary>The debug register that hit; null where none of them did.</summary>
    public static DebugRegister? Hit(BreakpointPlan plan, ulong dr6)
    {
        for (int i = 0; i < plan.Registers.Count; i++)
        {
            if ((dr6 & (1UL << i)) != 0)
                return plan.Registers[i];
        }

        return null;
    }

    private static ulong Kind(DebugRegister register)
    {
        ulong access = register.Breakpoint.Kind switch
        {
            BreakpointKind.WriteWatch => 1,
            BreakpointKind.AccessWatch => 3,
            _ => 0,
        };
        ulong length = register.Length switch
        {
            2 => 1,
            4 => 3,
            8 => 2,
            _ => 0,
        };
        return access | (length << 2);
    }
}
