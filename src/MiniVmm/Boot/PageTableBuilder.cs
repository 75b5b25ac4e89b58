using System.Buffers.Binary;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>What a page allows beside reading.</summary>
[Flags]
internal enum PageRights : ulong
{
    None = 0,
    Write = 1,
    Execute = 2,
}

/// <summary>
/// Page tables of four levels for any mapping, in pages of 4 KiB and 2 MiB (SDM vol. 3, 4.5). The tables follow each other
/// from one physical address on, the PML4 first.
/// </summary>
/// <param name="address">Physical address of the PML4; a multiple of 4 KiB.</param>
internal sealed class PageTableBuilder(ulong address)
{
    private const ulong Page = 4 * MemoryLayout.KiB;
    private const ulong LargePage = 2 * MemoryLayout.MiB;
    private const int Entries = 512;

    private const ulong Present = 1 << 0;
    private const ulong Writable = 1 << 1;
    private const ulong Large = 1 << 7;
    private const ulong NoExecute = 1UL << 63;
    private const ulong Frame = 0x000f_ffff_ffff_f000;

    private readonly List<ulong[]> _tables = [new ulong[Entries]];

    /// <summary>Bytes of all tables.</summary>
    public ulong Size => (ulong)_tables.Count * Page;

    /// <summary>
    /// Maps a range, widened to whole pages. A page that is mapped already, to the same frame, gets the rights of both.
    /// </summary>
    /// <param name="linear">Its linear address; congruent to the physical one modulo 4 KiB.</param>
    /// <param name="physical">Its physical address.</param>
    /// <param name="length">Bytes; the range does not wrap.</param>
    /// <param name="rights">What it allows.</param>
    public void Map(ulong linear, ulong physical, ulong length, PageRights rights)
    {
        ulong skew = linear & (Page - 1);
        linear -= skew;
        physical -= skew;
        ulong left = (length + skew + Page - 1) & ~(Page - 1);
        while (left > 0)
        {
            bool isLarge = ((linear | physical) & (LargePage - 1)) == 0 && left >= LargePage;
            ulong size = isLarge ? LargePage : Page;
            Set(linear, physical, isLarge, rights);
            linear = unchecked(linear + size);
            physical += size;
            left -= size;
        }
    }

    /// <summary>The tables' bytes.</summary>
    public byte[] ToArray()
    {
        byte[] bytes = new byte[Size];
        for (int table = 0; table < _tables.Count; table++)
        {
            for (int entry = 0; entry < Entries; entry++)
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan((table * Entries + entry) * sizeof(ulong)), _tables[table][entry]);
        }

        return bytes;
    }

    private void Set(ulong linear, ulong physical, bool isLarge, PageRights rights)
    {
        ulong[] table = _tables[0];
        int last = isLarge ? 21 : 12;
        for (int shift = 39; shift > last; shift -= 9)
        {
            ref ulong entry = ref table[(int)(linear >> shift) & (Entries - 1)];
            if ((entry & Large) != 0)
                return; // mapped by a larger page, whose rights are all
            if (entry == 0)
            {
                entry = (address + Size) | Writable | Present;
                _tables.Add(new ulong[Entries]);
            }

            table = _tables[(int)(((entry & Frame) - address) / Page)];
        }

        ref ulong leaf = ref table[(int)(linear >> last) & (Entries - 1)];
        bool mayWrite = rights.HasFlag(PageRights.Write) || (leaf & Writable) != 0;
        bool mayExecute = rights.HasFlag(PageRights.Execute) || (leaf != 0 && (leaf & NoExecute) == 0);
        leaf = physical | Present | (isLarge ? Large : 0) | (mayWrite ? Writable : 0) | (mayExecute ? 0 : NoExecute);
    }
}
