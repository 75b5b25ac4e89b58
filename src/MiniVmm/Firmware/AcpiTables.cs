using MiniVmm.Memory;

namespace MiniVmm.Firmware;

/// <summary>
/// The ACPI tables of the machine, in one piece at <see cref="MemoryLayout.Acpi"/>: first the RSDP, where a
/// guest that was not told its address finds it (ACPI 6.5, 5.2.5.1), then what it leads to.
/// </summary>
public static class AcpiTables
{
    private const int RsdpSize = 36;
    private const int RsdpV1Size = 20;
    private const int FacsAlignment = 64;
    private const int TableAlignment = 16;

    /// <summary>A round number of processors that leaves room for hundreds of devices.</summary>
    private const int RoomyCpus = 1024;

    private const int Room = (int)(MemoryLayout.AcpiEnd - MemoryLayout.Acpi);

    /// <param name="cpus">All processors, present or only possible.</param>
    /// <param name="devices">What the DSDT tells of besides processors, COM1 and the clock; names must differ.</param>
    /// <exception cref="ArgumentException">A device's name is not an ACPI name, or is taken.</exception>
    /// <exception cref="BadInputException">So many processors or devices that the tables take over 64 KiB.</exception>
    public static LoadSegment Build(FirmwareCpus cpus, params IReadOnlyList<AmlDevice> devices)
    {
        ArgumentNullException.ThrowIfNull(cpus);
        ArgumentNullException.ThrowIfNull(devices);
        // No processor takes less than 16 bytes, so that what is far too much is not built first.
        if (cpus.All.Count > Room / 16)
            throw DoesNotFit(cpus);
        ByteWriter output = new();
        output.Zeros(RsdpSize);
        uint facs = Place(output, Fadt.BuildFacs(), FacsAlignment);
        uint dsdt = Place(output, Dsdt.Build(cpus, devices), TableAlignment);
        uint fadt = Place(output, Fadt.Build(facs, dsdt), TableAlignment);
        uint madt = Place(output, Madt.Build(cpus), TableAlignment);

        // The same list twice: 32-bit addresses for ACPI 1.0 kernels, 64-bit ones for all others.
        ByteWriter rsdtBody = new();
        ByteWriter xsdtBody = new();
        foreach (uint table in (uint[])[fadt, madt])
        {
            rsdtBody.U32(table);
            xsdtBody.U64(table);
        }

        uint rsdt = Place(output, AcpiTable.Build("RSDT", 1, rsdtBody.Written), TableAlignment);
        uint xsdt = Place(output, AcpiTable.Build("XSDT", 1, xsdtBody.Written), TableAlignment);
        if (output.Length > Room)
            throw DoesNotFit(cpus);
        byte[] bytes = output.ToArray();
        Rsdp(rsdt, xsdt).CopyTo(bytes, 0);
        return new LoadSegment("ACPI tables", MemoryLayout.Acpi, bytes);
    }

    private static BadInputException DoesNotFit(FirmwareCpus cpus) =>
        new($"--smp maxcpus={cpus.All.Count}: the ACPI tables of so many processors do not fit into their "
            + $"{Room / 1024} KiB; use {RoomyCpus} or fewer");

    private static uint Place(ByteWriter output, byte[] table, int alignment)
    {
        output.Zeros(-output.Length & (alignment - 1));
        uint address = (uint)MemoryLayout.Acpi + (uint)output.Length;
        output.Bytes(table);
        return address;
    }

    /// <summary>Root pointer, revision 2: one checksum over ACPI 1.0's part, one over all (5.2.5.3).</summary>
    private static byte[] Rsdp(uint rsdt, uint xsdt)
    {
        const int ChecksumOffset = 8, ExtendedChecksumOffset = 32;
        ByteWriter rsdp = new();
        rsdp.Ascii("RSD PTR ");
        rsdp.U8(0);
        rsdp.Ascii(AcpiTable.OemId);
        rsdp.U8(2);
        rsdp.U32(rsdt);
        rsdp.U32(RsdpSize);
        rsdp.U64(xsdt);
        rsdp.Zeros(RsdpSize - rsdp.Length);
        byte[] bytes = rsdp.ToArray();
        bytes[ChecksumOffset] = Checksum.For(bytes.AsSpan(0, RsdpV1Size), ChecksumOffset);
        bytes[ExtendedChecksumOffset] = Checksum.For(bytes, ExtendedChecksumOffset);
        return bytes;
    }
}
