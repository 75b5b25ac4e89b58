using MiniVmm.Firmware;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>
/// The routes from interrupt lines to KVM's controllers that <see cref="InterruptWiring"/> promises the guest.
/// </summary>
internal static class GsiRoutes
{
    private const int IoApicPins = 24;

    /// <summary>
    /// Each ISA line to its 8259 and to the I/O APIC, and the remaining I/O APIC pins to the GSI of their number.
    /// </summary>
    public static kvm_irq_routing_entry[] Pc()
    {
        List<kvm_irq_routing_entry> routes = [];
        for (byte irq = 0; irq < InterruptWiring.IsaIrqs; irq++)
        {
            if (irq == InterruptWiring.CascadeIrq)
                continue;
            routes.Add(Route(
                irq, irq < 8 ? KvmConstants.KVM_IRQCHIP_PIC_MASTER : KvmConstants.KVM_IRQCHIP_PIC_SLAVE, irq % 8u));
            routes.Add(Route(irq, KvmConstants.KVM_IRQCHIP_IOAPIC, InterruptWiring.IoApicPin(irq)));
        }

        for (uint pin = InterruptWiring.IsaIrqs; pin < IoApicPins; pin++)
            routes.Add(Route(pin, KvmConstants.KVM_IRQCHIP_IOAPIC, pin));
        return [.. routes];
    }

    private static kvm_irq_routing_entry Route(uint gsi, uint chip, uint pin)
    {
        kvm_irq_routing_entry entry = new() { gsi = gsi, type = KvmConstants.KVM_IRQ_ROUTING_IRQCHIP };
        entry.u.irqchip.irqchip = chip;
        entry.u.irqchip.pin = pin;
        return entry;
    }
}
