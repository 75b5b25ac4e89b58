using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Gdb;

/// <summary>A vCPU and what its debugger has to remember of it.</summary>
internal sealed class DebuggedVcpu(VcpuThread thread)
{
    private BreakpointPlan _plan = BreakpointPlan.Nothing;
    private bool _looksAtEach;

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

    /// <summary>What it is to do.</summary>
    public ThreadOrder Order { get; set; } = ThreadOrder.Continue;

    /// <summary>Tells KVM how it is to run, by its order.</summary>
    /// <param name="plan">The breakpoints.</param>
    /// <param name="holdsInterrupts">Whether no interrupt comes in that step.</param>
    /// <param name="looksAtEach">Whether it comes out after each instruction, to be looked at.</param>
    /// <exception cref="KvmException">KVM refused.</exception>
    public void Prepare(BreakpointPlan plan, bool holdsInterrupts, bool looksAtEach)
    {
        bool steps = Order == ThreadOrder.Step;

        // A step is told each time: KVM counts it from where the vCPU is then.
        if (!steps && !Steps && !looksAtEach && !_looksAtEach && ReferenceEquals(plan, _plan))
            return;
        kvm_guest_debug debug = DebugControl.Build(plan, steps || looksAtEach, steps && holdsInterrupts);
        Thread.Invoke(vcpu => vcpu.SetGuestDebug(debug));
        (_plan, Steps, _looksAtEach) = (plan, steps, looksAtEach);
    }
}
