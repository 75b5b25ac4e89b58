using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using MiniVmm.Machine;
using MiniVmm.Memory;

namespace MiniVmm.Teaching.Plan;

/// <summary>The ACPI tables of a plan, found as a guest finds them: from the RSDP on (ACPI 6.5, 5.2).</summary>
internal static class AcpiDump
{
    private const int HeaderSize = 36;
    private const int XsdtInRsdp = 24;
    private const int DsdtInFadt = 140;
    private const int FacsInFadt = 36; // with 32 bits, as the tables here have it
    private const int FirstMadtEntry = 44;
    private const int BytesInALine = 16;
    private const int MostTables = 64;

    /// <summary>A table as it lies in memory.</summary>
    /// <param name="Signature">Four letters.</param>
    internal sealed record Table(string Signature, ulong Address, ReadOnlyMemory<byte> Bytes);

    /// <summary>Writes each table: disassembled where that can be done, else its fields and bytes.</summary>
    public static void Write(TextWriter output, MachinePlan plan, Func<Table, string?> disassemble)
    {
        if (plan.Options.Firmware is not null)
        {
            output.WriteLine("ACPI tables: the firmware installs them");
            return;
        }

        output.WriteLine($"ACPI tables, from the RSDP at 0x{plan.Boot.Firmware.Rsdp:x}");
        foreach (Table table in Find(plan.Boot.Segments, plan.Boot.Firmware.Rsdp))
        {
            output.WriteLine($"  {table.Signature} at 0x{table.Address:x}, {table.Bytes.Length} bytes");
            string[] lines = disassemble(table) is { } text ? text.TrimEnd('\n').Split('\n') : [.. Dump(table)];
            foreach (string line in lines)
                output.WriteLine($"    {line}".TrimEnd());
        }
    }

    /// <summary>The tables in the order of the XSDT, the DSDT and the FACS behind the FADT that names them.</summary>
    public static IReadOnlyList<Table> Find(IReadOnlyList<LoadSegment> segments, ulong rsdp)
    {
        List<Table> tables = [];
        ReadOnlyMemory<byte> pointer = Bytes(segments, rsdp, HeaderSize);
        if (pointer.Length < HeaderSize || Read(segments, BinaryPrimitives.ReadUInt64LittleEndian(pointer.Span[XsdtInRsdp..])) is not { } xsdt)
            return tables;
        tables.Add(xsdt);
        for (int at = HeaderSize; at + sizeof(ulong) <= xsdt.Bytes.Length && tables.Count < MostTables; at += sizeof(ulong))
        {
            if (Read(segments, BinaryPrimitives.ReadUInt64LittleEndian(xsdt.Bytes.Span[at..])) is not { } table)
                continue;
            tables.Add(table);
            if (table.Signature != "FACP" || table.Bytes.Length < DsdtInFadt + sizeof(ulong))
                continue;
            if (Read(segments, BinaryPrimitives.ReadUInt32LittleEndian(table.Bytes.Span[FacsInFadt..])) is { } facs)
                tables.Add(facs);
            if (Read(segments, BinaryPrimitives.ReadUInt64LittleEndian(table.Bytes.Span[DsdtInFadt..])) is { } dsdt)
                tables.Add(dsdt);
        }

        return tables;
    }

    private static Table? Read(IReadOnlyList<LoadSegment> segments, ulong address)
    {
        ReadOnlyMemory<byte> start = Bytes(segments, address, 2 * sizeof(uint));
        if (start.Length < 2 * sizeof(uint))
            return null;
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(start.Span[sizeof(uint)..]);
        ReadOnlyMemory<byte> bytes = Bytes(segments, address, (int)Math.Min(length, int.MaxValue));
        return bytes.Length == length ? new(Encoding.ASCII.GetString(start.Span[..sizeof(uint)]), address, bytes) : null;
    }

    private static ReadOnlyMemory<byte> Bytes(IReadOnlyList<LoadSegment> segments, ulong address, int length)
    {
        foreach (LoadSegment segment in segments)
        {
            ulong offset = address - segment.Address;
            if (address >= segment.Address && offset < (ulong)segment.Data.Length)
                return segment.Data.Slice((int)offset, Math.Min(length, segment.Data.Length - (int)offset));
        }

        return default;
    }

    /// <summary>What can be said without a disassembler.</summary>
    public static IEnumerable<string> Dump(Table table)
    {
        if (table.Signature == "APIC")
            return Processors(table.Bytes);
        return Hex(table.Bytes);
    }

    // ACPI 6.5, 5.2.12: type, length, and what follows.
    private static List<string> Processors(ReadOnlyMemory<byte> table)
    {
        List<string> lines = [];
        for (int at = FirstMadtEntry; at + 2 <= table.Length;)
        {
            int length = table.Span[at + 1];
            if (length < 2 || at + length > table.Length)
                break;
            ReadOnlySpan<byte> entry = table.Span.Slice(at, length);
            lines.Add(entry[0] switch
            {
                0 when length >= 8 => $"local APIC: processor {entry[2]}, id {entry[3]}, flags {BinaryPrimitives.ReadUInt32LittleEndian(entry[4..])}",
                1 when length >= 12 => $"I/O APIC: id {entry[2]}, at 0x{BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]):x}, interrupts from {BinaryPrimitives.ReadUInt32LittleEndian(entry[8..])}",
                2 when length >= 10 => $"override: ISA {entry[3]} is interrupt {BinaryPrimitives.ReadUInt32LittleEndian(entry[4..])}, flags 0x{BinaryPrimitives.ReadUInt16LittleEndian(entry[8..]):x}",
                4 when length >= 6 => $"NMI: processor {entry[2]}, LINT{entry[5]}",
                9 when length >= 16 => $"local x2APIC: id {BinaryPrimitives.ReadUInt32LittleEndian(entry[4..])}, flags {BinaryPrimitives.ReadUInt32LittleEndian(entry[8..])}",
                var type => $"type {type}, {length} bytes",
            });
            at += length;
        }

        return lines;
    }

    private static List<string> Hex(ReadOnlyMemory<byte> table)
    {
        List<string> lines = [];
        for (int at = 0; at < table.Length; at += BytesInALine)
        {
            StringBuilder line = new(at.ToString("x4", CultureInfo.InvariantCulture));
            ReadOnlySpan<byte> bytes = table.Span.Slice(at, Math.Min(BytesInALine, table.Length - at));
            foreach (byte value in bytes)
                line.Append(CultureInfo.InvariantCulture, $" {value:x2}");
            line.Append(' ', 3 * (BytesInALine - bytes.Length) + 2);
            foreach (byte value in bytes)
                line.Append(char.IsBetween((char)value, ' ', '~') ? (char)value : '.');
            lines.Add(line.ToString());
        }

        return lines;
    }
}
