using MiniVmm.Memory;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Memory;

public sealed class PluggableRegionTests
{
    private const ulong MiB = MemoryLayout.MiB;
    private const ulong GiB = MemoryLayout.GiB;

    [Theory]
    [InlineData(null)]
    [InlineData(256 * MiB)]
    public void Without_more_than_there_is_at_the_start_there_is_no_region(ulong? max)
    {
        GuestMemoryMap map = GuestMemoryMap.Of(new(256 * MiB, Max: max));

        Assert.Null(map.Pluggable);
        Assert.Equal(256 * MiB, map.End);
    }

    [Theory]
    [InlineData(256, 2048, 4096, 1792, 2)]
    [InlineData(100, 200, 4096, 128, 2)] // Linux adds whole blocks of 128 MiB, of which it may plug a part
    [InlineData(3 * 1024, 4 * 1024, 4096, 1024, 2)]
    [InlineData(5 * 1024, 6 * 1024, 8 * 1024, 1024, 2)] // RAM ends where a block of 2 GiB begins: apart from it
    [InlineData(4 * 1024, 5 * 1024, 6 * 1024, 1024, 2)]
    [InlineData(1024, 65 * 1024, 4096, 64 * 1024, 4)]
    public void It_begins_above_all_ram_aligned_for_Linux(int size, int max, int start, int length, int block)
    {
        GuestMemoryMap map = GuestMemoryMap.Of(new((ulong)size * MiB, Max: (ulong)max * MiB));

        PluggableRegion region = Assert.IsType<PluggableRegion>(map.Pluggable);
        Assert.Equal(((ulong)start * MiB, (ulong)length * MiB), (region.Range.Start, region.Range.Length));
        Assert.Equal((ulong)block * MiB, region.BlockSize);
        Assert.Equal((ulong)(max - size) * MiB, region.MostBytes);
        Assert.Equal(region.Range.End, map.End);
        Assert.DoesNotContain(map.E820, entry => entry.Range.Overlaps(region.Range));
        Assert.Equal(region, map.WithReserved(new(MiB, 4096)).Pluggable);
    }

    [Fact]
    public void However_large_it_is_blocks_and_slots_are_of_a_number_that_can_be_kept()
    {
        for (ulong max = 2 * GiB; max <= 64 * 1024 * GiB; max *= 2)
        {
            PluggableRegion region = GuestMemoryMap.Of(new(GiB, Max: max)).Pluggable!;

            Assert.InRange(region.Blocks, 1, 16 * 1024);
            Assert.Equal(0ul, region.Range.Length % region.SlotSize);
            Assert.InRange(region.Range.Length / region.SlotSize, 1ul, 256ul);
            Assert.Equal(0ul, region.Range.Start % region.BlockSize);
            Assert.Equal(0ul, region.SlotSize % region.BlockSize);
        }
    }

    [Theory]
    [InlineData(256 * MiB, 255 * MiB, "--mem 256 MiB,max=255 MiB: max is the most that the guest ever has")]
    [InlineData(256 * MiB, 257 * MiB, "memory comes in blocks of 2 MiB")]
    [InlineData(256 * MiB, ulong.MaxValue, "more than an x86 processor can address")]
    public void What_can_be_no_most_is_refused(ulong size, ulong max, string problem) => Assert.Contains(
        problem,
        Assert.Throws<BadInputException>(() => GuestMemoryMap.Of(new(size, Max: max))).OnCommandLine(),
        StringComparison.Ordinal);

    [Fact]
    public void What_does_not_make_a_block_cannot_come() =>
        Assert.Equal(4 * MiB, GuestMemoryMap.Of(new(256 * MiB, Max: 261 * MiB)).Pluggable!.MostBytes);
}
