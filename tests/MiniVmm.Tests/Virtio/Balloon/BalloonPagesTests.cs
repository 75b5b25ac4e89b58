using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Memory;
using MiniVmm.Virtio.Balloon;

namespace MiniVmm.Tests.Virtio.Balloon;

/// <summary>RAM of two slots, 256 KiB from 0 and 128 KiB from 1 MiB, which nothing here writes.</summary>
public sealed unsafe class BalloonPagesTests : IDisposable
{
    private const int Page = 4096;
    private const int Huge = 16 * Page;
    private const uint High = 256; // first page of the second slot
    private readonly byte* _ram = (byte*)NativeMemory.AlignedAlloc(24 * Huge, Huge);
    private readonly GuestMemory _memory;

    public BalloonPagesTests() => _memory = new GuestMemory(
    [
        new RamSlot(new(0, 4 * Huge), (nint)_ram),
        new RamSlot(new(High * Page, 2 * Huge), (nint)(_ram + (8 * Huge))),
    ]);

    public void Dispose() => NativeMemory.AlignedFree(_ram);

    [Theory]
    [InlineData(new uint[] { 5 }, new[] { 5, 1 })]
    [InlineData(new uint[] { 5, 6, 7 }, new[] { 5, 3 })]
    [InlineData(new uint[] { 7, 6, 5 }, new[] { 5, 3 })]
    [InlineData(new uint[] { 6, 7, 5, 8 }, new[] { 5, 4 })]
    [InlineData(new uint[] { 1, 3, 2 }, new[] { 1, 1, 2, 2 })]
    [InlineData(new uint[] { 4, 4 }, new[] { 4, 1, 4, 1 })]
    [InlineData(new uint[] { 63, 64, 255, High, High + 1 }, new[] { 63, 1, 128, 2 })]
    [InlineData(new uint[] { High + 31, High + 32, uint.MaxValue, 0 }, new[] { 159, 1, 0, 1 })]
    [InlineData(new uint[] { 64, 0x100000, uint.MaxValue }, new int[0])]
    public void Neighbours_go_in_one_piece_and_numbers_of_no_ram_nowhere(uint[] numbers, int[] expected)
    {
        RecordingRelease host = new();
        BalloonPages pages = new(_memory, host);

        foreach (uint number in numbers)
            pages.Inflate(number);
        pages.Flush();
        pages.Flush();

        int[] actual = [.. host.Ranges.SelectMany(range => new[] { PageOf(range.Address), (int)range.Length / Page })];
        Assert.Equal(expected, actual);
        Assert.Equal((ulong)host.Ranges.Sum(range => (long)range.Length), pages.Released);
    }

    [Fact]
    public void Huge_pages_go_only_when_all_of_each_is_in_the_balloon()
    {
        RecordingRelease host = new(Huge);
        BalloonPages pages = new(_memory, host);
        Inflate(pages, 16, 15);
        Inflate(pages, High + 17, 15);
        Assert.Empty(host.Ranges);

        Inflate(pages, 31, 1);
        Inflate(pages, High + 16, 1);

        Assert.Equal([16, 128 + 16], host.Ranges.Select(range => PageOf(range.Address)));
        Assert.All(host.Ranges, range => Assert.Equal((ulong)Huge, range.Length));
        Assert.True(pages.Gathers);
    }

    [Fact]
    public void A_page_that_was_taken_back_is_missing_from_its_huge_page()
    {
        RecordingRelease host = new(Huge);
        BalloonPages pages = new(_memory, host);
        Inflate(pages, 0, 15);
        pages.Deflate(7);
        Inflate(pages, 15, 1);
        Assert.Empty(host.Ranges);

        Inflate(pages, 7, 1);

        Assert.Single(host.Ranges);
    }

    [Fact]
    public void After_a_reset_of_the_driver_gathering_begins_anew()
    {
        RecordingRelease host = new(Huge);
        BalloonPages pages = new(_memory, host);
        Inflate(pages, 0, 15);

        pages.Forget();
        Inflate(pages, 15, 1);

        Assert.Empty(host.Ranges);
    }

    [Theory]
    [InlineData(Page, 0, Page, 0, Page)]
    [InlineData(Page, 1, 2 * Page, Page, Page)]
    [InlineData(Page, Page, (2 * Page) - 1, Page, Page)]
    [InlineData(Page, 1, (2 * Page) - 2, 0, 0)]
    [InlineData(Page, 100, 200, 0, 0)]
    [InlineData(Huge, 0, 2 * Huge, 0, 2 * Huge)]
    [InlineData(Huge, Page, 2 * Huge, Huge, Huge)]
    [InlineData(Huge, 0, Huge - Page, 0, 0)]
    public void Of_a_report_whole_pages_go(int unit, int start, int length, int releasedStart, int releasedLength)
    {
        RecordingRelease host = new((ulong)unit);
        BalloonPages pages = new(_memory, host);

        pages.Report(new IoVector(_ram + start, (ulong)length));

        if (releasedLength == 0)
            Assert.Empty(host.Ranges);
        else
            Assert.Equal(((nint)(_ram + releasedStart), (ulong)releasedLength), Assert.Single(host.Ranges));
    }

    [Fact]
    public void What_the_host_refuses_is_not_counted_but_told()
    {
        RecordingRelease host = new() { Error = 95 };
        BalloonPages pages = new(_memory, host);

        Inflate(pages, 1, 3);

        Assert.Equal(0ul, pages.Released);
        Assert.Equal(95, pages.Error);
    }

    private static void Inflate(BalloonPages pages, uint first, int count)
    {
        for (uint i = 0; i < count; i++)
            pages.Inflate(first + i);
        pages.Flush();
    }

    private int PageOf(nint address) => (int)((byte*)address - _ram) / Page;
}
