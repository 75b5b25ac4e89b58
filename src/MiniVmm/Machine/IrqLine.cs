using MiniVmm.Devices;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>An interrupt line of KVM's in-kernel controllers, set by KVM_IRQ_LINE; nothing is allocated.</summary>
internal sealed class IrqLine(KvmVm vm, uint gsi) : ILevelInterrupt
{
    public void Set(bool asserted) => vm.SetIrqLine(gsi, asserted);
}
