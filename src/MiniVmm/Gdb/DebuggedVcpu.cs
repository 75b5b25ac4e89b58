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

    /// <summary>Whether it makes one step, or has made it.</summary>
    public bool Steps { get; private set; }

    /// <summary>Whether it alone runs, in a machine that stands still.</summary>
    public bool RunsAlone { get; set; }

    /// <summary>Tells KVM how it is to run.</summary>
    /// <param name="plan">The breakpoints.</param>
    /// <param name="steps">Whether it is to stop after one instruction.</param>
    /// <param name="holdsInterrupts">Whether no interrupt comes in that step.</param>
    /// <param name="looksAtEach">Whether it comes out after each instruction, to be looked at.</param>
    /// <exception cref="KvmException">KVM refused.</exception>
    public void Prepare(BreakpointPlan plan, bool steps, bool holdsInterrupts, bool looksAtEach)
    {
        // A step is told each time: KVM counts it from where the vCPU is then.
        if (!steps && !Steps && !looksAtEach && !_looksAtEach && ReferenceEquals(plan, _plan))
            return;
        kvm_guest_debug debug = DebugControl.Build(plan, steps || looksAtEach, steps && holdsInterrupts);
        Thread.Invoke(vcpu => vcpu.SetGuestDebug(debug));
        (_plan, Steps, _looksAtEach) = (plan, steps, looksAtEach);
    }
}
