using MiniVmm.Inspection;

namespace MiniVmm.Tests.Inspection;

public sealed class MappedRangesTests
{
    [Fact]
    public void Pages_in_a_row_are_one_range()
    {
        using Guest guest = new();

        List<MappedRange> ranges = MappedRanges.Of(guest.View.Paging, guest.Memory, 100);

        Assert.Equal(
            [
                new(0x1000, 0x1000, 0x3000), new(Guest.Code, Guest.Code, 0x1000),
                new(Guest.Stack - 0x4000, Guest.Stack - 0x4000, 0x4000),
            ],
            ranges);
    }

    [Fact]
    public void The_upper_half_and_large_pages_are_listed_as_far_as_they_are_RAM()
    {
        using Guest guest = new();
        guest.Put(Guest.Tables + 511 * 8, Guest.Tables + 0x4003);
        guest.Put(Guest.Tables + 0x4000 + 510 * 8, Guest.Tables + 0x5003);
        guest.Put(Guest.Tables + 0x5000, 0x20_0083); // 2 MiB of RAM
        guest.Put(Guest.Tables + 0x5008, 0xd000_0083); // and of nothing

        List<MappedRange> ranges = MappedRanges.Of(guest.View.Paging, guest.Memory, 100);

        Assert.Equal(new MappedRange(0xffff_ffff_8000_0000, 0x20_0000, 0x20_0000), ranges[^1]);
        Assert.Equal(4, ranges.Count);
    }

    [Fact]
    public void Each_address_of_a_range_is_where_a_walk_finds_it()
    {
        using Guest guest = new();
        foreach (MappedRange range in MappedRanges.Of(guest.View.Paging, guest.Memory, 100))
        {
            for (ulong offset = 0; offset < range.Length; offset += 0x800)
                Assert.Equal(range.Physical + offset, guest.View.Walk(range.Linear + offset).Physical);
        }
    }

    [Fact]
    public void Tables_that_map_themselves_come_to_an_end()
    {
        using Guest guest = new();
        for (ulong at = 0; at < 0x1000; at += 8)
            guest.Put(Guest.Tables + at, Guest.Tables | 3);

        Assert.Equal(50, MappedRanges.Of(guest.View.Paging, guest.Memory, 50).Count);
    }
}
