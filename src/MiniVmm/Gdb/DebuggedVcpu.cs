using MiniVmm.Execution;
using MiniVmm.Inspection;
using MiniVmm.Kvm;

namespace MiniVmm.Gdb;

/// <summary>A vCPU and what its debugger has to remember of it.</summary>
internal sealed class DebuggedVcpu(VcpuThread thread)
{
    private BreakpointPlan _plan = BreakpointPlan.Nothing;
    private bool _looksAtEach;
    private kvm_guest_debug _told;
    private ulong? _arriving; // RIP of an INT3 whose exception is on its way to the guest

    public VcpuThread Thread { get; } = thread;

    public StopRecord Record { get; } = new();

    /// <summary>What its pending stop means to gdb, once <see cref="IsClassified"/>; null for an exception of the guest's own.</summary>
    public GdbStop? Meaning { get; private set; }

    public bool IsClassified { get; private set; }

    /// <summary>Whether it makes one step, or has made it.</summary>
    public bool Steps { get; private set; }

    /// <summary>Whether it alone runs, in a machine that stands still.</summary>
    public bool RunsAlone { get; set; }

    public void Classify(GdbStop? meaning) => (Meaning, IsClassified) = (meaning, true);

    /// <summary>Its stop has been dealt with.</summary>
    public void Forget()
    {
        Record.Clear();
        IsClassified = false;
    }

    /// <summary>Whether interrupts wait, and <see cref="LookForArrival"/> is due.</summary>
    public bool HoldsInterrupts => _arriving is not null;

    /// <summary>
    /// Linear address of the instruction that it is at, where it comes out after each; null where that is not known. Of its thread.
    /// </summary>
    public ulong? At { get; set; }

    /// <summary>What it is to do.</summary>
    public VcpuOrder Order { get; set; } = new(ThreadOrder.Continue);

    /// <summary>Tells KVM how it is to run, by its order.</summary>
    /// <param name="plan">The breakpoints.</param>
    /// <param name="holdsInterrupts">Whether no interrupt comes in that step.</param>
    /// <param name="looksAtEach">Whether it comes out after each instruction, to be looked at.</param>
    /// <exception cref="KvmException">KVM refused.</exception>
    public void Prepare(BreakpointPlan plan, bool holdsInterrupts, bool looksAtEach)
    {
        bool steps = Order.Kind == ThreadOrder.Step;

        // A step is told each time: KVM counts it from where the vCPU is then.
        if (!steps && !Steps && !looksAtEach && !_looksAtEach && ReferenceEquals(plan, _plan))
            return;
        _told = DebugControl.Build(plan, steps || looksAtEach, steps && holdsInterrupts);
        Thread.Invoke(vcpu =>
        {
            vcpu.SetGuestDebug(HoldsInterrupts ? DebugControl.HoldingInterrupts(_told) : _told);
            At = looksAtEach ? LinearRip(vcpu) : null;
        });
        (_plan, Steps, _looksAtEach) = (plan, steps, looksAtEach);
    }

    /// <summary>Makes another step where the last one has not left its range; on the vCPU's thread. Allocates nothing.</summary>
    /// <param name="linear">Where the vCPU is: gdb's addresses are the same but where code segments have a base.</param>
    public bool TryStepOn(ulong linear)
    {
        if (!Steps || !Order.Holds(linear))
            return false;
        try
        {
            Thread.Vcpu.SetGuestDebug(_told); // an instruction that KVM emulates ends what it was told before
            return true;
        }
        catch (KvmException)
        {
            return false; // gdb gives the next order
        }
    }

    /// <summary>Hands the guest an exception of its own, that of its <see cref="Record"/>, which is dealt with then.</summary>
    /// <param name="canHold">Whether KVM can hold interrupts back.</param>
    /// <remarks>
    /// Until an INT3's has arrived, interrupts wait. On an AMD processor that does not tell where the next instruction is (NRIPS),
    /// KVM looks how long INT3 is, and by that forgets that there is an exception (kvm_clear_exception_queue); where an interrupt
    /// is due, Linux since 6.1 has the guest get that in its place, behind an INT3 that nobody has seen.
    /// </remarks>
    /// <exception cref="KvmException">KVM refused.</exception>
    public void GiveBack(bool canHold)
    {
        kvm_debug_exit_arch debug = Record.Debug;
        Forget();
        Thread.Invoke(vcpu =>
        {
            if (debug.exception == DebugControl.BreakpointException && canHold)
            {
                if (HoldsInterrupts)
                {
                    LetInterruptsIn(vcpu); // they had no turn since the last one; this INT3 comes again behind them
                    return;
                }

                _arriving = vcpu.GetRegs().rip;
                vcpu.SetGuestDebug(DebugControl.HoldingInterrupts(_told));
            }

            SetException(vcpu, new() { injected = 1, nr = (byte)debug.exception });
            if (debug.exception == DebugControl.DebugException)
                vcpu.SetDebugRegs(vcpu.GetDebugRegs() with { dr6 = debug.dr6 });
        });
        Thread.LetGo();
    }

    /// <summary>Lets interrupts in again, once the exception for which they wait has arrived.</summary>
    /// <exception cref="KvmException">KVM refused.</exception>
    public void LookForArrival() =>
        Thread.Invoke(vcpu =>
        {
            if (Record.IsPending || vcpu.GetRegs().rip != _arriving)
                LetInterruptsIn(vcpu);
        });

    /// <summary>The same now: where the exception has not arrived, its INT3 will raise it again.</summary>
    /// <exception cref="KvmException">KVM refused.</exception>
    public void StopArrival() =>
        Thread.Invoke(vcpu =>
        {
            if (!Record.IsPending && vcpu.GetRegs().rip == _arriving)
                SetException(vcpu, default);
            LetInterruptsIn(vcpu);
        });

    private void LetInterruptsIn(KvmVcpu vcpu)
    {
        _arriving = null;
        vcpu.SetGuestDebug(_told);
    }

    /// <summary>As KVM has it in a debug exit (kvm_get_linear_rip).</summary>
    private static ulong LinearRip(KvmVcpu vcpu)
    {
        kvm_sregs sregs = vcpu.GetSregs();
        ulong rip = vcpu.GetRegs().rip;
        return (sregs.efer & ControlBits.EferLma) != 0 && sregs.cs.l != 0 ? rip : (uint)(sregs.cs.@base + rip);
    }

    private static void SetException(KvmVcpu vcpu, kvm_vcpu_events.exception_events exception)
    {
        kvm_vcpu_events events = vcpu.GetVcpuEvents();
        events.exception = exception;
        vcpu.SetVcpuEvents(events);
    }
}
