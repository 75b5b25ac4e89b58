using CsCheck;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Memory;

public sealed class GuestRangeTests
{
    [Theory]
    [InlineData(0x1000, 0x1000, 0x1000, 0x1000, true)]
    [InlineData(0x1000, 0x1000, 0x1fff, 1, true)]
    [InlineData(0x1000, 0x1000, 0x1fff, 2, false)]
    [InlineData(0x1000, 0x1000, 0xfff, 1, false)]
    [InlineData(0x1000, 0x1000, 0x2000, 0, true)]
    [InlineData(0x1000, 0x1000, 0x2001, 0, false)]
    [InlineData(0x1000, 0x1000, 0x1800, ulong.MaxValue, false)]
    [InlineData(0x1000, 0x1000, ulong.MaxValue, 1, false)]
    [InlineData(0xffff_ffff_ffff_f000, 0x1000, ulong.MaxValue, 1, true)]
    [InlineData(0xffff_ffff_ffff_f000, 0x1000, ulong.MaxValue, 2, false)]
    [InlineData(0, ulong.MaxValue, 1, ulong.MaxValue - 1, true)]
    [InlineData(0, ulong.MaxValue, 1, ulong.MaxValue, false)]
    public void A_range_contains_what_lies_inside_it_whole(
        ulong start, ulong length, ulong address, ulong count, bool inside) =>
        Assert.Equal(inside, new GuestRange(start, length).Contains(address, count));

    [Theory]
    [InlineData(0x1000, 0x1000, 0x2000, 0x1000, false)]
    [InlineData(0x1000, 0x1001, 0x2000, 0x1000, true)]
    [InlineData(0x1000, 0x3000, 0x2000, 0x1000, true)]
    [InlineData(0x1000, 0, 0x1000, 0x1000, false)]
    [InlineData(0x1000, 0x1000, 0x1800, 0, false)]
    [InlineData(0xffff_ffff_ffff_f000, 0x1000, 0xffff_ffff_ffff_f000, 0x1000, true)]
    [InlineData(0xffff_ffff_ffff_f000, 0x1000, 0xffff_ffff_ffff_fff8, 8, true)]
    [InlineData(0xffff_ffff_ffff_f000, 0x1000, 0, 0x1000, false)]
    public void Ranges_overlap_where_they_share_a_byte(
        ulong start, ulong length, ulong otherStart, ulong otherLength, bool overlap)
    {
        GuestRange one = new(start, length);
        GuestRange other = new(otherStart, otherLength);

        Assert.Equal(overlap, one.Overlaps(other));
        Assert.Equal(overlap, other.Overlaps(one));
    }

    [Fact]
    public void Overlap_agrees_with_a_count_of_bytes_anywhere_up_to_the_top_of_the_address_space() =>
        Gen.Select(
            Gen.UInt[0, 40], Gen.UInt[0, 40], Gen.UInt[0, 40], Gen.UInt[0, 40],
            Gen.OneOf(Gen.Const(0UL), Gen.Const(ulong.MaxValue - 79))).Sample(
            (start, length, otherStart, otherLength, origin) =>
            {
                IEnumerable<int> bytes = Enumerable.Range((int)start, (int)length);
                bool shared = bytes.Intersect(Enumerable.Range((int)otherStart, (int)otherLength)).Any();
                Assert.Equal(
                    shared, new GuestRange(origin + start, length).Overlaps(new(origin + otherStart, otherLength)));
            },
            iter: 2000, threads: 1);

    [Fact]
    public void A_range_is_written_with_its_last_byte() =>
        Assert.Equal("0xfffffffffffff000-0xffffffffffffffff", new GuestRange(0xffff_ffff_ffff_f000, 0x1000).ToString());
}
