using MiniVmm.Memory;

namespace MiniVmm.Firmware;

/// <summary>What firmware leaves in memory, and where it lies beside a kernel.</summary>
/// <param name="Rsdp">Guest-physical address of the ACPI RSDP.</param>
/// <param name="Mp">Where the MP table goes, or null when the kernel covers every place a search would look at.</param>
internal sealed record FirmwarePlaces(ulong Rsdp, MpPlace? Mp)
{
    /// <summary>The RSDP itself, for protocols that hand over a copy.</summary>
    public ReadOnlyMemory<byte> RsdpBytes(LoadPlan plan) =>
        plan.Segments.First(segment => segment.Address == Rsdp).Data[..AcpiTables.RsdpSize];
}

/// <summary>
/// The ACPI tables, the MP table and the BIOS data area of a machine. They lie around a kernel that is placed already:
/// in the EBDA and the ROM window, where kernels search and nothing else is kept, or in RAM that is reported as reserved.
/// </summary>
/// <param name="cpus">All processors, present or only possible.</param>
/// <param name="devices">What the DSDT tells of besides processors.</param>
/// <param name="pci">The PCI bus; null for none.</param>
internal sealed class FirmwareTables(FirmwareCpus cpus, IReadOnlyList<AmlDevice> devices, PciRoot? pci = null)
{
    private static readonly GuestRange RomArea =
        new(MemoryLayout.RomArea, MemoryLayout.HighMemory - MemoryLayout.RomArea);

    private static readonly GuestRange UpperRomArea =
        new(MemoryLayout.MpTable, MemoryLayout.HighMemory - MemoryLayout.MpTable);

    private static readonly GuestRange Ebda =
        new(MemoryLayout.Ebda, MemoryLayout.LegacyHoleStart - MemoryLayout.Ebda);

    /// <summary>Whether there is a second serial port.</summary>
    public bool HasCom2 { get; init; }

    /// <summary>All processors, present or only possible.</summary>
    public FirmwareCpus Cpus => cpus;

    /// <summary>Places everything; of the MP table only its room, since its text depends on the host's CPUID.</summary>
    /// <exception cref="BadInputException">More processors than ACPI names, or a kernel that leaves no room.</exception>
    internal FirmwarePlaces Place(LoadPlan plan)
    {
        plan.AddWhereFree(BiosDataArea.BuildEbda());
        FirmwarePlaces places = new(PlaceAcpi(plan), PlaceMpTable(plan));
        PlaceVectors(plan);
        // Last: it has the size of base memory, of which the tables may have taken some.
        plan.AddWhereFree(BiosDataArea.Build(plan.Memory, HasCom2));
        return places;
    }

    private ulong PlaceAcpi(LoadPlan plan)
    {
        LoadSegment tables = AcpiTables.Build(cpus, devices, pci: pci, memory: plan.Memory);
        ulong size = tables.MemorySize;
        if (tables.End <= MemoryLayout.AcpiEnd && plan.IsFree(tables.Range))
        {
            plan.Add(tables);
            return tables.Address;
        }

        ulong? rsdp;
        if (plan.FirstFree(RomArea, size, AcpiTables.Alignment) is { } address)
        {
            rsdp = address;
        }
        else
        {
            rsdp = plan.FirstFree(RomArea, AcpiTables.RsdpSize, AcpiTables.RsdpAlignment)
                ?? plan.FirstFree(Ebda, AcpiTables.RsdpSize, AcpiTables.RsdpAlignment);
            address = plan.Reserve(tables.Name, size);
        }

        plan.NoteMove(tables.Name, tables.Range, address);
        if (rsdp is { } alone && alone != address)
        {
            (LoadSegment pointer, LoadSegment rest) = AcpiTables.BuildApart(cpus, devices, alone, address, pci, plan.Memory);
            plan.Add(pointer);
            plan.Add(rest);
            return alone;
        }

        if (rsdp is null)
        {
            plan.Note("ACPI RSDP: the kernel covers all places where it is searched for; " +
                "only boot protocols that pass its address lead there");
        }

        plan.Add(AcpiTables.Build(cpus, devices, address, pci, plan.Memory));
        return address;
    }

    private MpPlace? PlaceMpTable(LoadPlan plan)
    {
        const ulong pointerSize = MpTable.PointerSize;
        ulong tableSize = (ulong)MpTable.ConfigurationSize(cpus, pci);
        ulong size = pointerSize + tableSize;
        GuestRange usual = new(MemoryLayout.MpTable, size);
        ulong? whole = plan.FirstFree(UpperRomArea, size, pointerSize) ?? plan.FirstFree(Ebda, size, pointerSize);
        if (whole is { } address)
        {
            if (address != usual.Start)
                plan.NoteMove(MpTable.Name, usual, address);
            plan.Add(MpTable.Name, address, default, size);
            return new(address, address + pointerSize);
        }

        ulong? pointer = plan.FirstFree(UpperRomArea, pointerSize, pointerSize)
            ?? plan.FirstFree(Ebda, pointerSize, pointerSize);
        if (pointer is not { } found)
        {
            plan.Note("no MP table: the kernel covers all places where it is searched for");
            return null;
        }

        plan.Add(MpTable.PointerName, found, default, pointerSize);
        ulong table = plan.FirstFree(RomArea, tableSize, pointerSize) ?? plan.Reserve(MpTable.Name, tableSize);
        plan.NoteMove(MpTable.Name, usual, found);
        plan.Add(MpTable.Name, table, default, tableSize);
        return new(found, table);
    }

    private static void PlaceVectors(LoadPlan plan)
    {
        ulong usual = MemoryLayout.DummyInterruptHandler;
        ulong? handler = plan.IsFree(new(usual, 1))
            ? usual
            : plan.FirstFree(RomArea, 1, 1) ?? plan.FirstFree(Ebda, 1, 1);
        if (handler is not { } address)
            return; // a kernel that lies over all of it has no use for BIOS interrupts
        plan.Add(BiosDataArea.BuildHandler(address));
        plan.AddWhereFree(BiosDataArea.BuildVectors(address));
    }
}
