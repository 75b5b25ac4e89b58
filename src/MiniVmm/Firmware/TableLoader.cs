using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Firmware;

/// <summary>
/// The ACPI tables as QEMU's firmware gets them by fw_cfg: two files, and a script that says where to put them, which bytes
/// are addresses in them, and which checksums are to be worked out then (QEMU, hw/acpi/bios-linker-loader.c).
/// </summary>
internal static class TableLoader
{
    public const string Script = "etc/table-loader";
    public const string Rsdp = "etc/acpi/rsdp";
    public const string Tables = "etc/acpi/tables";

    private const int NameField = 56;
    private const int EntrySize = 128;
    private const int ChecksumOffset = 9; // of every table with a header

    // In the FADT (ACPI 6.5, table 5.9).
    private const int FacsField = 36, DsdtField = 40, Dsdt64Field = 140;

    private enum Command : uint
    {
        Allocate = 1,
        AddPointer = 2,
        AddChecksum = 3,
    }

    private enum Zone : byte
    {
        High = 1,

        /// <summary>0xf0000–0xfffff, where an RSDP is searched for.</summary>
        Low = 2,
    }

    /// <summary>Adds the three files.</summary>
    /// <param name="items">Gets them.</param>
    /// <param name="cpus">All processors.</param>
    /// <param name="devices">The DSDT's devices.</param>
    /// <param name="pci">The PCI bus; null for none.</param>
    /// <param name="memory">RAM, told of where more can come.</param>
    /// <exception cref="BadInputException">More processors than the DSDT can name.</exception>
    public static void AddTo(FwCfgItems items, FirmwareCpus cpus, IReadOnlyList<AmlDevice> devices, PciRoot? pci, GuestMemoryMap memory)
    {
        // Built for address 0, addresses in them are offsets into the file: what the script's sums begin with.
        (LoadSegment rsdp, LoadSegment tables) = AcpiTables.BuildApart(cpus, devices, 0, 0, pci, memory);
        byte[] pointer = rsdp.Data.ToArray();
        byte[] bytes = tables.Data.ToArray();
        items.TryAddFile(Script, Build(pointer, bytes));
        items.TryAddFile(Rsdp, pointer);
        items.TryAddFile(Tables, bytes);
    }

    /// <summary>The script; checksums that firmware works out are 0 in the files afterwards, as it expects.</summary>
    internal static byte[] Build(Span<byte> rsdp, Span<byte> tables)
    {
        const int rsdtField = 16, xsdtField = 24, checksum = 8, extendedChecksum = 32, v1Size = 20;
        ByteWriter script = new();
        Allocate(script, Rsdp, AcpiTables.RsdpAlignment, Zone.Low);
        Allocate(script, Tables, AcpiTables.Alignment, Zone.High);
        int rsdt = (int)BinaryPrimitives.ReadUInt32LittleEndian(rsdp[rsdtField..]);
        int xsdt = (int)BinaryPrimitives.ReadUInt64LittleEndian(rsdp[xsdtField..]);
        foreach ((int list, int width) in ((int, int)[])[(rsdt, sizeof(uint)), (xsdt, sizeof(ulong))])
        {
            int end = list + Length(tables, list);
            for (int at = list + AcpiTable.HeaderSize; at < end; at += width)
                Pointer(script, Tables, at, width);
            Sum(script, Tables, tables, list + ChecksumOffset, list, end - list);
        }

        // The FADT is the first that the lists name.
        int fadt = (int)BinaryPrimitives.ReadUInt32LittleEndian(tables[(rsdt + AcpiTable.HeaderSize)..]);
        Pointer(script, Tables, fadt + FacsField, sizeof(uint));
        Pointer(script, Tables, fadt + DsdtField, sizeof(uint));
        Pointer(script, Tables, fadt + Dsdt64Field, sizeof(ulong));
        Sum(script, Tables, tables, fadt + ChecksumOffset, fadt, Length(tables, fadt));
        Pointer(script, Rsdp, rsdtField, sizeof(uint));
        Pointer(script, Rsdp, xsdtField, sizeof(ulong));
        rsdp[extendedChecksum] = 0;
        Sum(script, Rsdp, rsdp, checksum, 0, v1Size);
        Sum(script, Rsdp, rsdp, extendedChecksum, 0, rsdp.Length);
        return script.ToArray();
    }

    private static int Length(ReadOnlySpan<byte> tables, int table) =>
        (int)BinaryPrimitives.ReadUInt32LittleEndian(tables[(table + 4)..]);

    private static void Allocate(ByteWriter script, string file, int alignment, Zone zone) => Entry(script, Command.Allocate, () =>
    {
        Name(script, file);
        script.U32((uint)alignment);
        script.U8((byte)zone);
    });

    /// <summary>Adds the address of the tables to a field of a file.</summary>
    private static void Pointer(ByteWriter script, string file, int offset, int width) => Entry(script, Command.AddPointer, () =>
    {
        Name(script, file);
        Name(script, Tables);
        script.U32((uint)offset);
        script.U8((byte)width);
    });

    private static void Sum(ByteWriter script, string file, Span<byte> bytes, int at, int start, int length)
    {
        bytes[at] = 0;
        Entry(script, Command.AddChecksum, () =>
        {
            Name(script, file);
            script.U32((uint)at);
            script.U32((uint)start);
            script.U32((uint)length);
        });
    }

    private static void Entry(ByteWriter script, Command command, Action fields)
    {
        int end = script.Length + EntrySize;
        script.U32((uint)command);
        fields();
        script.Zeros(end - script.Length);
    }

    private static void Name(ByteWriter script, string file)
    {
        script.Ascii(file);
        script.Zeros(NameField - file.Length);
    }
}
