using MiniVmm.Firmware;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Pci;

namespace MiniVmm.Tests.Firmware;

/// <summary>What the tables tell of the PCI bus.</summary>
public sealed class PciRootTests
{
    private static readonly PciRoot Root = new(
        new(MemoryLayout.PciEcam, PciEcam.Length),
        new(0xc000, 0x4000),
        new(MemoryLayout.PciMemory, MemoryLayout.PciMemorySize),
        new(32 * MemoryLayout.GiB, 32 * MemoryLayout.GiB),
        [1, 2, 5]);

    private static readonly FirmwareCpus Cpus = Topologies.Some(1, 1);

    [Fact]
    public void Iasl_accepts_the_host_bridge_and_the_MCFG()
    {
        GuestView guest = new(AcpiTables.Build(Cpus, [Root.Claim!], pci: Root));
        string dsdt = Iasl.Check("dsdt", guest.TableBytes("DSDT"));
        AmlWriterTests.AssertInOrder(
            dsdt,
            "Device (ECAM)", "EisaId (\"PNP0C02\")", "0xE0000000,", "0x00100000,",
            "Device (PCI0)", "EisaId (\"PNP0A08\")", "EisaId (\"PNP0A03\")", "_SEG, Zero", "_BBN, Zero",
            "WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,",
            "0x0CF8,", "0x08,",
            "WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,", "0xC000,", "0xFFFF,", "0x4000,",
            "DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,",
            "0xC0000000,", "0xCFFFFFFF,", "0x10000000,",
            "QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,",
            "0x0000000800000000,", "0x0000000FFFFFFFFF,", "0x0000000800000000,",
            "Name (_PRT, Package (0x0C)", "0x0001FFFF,", "Zero,", "Zero,", "0x11", "0x0005FFFF,", "0x03,", "Zero,", "0x10",
            "Method (_OSC, 4, NotSerialized)", "CreateDWordField (Arg3, Zero, CDW1)",
            "ToUUID (\"33db4d5b-1ff7-401c-9657-7441c03dd766\")", "CreateDWordField (Arg3, 0x08, CDW3)",
            "CDW1 |= 0x08", "Local0 = (CDW3 & 0x1F)", "CDW1 |= 0x10", "CDW3 = Local0", "Else", "CDW1 |= 0x04",
            "Return (Arg3)");
        string mcfg = Iasl.Check("mcfg", guest.TableBytes("MCFG"));
        AmlWriterTests.AssertInOrder(
            mcfg, "Base Address : 00000000E0000000", "Segment Group Number : 0000", "Start Bus Number : 00", "End Bus Number : 00");
    }

    [Fact]
    public void Without_a_bus_there_is_no_word_of_it()
    {
        GuestView guest = new(AcpiTables.Build(Cpus, []));
        Assert.DoesNotContain("PCI", Iasl.Check("dsdt", guest.TableBytes("DSDT")), StringComparison.Ordinal);
        Assert.ThrowsAny<Exception>(() => guest.TableBytes("MCFG"));
    }

    [Fact]
    public void The_MP_table_has_the_bus_first_and_the_pins_of_its_devices()
    {
        MpPlace place = new(MemoryLayout.MpTable, MemoryLayout.MpTable + 16);
        GuestView guest = new(Assert.Single(MpTable.Build(place, Cpus, 0, 0, Root)));
        byte[] table = guest.Bytes(place.Table, guest.U16(place.Table + 4)).ToArray();

        Assert.Equal(MpTable.ConfigurationSize(Cpus, Root), table.Length);
        Assert.Equal("0100504349202020" + "0101495341202020", Convert.ToHexString(table, 44 + 20, 16));

        // Vectored, as the bus has it, bus 0, device 2 INTA: pin 18 of I/O APIC 0.
        Assert.Contains("0300000000080012", Convert.ToHexString(table), StringComparison.Ordinal);
        Assert.Contains("0300000001040004", Convert.ToHexString(table), StringComparison.Ordinal); // IRQ 4 of the ISA bus
    }

    [Fact]
    public void The_bus_lines_reach_the_8259s_too_and_those_lines_are_nobody_elses_there()
    {
        (uint Gsi, uint Chip, uint Pin)[] routes =
            [.. InterruptRouter.Pins(hasPci: true).Select(route => (route.gsi, route.u.irqchip.irqchip, route.u.irqchip.pin))];
        Assert.Contains((16u, (uint)KvmConstants.KVM_IRQCHIP_PIC_MASTER, 5u), routes);
        Assert.Contains((17u, (uint)KvmConstants.KVM_IRQCHIP_PIC_SLAVE, 2u), routes);
        Assert.Contains((16u, (uint)KvmConstants.KVM_IRQCHIP_IOAPIC, 16u), routes);
        Assert.Contains((5u, (uint)KvmConstants.KVM_IRQCHIP_IOAPIC, 5u), routes);
        Assert.Equal(routes.Length, routes.Select(route => (route.Chip, route.Pin)).Distinct().Count());
    }
}
