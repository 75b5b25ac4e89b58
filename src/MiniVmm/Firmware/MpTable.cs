using MiniVmm.Memory;

namespace MiniVmm.Firmware;

/// <summary>Where the MP floating pointer and the configuration table lie, as guest-physical addresses.</summary>
internal readonly record struct MpPlace(ulong Pointer, ulong Table)
{
    /// <summary>Whether the table follows the pointer.</summary>
    public bool IsOnePiece => Table == Pointer + MpTable.PointerSize;
}

/// <summary>
/// The processors and interrupt lines for kernels without ACPI: Intel MultiProcessor Specification 1.4, the
/// floating pointer, which kernels search for, and the configuration table that it leads to.
/// </summary>
internal static class MpTable
{
    /// <summary>Bytes of the floating pointer, which lies on a boundary of as many.</summary>
    public const int PointerSize = 16;

    private const byte SpecificationRevision = 4;
    private const int HeaderSize = 44;
    private const byte PciBus = 0;

    /// <summary>Polarity and trigger as the bus has them: ISA a rising edge, PCI a low level.</summary>
    private const ushort AsTheBus = 0;

    private const byte AllLocalApics = 0xff;

    /// <summary>What a load plan calls the table.</summary>
    public const string Name = "MP table";

    /// <summary>What a load plan calls a pointer that does not lie right before its table.</summary>
    public const string PointerName = "MP floating pointer";

    private enum EntryType : byte
    {
        Processor,
        Bus,
        IoApic,
        IoInterrupt,
        LocalInterrupt,
    }

    private enum InterruptType : byte
    {
        Vectored,
        Nmi,
        Smi,
        ExtInt,
    }

    /// <summary>Bytes of the configuration table, which depend on nothing but the processors and the PCI bus.</summary>
    public static int ConfigurationSize(FirmwareCpus cpus, PciRoot? pci = null) => Configuration(cpus, 0, 0, pci).Length;

    /// <summary>Pointer and table, in one piece or as two.</summary>
    /// <param name="place">Where they go.</param>
    /// <param name="cpus">
    /// Of these the ones that are present and have an APIC ID below 255 are told of: the format has 8 bits for
    /// it, and no notion of a processor that may come.
    /// </param>
    /// <param name="signature">EAX of CPUID leaf 1: family, model, stepping.</param>
    /// <param name="features">EDX of CPUID leaf 1.</param>
    /// <param name="pci">The PCI bus; null for none.</param>
    public static IReadOnlyList<LoadSegment> Build(
        MpPlace place, FirmwareCpus cpus, uint signature, uint features, PciRoot? pci = null)
    {
        ArgumentNullException.ThrowIfNull(cpus);
        byte[] pointer = FloatingPointer(place.Table);
        byte[] table = Configuration(cpus, signature, features, pci);
        return place.IsOnePiece
            ? [new(Name, place.Pointer, (byte[])[.. pointer, .. table])]
            : [new(PointerName, place.Pointer, pointer), new(Name, place.Table, table)];
    }

    private static byte[] Configuration(FirmwareCpus cpus, uint signature, uint features, PciRoot? pci)
    {
        byte boot = (byte)cpus.All[0].ApicId;
        ByteWriter entries = new();
        ushort count = 0;
        foreach (FirmwareCpu cpu in cpus.All)
        {
            if (!cpu.Present || cpu.ApicId >= FirmwareCpus.FirstX2ApicId)
                continue;
            const byte Enabled = 1, BootEnabled = 3;
            Entry(EntryType.Processor);
            entries.U8((byte)cpu.ApicId);
            entries.U8(InterruptWiring.LocalApicVersion);
            entries.U8(cpu.ApicId == boot ? BootEnabled : Enabled);
            entries.U32(signature);
            entries.U32(features);
            entries.Zeros(8);
        }

        // A PCI bus has the number by which its configuration space is addressed, and so the first.
        byte isa = pci is null ? (byte)0 : (byte)(PciBus + 1);
        if (pci is not null)
            Bus(PciBus, "PCI   ");
        Bus(isa, "ISA   ");

        Entry(EntryType.IoApic);
        entries.U8(InterruptWiring.IoApicId);
        entries.U8(InterruptWiring.IoApicVersion);
        entries.U8(1);
        entries.U32((uint)MemoryLayout.IoApic);

        for (byte irq = 0; irq < InterruptWiring.IsaIrqs; irq++)
        {
            if (irq == InterruptWiring.CascadeIrq)
                continue;
            Interrupt(EntryType.IoInterrupt, InterruptType.Vectored, isa, irq,
                InterruptWiring.IoApicId, InterruptWiring.IoApicPin(irq));
        }

        foreach ((int device, int pin, byte gsi) in pci?.Interrupts ?? [])
        {
            Interrupt(EntryType.IoInterrupt, InterruptType.Vectored, PciBus, (byte)((device << 2) | pin),
                InterruptWiring.IoApicId, gsi);
        }

        Interrupt(EntryType.LocalInterrupt, InterruptType.ExtInt, isa, 0, boot, InterruptWiring.ExtIntLint);
        Interrupt(EntryType.LocalInterrupt, InterruptType.Nmi, isa, 0, AllLocalApics, InterruptWiring.NmiLint);

        return WithHeader(entries, count);

        void Entry(EntryType type)
        {
            count++;
            entries.U8((byte)type);
        }

        void Bus(byte id, string type)
        {
            Entry(EntryType.Bus);
            entries.U8(id);
            entries.Ascii(type);
        }

        void Interrupt(EntryType entry, InterruptType type, byte bus, byte irq, byte destination, byte input)
        {
            Entry(entry);
            entries.U8((byte)type);
            entries.U16(AsTheBus);
            entries.U8(bus);
            entries.U8(irq);
            entries.U8(destination);
            entries.U8(input);
        }
    }

    /// <summary>Section 4.1. Feature bytes 0: there is a configuration table, and no IMCR ("virtual wire").</summary>
    private static byte[] FloatingPointer(ulong table)
    {
        const int ChecksumOffset = 10;
        ByteWriter pointer = new();
        pointer.Ascii("_MP_");
        pointer.U32((uint)table);
        pointer.U8(PointerSize / 16);
        pointer.U8(SpecificationRevision);
        pointer.Zeros(PointerSize - pointer.Length);
        byte[] bytes = pointer.ToArray();
        bytes[ChecksumOffset] = Checksum.For(bytes, ChecksumOffset);
        return bytes;
    }

    /// <summary>Section 4.2: the header, without OEM table and extended entries, then the entries.</summary>
    private static byte[] WithHeader(ByteWriter entries, ushort count)
    {
        const int ChecksumOffset = 7;
        ByteWriter table = new();
        table.Ascii("PCMP");
        table.U16((ushort)(HeaderSize + entries.Length));
        table.U8(SpecificationRevision);
        table.U8(0);
        table.Ascii("MINIVMM ");
        table.Ascii("MINIVMM     ");
        table.U32(0);
        table.U16(0);
        table.U16(count);
        table.U32((uint)MemoryLayout.LocalApic);
        table.U32(0);
        table.Bytes(entries.Written);
        byte[] bytes = table.ToArray();
        bytes[ChecksumOffset] = Checksum.For(bytes, ChecksumOffset);
        return bytes;
    }
}
