using MiniVmm.Memory;

namespace MiniVmm.Firmware;

/// <summary>
/// The ACPI tables of the machine, in one piece: first the RSDP, where a guest that was not told its address finds it
/// (ACPI 6.5, 5.2.5.1), then what it leads to. Where a kernel leaves too little room there, the RSDP lies alone.
/// </summary>
internal static class AcpiTables
{
    /// <summary>Bytes of the RSDP.</summary>
    public const int RsdpSize = 36;

    /// <summary>The RSDP is found on such boundaries only.</summary>
    public const int RsdpAlignment = 16;

    /// <summary>For the address of the tables: that of the FACS, the strictest.</summary>
    public const int Alignment = FacsAlignment;

    private const string Name = "ACPI tables";
    private const int RsdpV1Size = 20;
    private const int FacsAlignment = 64;
    private const int TableAlignment = 16;

    /// <summary>Processors that the DSDT has names for.</summary>
    private const int MostCpus = 4096;

    /// <summary>The RSDP and the tables in one piece.</summary>
    /// <param name="cpus">All processors, present or only possible.</param>
    /// <param name="devices">What the DSDT tells of besides processors; names must differ.</param>
    /// <param name="address">Guest-physical address below 4 GiB, a multiple of <see cref="Alignment"/>.</param>
    /// <param name="pci">The PCI bus; null for none.</param>
    /// <param name="memory">RAM, told of where more can come; null for tables that say nothing of it.</param>
    /// <exception cref="ArgumentException">A device's name is not an ACPI name, or is taken.</exception>
    /// <exception cref="BadInputException">More processors than the DSDT can name.</exception>
    public static LoadSegment Build(
        FirmwareCpus cpus, IReadOnlyList<AmlDevice> devices, ulong address = MemoryLayout.Acpi, PciRoot? pci = null,
        GuestMemoryMap? memory = null)
    {
        ByteWriter output = new();
        output.Zeros(RsdpSize);
        byte[] rsdp = Append(output, cpus, devices, pci, memory, address);
        byte[] bytes = output.ToArray();
        rsdp.CopyTo(bytes, 0);
        return new(Name, address, bytes);
    }

    /// <summary>The RSDP at one address and the tables at another.</summary>
    /// <param name="cpus">All processors.</param>
    /// <param name="devices">The DSDT's devices.</param>
    /// <param name="rsdp">Address of the RSDP, a multiple of <see cref="RsdpAlignment"/>.</param>
    /// <param name="tables">Address of the tables, a multiple of <see cref="Alignment"/>.</param>
    /// <param name="pci">The PCI bus; null for none.</param>
    /// <param name="memory">RAM, as above.</param>
    /// <inheritdoc cref="Build" path="/exception"/>
    public static (LoadSegment Rsdp, LoadSegment Tables) BuildApart(
        FirmwareCpus cpus, IReadOnlyList<AmlDevice> devices, ulong rsdp, ulong tables, PciRoot? pci = null,
        GuestMemoryMap? memory = null)
    {
        ByteWriter output = new();
        byte[] pointer = Append(output, cpus, devices, pci, memory, tables);
        return (new("ACPI RSDP", rsdp, pointer), new(Name, tables, output.ToArray()));
    }

    /// <summary>Appends the tables, the first byte of <paramref name="output"/> being at an address.</summary>
    /// <returns>The RSDP.</returns>
    private static byte[] Append(
        ByteWriter output, FirmwareCpus cpus, IReadOnlyList<AmlDevice> devices, PciRoot? pci, GuestMemoryMap? memory, ulong address)
    {
        ArgumentNullException.ThrowIfNull(cpus);
        ArgumentNullException.ThrowIfNull(devices);
        if (cpus.All.Count > MostCpus)
        {
            throw new BadInputException(
                $"{OptionName.Smp.With($"maxcpus={cpus.All.Count}")}: ACPI tables can name {MostCpus} processors at most");
        }

        const uint None = 0; // where the FACS, or the RSDP, is in any case

        // Who has a display has both.
        bool hasScreen = devices.Any(device => device.HardwareId == AmlDevice.KeyboardId);
        uint facs = Place(Fadt.BuildFacs(), FacsAlignment);
        uint dsdt = Place(Dsdt.Build(cpus, devices, pci), TableAlignment);
        uint fadt = Place(Fadt.Build(facs, dsdt, hasScreen), TableAlignment);
        uint madt = Place(Madt.Build(cpus), TableAlignment);

        uint mcfg = pci?.ConfigurationSpace is { } space ? Place(PciRoot.BuildMcfg(space), TableAlignment) : None;
        uint srat = memory is not null && Srat.Build(cpus, memory) is { } table ? Place(table, TableAlignment) : None;

        // The same list twice: 32-bit addresses for ACPI 1.0 kernels, 64-bit ones for all others.
        ByteWriter rsdtBody = new();
        ByteWriter xsdtBody = new();
        foreach (uint listed in (ReadOnlySpan<uint>)[fadt, madt, mcfg, srat])
        {
            if (listed == None)
                continue;
            rsdtBody.U32(listed);
            xsdtBody.U64(listed);
        }

        uint rsdt = Place(AcpiTable.Build("RSDT", 1, rsdtBody.Written), TableAlignment);
        uint xsdt = Place(AcpiTable.Build("XSDT", 1, xsdtBody.Written), TableAlignment);
        return Rsdp(rsdt, xsdt);

        uint Place(byte[] table, int alignment)
        {
            output.Zeros(-output.Length & (alignment - 1));
            uint at = (uint)address + (uint)output.Length;
            output.Bytes(table);
            return at;
        }
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
