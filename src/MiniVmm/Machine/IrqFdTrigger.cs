using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Tracing;

namespace MiniVmm.Machine;

/// <summary>An interrupt line of KVM's in-kernel controllers, behind an eventfd: one write is one edge.</summary>
internal sealed class IrqFdTrigger : IInterruptTrigger, IDisposable
{
    private readonly EventFd _event = new();
    private readonly TraceSwitch _trace;
    private readonly uint _gsi;

    /// <exception cref="KvmException">KVM has no such line.</exception>
    public IrqFdTrigger(KvmVm vm, uint gsi, TraceSwitch trace)
    {
        _trace = trace;
        _gsi = gsi;
        vm.AssignIrqFd(_event.Fd, gsi);
    }

    public void Trigger()
    {
        _trace.Current?.Interrupt(_gsi, TraceSession.Edge);
        _event.Signal();
    }

    public void Dispose() => _event.Dispose();
}
