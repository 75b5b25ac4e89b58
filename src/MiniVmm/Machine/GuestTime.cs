using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>
/// The guest's time while it is paused: its kvmclock stands still, and the 8254 saves up no ticks, of which a guest would
/// otherwise get thousands at once. The time-stamp counter runs on; a guest that counts by it alone sees the time that passed.
/// </summary>
/// <param name="vm">Its VM, with an 8254.</param>
internal sealed class GuestTime(KvmVm vm)
{
    private kvm_clock_data _clock;
    private kvm_pit_state2 _timer;

    /// <summary>Notes the time; no vCPU is in the guest.</summary>
    /// <exception cref="KvmException">KVM does not say.</exception>
    public void Stop()
    {
        _clock = vm.GetClock();
        _timer = vm.GetPit2();
    }

    /// <summary>Goes on from that time; no vCPU is in the guest yet.</summary>
    /// <exception cref="KvmException">KVM refused.</exception>
    public void GoOn(IEnumerable<VcpuThread> vcpus)
    {
        _clock.flags = 0; // as it stood, not as it would be now
        vm.SetClock(_clock);
        vm.SetPit2(_timer);
        foreach (VcpuThread vcpu in vcpus)
            _ = vcpu.Vcpu.TryTellOfPause();
    }
}
