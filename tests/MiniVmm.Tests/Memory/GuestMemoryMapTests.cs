using CsCheck;
using MiniVmm.Memory;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Memory;

public sealed class GuestMemoryMapTests
{
    private const ulong MiB = MemoryLayout.MiB;
    private const ulong GiB = MemoryLayout.GiB;

    [Theory]
    [InlineData(2 * MiB)]
    [InlineData(3 * GiB)]
    public void Up_to_3_GiB_all_ram_is_one_slot_from_0(ulong size)
    {
        GuestMemoryMap map = new(size);

        Assert.Equal([new(0, size)], map.Ram);
        Assert.Equal(size, map.LowRamEnd);
        Assert.Equal(size, map.Size);
    }

    [Fact]
    public void Beyond_3_GiB_ram_goes_on_at_4_GiB()
    {
        GuestMemoryMap map = new(5 * GiB);

        Assert.Equal([new(0, 3 * GiB), new(4 * GiB, 2 * GiB)], map.Ram);
        Assert.Equal(3 * GiB, map.LowRamEnd);
        Assert.Equal(new E820Entry(new(4 * GiB, 2 * GiB), E820Type.Ram), map.E820[^1]);
    }

    [Fact]
    public void One_page_more_than_3_GiB_is_a_slot_of_its_own() =>
        Assert.Equal(new GuestRange(4 * GiB, 4096), new GuestMemoryMap(3 * GiB + 4096).Ram[1]);

    [Fact]
    public void The_first_megabyte_is_a_pcs()
    {
        Assert.Equal(
            [
                new(new(0, 0x9fc00), E820Type.Ram),
                new(new(0x9fc00, 0x400), E820Type.Reserved),
                new(new(0xe0000, 0x20000), E820Type.Reserved),
                new(new(0x100000, MiB), E820Type.Ram),
            ],
            new GuestMemoryMap(2 * MiB).E820);
    }

    [Fact]
    public void For_any_size_e820_ascends_without_overlap_and_its_ram_is_what_the_slots_hold_beyond_the_legacy_area() =>
        Gen.ULong[512, 1UL << 34].Select(pages => pages * 4096).Sample(
            size =>
            {
                GuestMemoryMap map = new(size);

                Assert.Equal(size, Sum(map.Ram));
                GuestRange hole = new(MemoryLayout.HoleStart, MemoryLayout.HighRam - MemoryLayout.HoleStart);
                Assert.DoesNotContain(map.Ram, range => range.Overlaps(hole));
                for (int i = 1; i < map.E820.Count; i++)
                    Assert.True(map.E820[i - 1].Range.End <= map.E820[i].Range.Start);
                Assert.All(map.E820, entry => Assert.NotEqual(0UL, entry.Range.Length));
                GuestRange[] usable =
                    [.. map.E820.Where(entry => entry.Type == E820Type.Ram).Select(entry => entry.Range)];
                Assert.All(usable, range => Assert.Contains(map.Ram, slot => slot.Contains(range.Start, range.Length)));
                Assert.Equal(size - (MemoryLayout.HighMemory - MemoryLayout.BaseMemoryEnd), Sum(usable));
            },
            iter: 500, threads: 1);

    [Fact]
    public void What_is_reserved_is_no_ram_and_grows_onto_what_was_reserved_before()
    {
        GuestMemoryMap whole = new(2 * MiB);
        GuestMemoryMap map = whole.WithReserved(new(0x9f800, 0x400)).WithReserved(new(0x1f0000, 0x1000));

        Assert.Equal(
            [
                new(new(0, 0x9f800), E820Type.Ram),
                new(new(0x9f800, 0x800), E820Type.Reserved),
                new(new(0xe0000, 0x20000), E820Type.Reserved),
                new(new(0x100000, 0xf0000), E820Type.Ram),
                new(new(0x1f0000, 0x1000), E820Type.Reserved),
                new(new(0x1f1000, 0xf000), E820Type.Ram),
            ],
            map.E820);
        Assert.Equal((0x9f800UL, 0x1f0000UL), (map.BaseMemoryEnd, map.ExtendedMemoryEnd));
        Assert.Equal((whole.Size, whole.LowRamEnd), (map.Size, map.LowRamEnd));
        Assert.True(map.HasRam(new(0x1f0000, 0x1000)));
        Assert.Throws<ArgumentException>(() => map.WithReserved(new(0x1f0fff, 2)));
    }

    [Theory]
    [InlineData(0, "at least 2 MiB")]
    [InlineData(2 * MiB - 4096, "at least 2 MiB")]
    [InlineData(2 * MiB + 1, "not a whole number of 4 KiB pages")]
    [InlineData(ulong.MaxValue, "not a whole number of 4 KiB pages")]
    [InlineData(ulong.MaxValue - 4095, "more than an x86 processor can address")]
    [InlineData(1UL << 62, "more than an x86 processor can address")]
    public void A_size_that_no_guest_can_have_is_refused(ulong size, string why)
    {
        string message = Assert.Throws<BadInputException>(() => new GuestMemoryMap(size)).OnCommandLine();

        Assert.StartsWith("--mem ", message, StringComparison.Ordinal);
        Assert.Contains(why, message, StringComparison.Ordinal);
    }

    private static ulong Sum(IEnumerable<GuestRange> ranges) =>
        ranges.Aggregate(0UL, (sum, range) => sum + range.Length);
}
