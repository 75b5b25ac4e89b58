using MiniVmm.Devices;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>The state of KVM's 8259s and its I/O APIC; local APICs belong to their vCPUs.</summary>
/// <param name="vm">Its VM, with these.</param>
internal sealed class InterruptControllers(KvmVm vm) : ISuspendable
{
    public string StateName => "interrupt-controllers";

    public ushort StateVersion => 1;

    /// <exception cref="KvmException">KVM does not say.</exception>
    public void Save(StateWriter writer)
    {
        writer.WriteStructure(vm.GetIrqChip(KvmConstants.KVM_IRQCHIP_PIC_MASTER).chip.pic);
        writer.WriteStructure(vm.GetIrqChip(KvmConstants.KVM_IRQCHIP_PIC_SLAVE).chip.pic);
        writer.WriteStructure(vm.GetIrqChip(KvmConstants.KVM_IRQCHIP_IOAPIC).chip.ioapic);
    }

    public void Restore(StateReader reader)
    {
        kvm_irqchip first = new() { chip_id = KvmConstants.KVM_IRQCHIP_PIC_MASTER };
        kvm_irqchip second = new() { chip_id = KvmConstants.KVM_IRQCHIP_PIC_SLAVE };
        kvm_irqchip ioApic = new() { chip_id = KvmConstants.KVM_IRQCHIP_IOAPIC };
        first.chip.pic = reader.ReadStructure<kvm_pic_state>();
        second.chip.pic = reader.ReadStructure<kvm_pic_state>();
        ioApic.chip.ioapic = reader.ReadStructure<kvm_ioapic_state>();
        try
        {
            vm.SetIrqChip(first);
            vm.SetIrqChip(second);
            vm.SetIrqChip(ioApic);
        }
        catch (KvmException refusal)
        {
            throw reader.Impossible(refusal.Message);
        }
    }
}
