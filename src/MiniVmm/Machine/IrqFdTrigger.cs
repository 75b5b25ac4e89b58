using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>An interrupt line of KVM's in-kernel controllers, behind an eventfd: one write is one edge.</summary>
internal sealed class IrqFdTrigger : IInterruptTrigger, IDisposable
{
    private readonly EventFd _event = new();

    /// <exception cref="KvmException">KVM has no such line.</exception>
    public IrqFdTrigger(KvmVm vm, uint gsi) => vm.AssignIrqFd(_event.Fd, gsi);

    public void Trigger() => _event.Signal();

    public void Dispose() => _event.Dispose();
}
