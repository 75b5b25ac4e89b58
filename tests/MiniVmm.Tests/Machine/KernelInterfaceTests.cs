using MiniVmm.Cpu;
using MiniVmm.Firmware;
using MiniVmm.Kvm;
using MiniVmm.Machine;

namespace MiniVmm.Tests.Machine;

/// <summary>What goes to KVM as structures: CPUID entries and interrupt routes.</summary>
public sealed class KernelInterfaceTests
{
    private static readonly kvm_irq_routing_entry[] Routes = InterruptRouter.Pins();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_CPUID_leaf_survives_the_way_to_KVM_and_back(bool significant)
    {
        CpuidLeaf leaf = new(0xb, 1, 2, 3, 4, 5, significant);

        kvm_cpuid_entry2 entry = CpuidEntries.FromLeaf(leaf);

        Assert.Equal(
            (0xbu, 1u, 2u, 3u, 4u, 5u), (entry.function, entry.index, entry.eax, entry.ebx, entry.ecx, entry.edx));
        Assert.Equal(significant ? 1u : 0u, entry.flags);
        Assert.Equal(leaf, CpuidEntries.ToLeaf(entry));
    }

    [Fact]
    public void Flags_that_say_nothing_of_the_index_are_dropped() =>
        Assert.False(CpuidEntries.ToLeaf(new() { function = 2, flags = 6 }).IndexIsSignificant);

    [Fact]
    public void Every_route_is_to_a_pin_of_a_controller_and_no_pin_has_two()
    {
        Assert.All(Routes, route => Assert.Equal(KvmConstants.KVM_IRQ_ROUTING_IRQCHIP, route.type));
        Assert.Equal(Routes.Length, Routes.Select(Pin).Distinct().Count());
    }

    [Fact]
    public void Each_ISA_line_but_the_cascade_reaches_its_8259_and_its_IO_APIC_pin()
    {
        for (byte irq = 0; irq < 16; irq++)
        {
            if (irq == InterruptWiring.CascadeIrq)
                continue;
            uint chip = irq < 8 ? KvmConstants.KVM_IRQCHIP_PIC_MASTER : KvmConstants.KVM_IRQCHIP_PIC_SLAVE;
            Assert.Equal(
                [(chip, irq % 8u), (KvmConstants.KVM_IRQCHIP_IOAPIC, irq == 0 ? 2u : irq)],
                Routes.Where(route => route.gsi == irq).Select(Pin).Order());
        }
    }

    [Fact]
    public void The_timer_is_on_pin_2_and_the_cascade_goes_nowhere()
    {
        Assert.Contains((KvmConstants.KVM_IRQCHIP_IOAPIC, 2u), Routes.Where(route => route.gsi == 0).Select(Pin));
        Assert.DoesNotContain(Routes, route => route.gsi == InterruptWiring.CascadeIrq);
        Assert.DoesNotContain((KvmConstants.KVM_IRQCHIP_PIC_MASTER, 2u), Routes.Select(Pin));
        Assert.DoesNotContain((KvmConstants.KVM_IRQCHIP_IOAPIC, 0u), Routes.Select(Pin));
    }

    [Fact]
    public void IO_APIC_pins_from_16_to_23_have_the_GSI_of_their_number()
    {
        for (uint pin = 16; pin < 24; pin++)
            Assert.Equal([(KvmConstants.KVM_IRQCHIP_IOAPIC, pin)], Routes.Where(route => route.gsi == pin).Select(Pin));
        Assert.DoesNotContain(Routes, route => route.gsi >= 24);
    }

    private static (uint Chip, uint Pin) Pin(kvm_irq_routing_entry route) =>
        (route.u.irqchip.irqchip, route.u.irqchip.pin);
}
