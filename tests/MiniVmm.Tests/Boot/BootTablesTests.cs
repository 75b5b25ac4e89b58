using System.Buffers.Binary;
using MiniVmm.Boot;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Boot;

public sealed class BootTablesTests
{
    [Theory]
    [InlineData(EntryMode.Protected32, 0x4, 0xcf)]
    [InlineData(EntryMode.Long64, 0x2, 0xaf)]
    public void The_code_descriptor_has_the_modes_bit_and_no_base(Enum mode, int bit, byte granularityAndLimit)
    {
        LoadSegment gdt = FlatGdt.Build((EntryMode)mode);
        ReadOnlySpan<byte> code = gdt.Data.Span.Slice(FlatGdt.CodeSelector, 8);
        byte[] expected = [0xff, 0xff, 0, 0, 0, 0x9b, granularityAndLimit, 0];
        Assert.Equal(expected, code.ToArray());
        Assert.Equal(bit, (code[6] >> 4) & 6);
        Assert.Equal(MemoryLayout.BootGdt, gdt.Address);
    }

    [Fact]
    public void Multiboot_has_QEMUs_selectors()
    {
        LoadSegment gdt = FlatGdt.BuildMultiboot();
        ulong[] descriptors =
            [.. Enumerable.Range(0, 5).Select(i => BinaryPrimitives.ReadUInt64LittleEndian(gdt.Data.Span[(8 * i)..]))];

        // QEMU's, but for the accessed bit, which loading a selector sets.
        const ulong accessed = 1UL << 40;
        Assert.Equal(
            [
                0, 0x00cf_9a00_0000_ffff | accessed, 0x00cf_9200_0000_ffff | accessed,
                0x0000_9e00_0000_ffff | accessed, 0x0000_9200_0000_ffff | accessed,
            ],
            descriptors);
    }

    [Fact]
    public void The_selectors_are_those_of_a_fresh_entry_state()
    {
        EntryState entry = new(EntryMode.Long64, 0);
        Assert.Equal((FlatGdt.CodeSelector, FlatGdt.DataSelector), (entry.CodeSelector, entry.DataSelector));
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(0x1234_5678ul)]
    [InlineData(0xffff_fffful)]
    public void A_walk_of_the_page_tables_ends_where_it_began(ulong address)
    {
        LoadSegment tables = LongModeTables.Build();
        ulong table = tables.Address;
        for (int shift = 39; ; shift -= 9)
        {
            ulong entry = BinaryPrimitives.ReadUInt64LittleEndian(
                tables.Data.Span[(int)(table - tables.Address + 8 * ((address >> shift) & 511))..]);
            Assert.Equal(3ul, entry & 3);
            table = entry & ~0xffful;
            if ((entry & 0x80) == 0)
                continue;
            Assert.Equal(21, shift);
            Assert.Equal(address, table + (address & 0x1fffff));
            return;
        }
    }

    [Fact]
    public void Page_tables_elsewhere_point_to_themselves_there()
    {
        ReadOnlySpan<byte> tables = LongModeTables.Build(0x123000).Data.Span;

        Assert.Equal(0x124003ul, BinaryPrimitives.ReadUInt64LittleEndian(tables));
        Assert.Equal(0x125003ul, BinaryPrimitives.ReadUInt64LittleEndian(tables[0x1000..]));
        Assert.Equal(0x128003ul, BinaryPrimitives.ReadUInt64LittleEndian(tables[0x1018..]));
    }

    [Fact]
    public void The_page_tables_fill_their_room_and_end_at_4_GiB()
    {
        LoadSegment tables = LongModeTables.Build();
        Assert.Equal(MemoryLayout.PageTablesEnd, tables.End);
        // One PML4 entry and four PDPT entries, no more.
        Assert.Equal(0, tables.Data.Span[8..4096].IndexOfAnyExcept((byte)0) + 1);
        Assert.Equal(0, tables.Data.Span[(4096 + 32)..8192].IndexOfAnyExcept((byte)0) + 1);
    }
}
