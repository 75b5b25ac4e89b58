using MiniVmm.Devices;
using MiniVmm.Kvm;
using MiniVmm.Tracing;

namespace MiniVmm.Machine;

/// <summary>An interrupt line of KVM's in-kernel controllers, set by KVM_IRQ_LINE; nothing is allocated.</summary>
internal sealed class IrqLine(KvmVm vm, uint gsi, TraceSwitch trace) : ILevelInterrupt
{
    public void Set(bool asserted)
    {
        trace.Current?.Interrupt(gsi, asserted ? 1u : 0);
        vm.SetIrqLine(gsi, asserted);
    }
}
