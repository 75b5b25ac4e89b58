using System.Buffers.Binary;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// Page tables that map the first 4 GiB onto themselves in 2 MiB pages: a PML4, a PDPT, four page directories
/// (SDM vol. 3, 4.5 "4-Level Paging"). 1 GiB pages would take fewer tables, but not every processor model has them.
/// </summary>
internal static class LongModeTables
{
    /// <summary>First address that is not mapped.</summary>
    public const ulong MappedEnd = 4 * MemoryLayout.GiB;

    /// <summary>Bytes of all tables.</summary>
    public const int Size = (2 + Directories) * TableSize;

    private const int TableSize = 4096;
    private const int EntriesPerTable = TableSize / sizeof(ulong);
    private const int Directories = 4;

    private const ulong Present = 1 << 0;
    private const ulong Writable = 1 << 1;
    private const ulong LargePage = 1 << 7;

    /// <summary>The tables as a segment; CR3 is its address, a multiple of 4 KiB below 4 GiB.</summary>
    public static LoadSegment Build(ulong pml4 = MemoryLayout.PageTables)
    {
        byte[] tables = new byte[Size];
        ulong pdpt = pml4 + TableSize;
        Write(tables, 0, pdpt | Writable | Present);
        for (int directory = 0; directory < Directories; directory++)
        {
            ulong address = pdpt + (ulong)(directory + 1) * TableSize;
            Write(tables, EntriesPerTable + directory, address | Writable | Present);
        }

        for (int page = 0; page < Directories * EntriesPerTable; page++)
        {
            ulong address = (ulong)page * (2 * MemoryLayout.MiB);
            Write(tables, 2 * EntriesPerTable + page, address | LargePage | Writable | Present);
        }

        return new("boot page tables", pml4, tables);
    }

    private static void Write(byte[] tables, int entry, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(tables.AsSpan(entry * sizeof(ulong)), value);
}
