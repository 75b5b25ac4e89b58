using System.Buffers.Binary;
using MiniVmm.Host;
using MiniVmm.Storage;
using MiniVmm.Tests.Storage;
using MiniVmm.Virtio.Block;
using static MiniVmm.Tests.Virtio.Block.BlockFixture;

namespace MiniVmm.Tests.Virtio.Block;

public sealed class VirtioBlockTests
{
    private const int DiskLength = 1 << 20;
    private const ulong DiskSectors = DiskLength / 512;

    [Fact]
    public void What_was_written_is_read_back()
    {
        MemoryImage image = Image();
        using BlockFixture disk = new(image);
        byte[] data = Pattern(4096);

        Assert.Equal(Ok, disk.Do(Out, 8, data));

        Assert.Equal(data, disk.Read(8, 4096));
        Assert.Equal(data, image.Bytes[4096..8192]);
        Assert.Equal(1, disk.Interrupt.Used(0)); // the driver asked for the first one only
    }

    [Fact]
    public void Requests_and_bytes_are_counted_by_kind()
    {
        using BlockFixture disk = new(Image());
        disk.Do(Out, 8, Pattern(4096));
        disk.Read(8, 512);
        Assert.Equal(IoError, disk.Do(In, DiskSectors, room: 512));

        IReadOnlyDictionary<string, long> counters = disk.Device.ReadCounters();

        Assert.Equal((1L, 4096L), (counters["writes"], counters["writtenBytes"]));
        Assert.Equal((1L, 512L), (counters["reads"], counters["readBytes"]));
        Assert.Equal(1, counters["failures"]);
    }

    [Fact]
    public void A_write_reports_the_status_byte_as_all_that_was_written()
    {
        using BlockFixture disk = new(Image());
        disk.Add(Out, 0, Pattern(512));

        Assert.Equal([1u], disk.Run());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(17)]
    [InlineData(511)]
    [InlineData(513)]
    public void Boundaries_between_descriptors_mean_nothing(int size)
    {
        MemoryImage image = Image();
        using BlockFixture disk = new(image);
        byte[] data = Pattern(1024);
        Cut(disk, [.. Header(Out, 2), .. data], 1, size, out ulong written);
        Cut(disk, Header(In, 2), 1025, size, out ulong read);

        disk.Run();

        Assert.Equal(data, image.Bytes[1024..2048]);
        Assert.Equal(Ok, disk.Memory.Read<byte>(written));
        Assert.Equal(data, disk.Memory.Bytes(read, 1024));
        Assert.Equal(Ok, disk.Memory.Read<byte>(read + 1024));
    }

    [Theory]
    [InlineData(In, DiskSectors, 512)]
    [InlineData(In, DiskSectors - 1, 1024)]
    [InlineData(In, ulong.MaxValue, 512)]
    [InlineData(In, ulong.MaxValue / 512, 1024)]
    [InlineData(In, 0, 511)]
    [InlineData(In, 0, 513)]
    [InlineData(Out, DiskSectors, 512)]
    [InlineData(Out, DiskSectors - 1, 1024)]
    [InlineData(Out, 1UL << 55, 512)]
    [InlineData(Out, (1UL << 55) - 1, 1024)]
    [InlineData(Out, 0, 100)]
    public void A_range_outside_of_the_disk_or_of_no_whole_sectors_is_an_error(uint type, ulong sector, int length)
    {
        MemoryImage image = Image();
        using BlockFixture disk = new(image);

        byte status = type == In ? disk.Do(In, sector, room: length) : disk.Do(Out, sector, Pattern(length));

        Assert.Equal(IoError, status);
        Assert.Equal(-1, image.Bytes.AsSpan().IndexOfAnyExcept((byte)0));
        Assert.Empty(disk.Warnings); // the guest's fault
        Assert.Equal(0, image.MostBusy);
    }

    [Fact]
    public void The_last_sector_is_on_the_disk()
    {
        using BlockFixture disk = new(Image());

        Assert.Equal(Ok, disk.Do(Out, DiskSectors - 1, Pattern(512)));
        Assert.Equal(Pattern(512), disk.Read(DiskSectors - 1, 512));
    }

    [Fact]
    public void A_request_of_no_bytes_at_all_is_done()
    {
        using BlockFixture disk = new(Image());

        Assert.Equal(Ok, disk.Do(In, 0));
        Assert.Equal(Ok, disk.Do(Out, DiskSectors));
    }

    [Theory]
    [InlineData(2u)]
    [InlineData(3u)]
    [InlineData(14u)]
    [InlineData(0x80000000u)]
    [InlineData(uint.MaxValue)]
    public void A_type_that_nobody_knows_is_unsupported(uint type)
    {
        using BlockFixture disk = new(Image());

        Assert.Equal(Unsupported, disk.Do(type, 0, room: 512));
    }

    [Fact]
    public void A_header_that_is_too_short_is_an_error_and_a_request_without_a_status_comes_back()
    {
        using BlockFixture disk = new(Image());
        ulong header = disk.Memory.Place(Header(In, 0));
        ulong status = disk.Memory.Place(Untouched);
        disk.Drivers[0].Add(TestBuffer.Readable(header, 15), TestBuffer.Writable(status, 1));
        disk.Drivers[0].Add(TestBuffer.Writable(status + 1, 1));
        disk.Drivers[0].Add(TestBuffer.Readable(header, 16));

        Assert.Equal([1u, 1u, 0u], disk.Run());
        Assert.Equal(IoError, disk.Memory.Read<byte>(status));
        Assert.Equal(IoError, disk.Memory.Read<byte>(status + 1));
        Assert.Equal(Ok, disk.Do(In, 0, room: 512));
    }

    [Fact]
    public void A_broken_ring_asks_for_a_reset()
    {
        using BlockFixture disk = new(Image());
        disk.Drivers[0].MakeAvailable(9999);

        disk.Kick();

        Assert.True(disk.Interrupt.Resets > 0);
    }

    [Theory]
    [InlineData("", 20)]
    [InlineData("abc", 20)]
    [InlineData("12345678901234567890", 20)]
    [InlineData("12345678901234567890", 5)]
    [InlineData("abc", 40)]
    public void The_serial_number_is_given_with_zeroes_behind_it(string serial, int room)
    {
        DiskOptions options = new() { File = "x", Serial = serial };
        using BlockFixture disk = new(Image(), options);
        (ulong data, ulong status) = disk.Add(GetId, 0, room: room);
        disk.Memory.Bytes(data, room).Fill(Untouched);

        disk.Run();

        Assert.Equal(Ok, disk.Memory.Read<byte>(status));
        byte[] whole = [.. System.Text.Encoding.ASCII.GetBytes(serial), .. new byte[40]];
        Assert.Equal(whole.AsSpan(0, room), disk.Memory.Bytes(data, room));
    }

    [Fact]
    public void A_flush_reaches_the_image_after_the_writes_before_it()
    {
        MemoryImage image = Image();
        using BlockFixture disk = new(image);

        Assert.Equal(Ok, disk.Do(Out, 0, Pattern(512)));
        Assert.Equal(0, image.Flushes);
        Assert.Equal(Ok, disk.Do(Flush, 0));

        Assert.Equal(1, image.Flushes);
    }

    [Fact]
    public void Without_a_write_cache_every_write_is_flushed()
    {
        MemoryImage image = Image();
        using BlockFixture disk = new(image);
        disk.Device.WriteConfiguration(32, [0]);
        byte[] mode = new byte[1];
        disk.Device.ReadConfiguration(32, mode);

        Assert.Equal(Ok, disk.Do(Out, 0, Pattern(512)));
        Assert.Equal(Ok, disk.Do(In, 0, room: 512));

        Assert.Equal([0], mode);
        Assert.Equal(1, image.Flushes);
        disk.Device.WriteConfiguration(32, [1]);
        Assert.Equal(Ok, disk.Do(Out, 0, Pattern(512)));
        Assert.Equal(1, image.Flushes);
    }

    [Fact]
    public void A_driver_that_knows_no_flush_gets_its_writes_flushed()
    {
        MemoryImage image = Image();
        using BlockFixture disk = new(image, features: 0);

        Assert.Equal(Ok, disk.Do(Out, 0, Pattern(512)));

        Assert.Equal(1, image.Flushes);
    }

    [Fact]
    public void A_driver_that_sets_the_cache_but_knows_no_flush_starts_without_a_write_cache()
    {
        MemoryImage image = Image();
        using BlockFixture disk = new(image, features: (ulong)BlockFeatures.ConfigWce);
        byte[] mode = new byte[1];
        disk.Device.ReadConfiguration(32, mode);

        Assert.Equal(Ok, disk.Do(Out, 0, Pattern(512)));

        Assert.Equal([0], mode);
        Assert.Equal(1, image.Flushes);
    }

    [Theory]
    [InlineData(DiskCache.WriteBack)]
    [InlineData(DiskCache.None)]
    public void An_image_that_throws_gives_an_error_here_or_on_a_worker_and_holds_up_no_reset(DiskCache cache)
    {
        MemoryImage image = Image();
        using BlockFixture disk = new(image, new DiskOptions { File = "test.img", Cache = cache });
        image.Called = () => throw new InvalidOperationException("no such day");

        Assert.Equal(IoError, disk.Do(In, 0, room: 512));
        Assert.Equal(IoError, disk.Do(In, 0, room: 512));
        disk.Device.Reset();

        string line = Assert.Single(disk.Warnings);
        Assert.Equal("--disk test.img: a read at byte 0 failed: no such day; the guest gets an I/O error", line);
    }

    [Fact]
    public void Discards_and_zeroes_come_in_segments()
    {
        MemoryImage image = Image();
        using BlockFixture disk = new(image);
        image.Bytes.AsSpan().Fill(7);

        Assert.Equal(Ok, disk.Do(Discard, 0, [.. Segment(8, 8), .. Segment(32, 16)]));
        Assert.Equal(Ok, disk.Do(WriteZeroes, 0, [.. Segment(1, 1), .. Segment(4, 2, flags: 1), .. Segment(0, 0)]));

        Assert.Equal(
            [
                ("discard", 4096UL, 4096UL, false), ("discard", 16384UL, 8192UL, false),
                ("zeroes", 512UL, 512UL, false), ("zeroes", 2048UL, 1024UL, true),
            ],
            image.Ranges);
        Assert.Equal(0, image.Bytes[512]);
        Assert.Equal(7, image.Bytes[0]);
    }

    [Theory]
    [InlineData(Discard, DiskSectors, 1u, 0u, IoError)]
    [InlineData(Discard, ulong.MaxValue, 2u, 0u, IoError)]
    [InlineData(Discard, 0, uint.MaxValue, 0u, IoError)]
    [InlineData(Discard, 0, 1u, 1u, Unsupported)]
    [InlineData(Discard, 0, 1u, 0x80000000u, Unsupported)]
    [InlineData(WriteZeroes, DiskSectors - 1, 2u, 1u, IoError)]
    [InlineData(WriteZeroes, 0, 1u, 2u, Unsupported)]
    public void A_bad_segment_spoils_the_whole_request(uint type, ulong sector, uint sectors, uint flags, byte expected)
    {
        MemoryImage image = Image();
        using BlockFixture disk = new(image);

        Assert.Equal(expected, disk.Do(type, 0, [.. Segment(0, 1), .. Segment(sector, sectors, flags)]));
        Assert.Empty(image.Ranges);
    }

    [Fact]
    public void Segments_that_are_cut_off_or_too_many_are_errors()
    {
        using BlockFixture disk = new(Image());

        Assert.Equal(IoError, disk.Do(Discard, 0));
        Assert.Equal(IoError, disk.Do(Discard, 0, new byte[17]));
        Assert.Equal(Ok, disk.Do(Discard, 0, new byte[16 * 16]));
        Assert.Equal(IoError, disk.Do(Discard, 0, new byte[17 * 16]));
    }

    [Fact]
    public void A_read_only_disk_says_so_and_refuses_what_would_change_it()
    {
        MemoryImage image = new(DiskLength) { IsReadOnly = true };
        using BlockFixture disk = new(image, features: ulong.MaxValue);

        Assert.Equal(IoError, disk.Do(Out, 0, Pattern(512)));
        Assert.Equal(IoError, disk.Do(Discard, 0, Segment(0, 1)));
        Assert.Equal(IoError, disk.Do(WriteZeroes, 0, Segment(0, 1)));
        Assert.Equal(Ok, disk.Do(In, 0, room: 512));
        Assert.Equal(Ok, disk.Do(Flush, 0));

        var features = (BlockFeatures)disk.Device.Features;
        Assert.True(features.HasFlag(BlockFeatures.ReadOnly));
        Assert.Equal(BlockFeatures.None, features & (BlockFeatures.Discard | BlockFeatures.WriteZeroes));
        Assert.Equal(-1, image.Bytes.AsSpan().IndexOfAnyExcept((byte)0));
        Assert.Empty(image.Ranges);
    }

    [Fact]
    public void A_host_that_cannot_discard_is_not_asked_to()
    {
        MemoryImage image = new(DiskLength) { DiscardGranularity = 0 };
        using BlockFixture disk = new(image);

        Assert.False(((BlockFeatures)disk.Device.Features).HasFlag(BlockFeatures.Discard));
        Assert.Equal(Unsupported, disk.Do(Discard, 0, Segment(0, 1)));
    }

    [Fact]
    public void The_configuration_tells_size_queues_and_limits()
    {
        using BlockFixture disk = new(Image(), queues: 3);
        byte[] bytes = new byte[80];
        disk.Device.ReadConfiguration(0, bytes);

        Assert.Equal(2u, disk.Device.DeviceType);
        Assert.Equal(new ushort[] { 256, 256, 256 }, disk.Device.QueueSizes);
        Assert.Equal(DiskSectors, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        Assert.Equal(254, BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(12)));
        Assert.Equal(512, BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(20)));
        Assert.Equal(1, bytes[32]);
        Assert.Equal(3, BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(34)));
        Assert.Equal(16, BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(40)));
        Assert.Equal(8, BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(44)));
        Assert.Equal(1, bytes[56]);
        Assert.Equal(new byte[20], bytes[60..]);
        disk.Device.ReadConfiguration(uint.MaxValue, bytes);
        Assert.Equal(new byte[80], bytes);
    }

    [Theory]
    [InlineData(Errno.EIO, "input/output error")]
    [InlineData(Errno.ENOSPC, "no space left")]
    public void A_failing_host_is_an_error_for_the_guest_and_one_line_for_the_user(int errno, string text)
    {
        MemoryImage image = Image();
        using BlockFixture disk = new(image);
        image.Errno = errno;

        for (int i = 0; i < 5; i++)
            Assert.Equal(IoError, disk.Do(Out, 4, Pattern(512)));
        Assert.Equal(IoError, disk.Do(Flush, 0));
        image.Errno = 0;

        Assert.Equal(2, disk.Warnings.Count); // the write, the flush
        Assert.StartsWith("--disk test.img: a write at byte 2048 failed: " + text, disk.Warnings[0]);
        Assert.Equal(Ok, disk.Do(Out, 4, Pattern(512)));
    }

    [Fact]
    public void A_read_that_failed_leaves_no_old_bytes_behind_and_still_ends_in_its_status()
    {
        MemoryImage image = Image();
        using BlockFixture disk = new(image);
        image.Errno = Errno.EIO;
        (ulong data, ulong status) = disk.Add(In, 0, room: 1024);
        disk.Memory.Bytes(data, 1024).Fill(Untouched);

        Assert.Equal([1025u], disk.Run());

        Assert.Equal(IoError, disk.Memory.Read<byte>(status));
        Assert.Equal(new byte[1024], disk.Memory.Bytes(data, 1024));
        image.Errno = 0;
    }

    [Fact]
    public void Disposing_flushes_and_closes()
    {
        MemoryImage image = Image();
        BlockFixture disk = new(image);
        disk.Do(Out, 0, Pattern(512));

        disk.Dispose();

        Assert.Equal(1, image.Flushes);
        Assert.True(image.IsDisposed);
    }

    internal static byte[] Pattern(int length) =>
        [.. Enumerable.Range(0, length).Select(i => (byte)((i * 7) + (i >> 8)))];

    private static MemoryImage Image() => new(DiskLength);

    /// <summary>A request whose bytes are cut into descriptors of one size.</summary>
    private static void Cut(BlockFixture disk, byte[] readable, int writable, int size, out ulong room)
    {
        ulong from = disk.Memory.Place(readable);
        room = disk.Memory.Allocate(writable);
        ulong to = room;
        disk.Drivers[0].AddIndirect(
        [
            .. Pieces(readable.Length, size).Select(p => TestBuffer.Readable(from + (ulong)p.At, p.Length)),
            .. Pieces(writable, size).Select(p => TestBuffer.Writable(to + (ulong)p.At, p.Length)),
        ]);
    }

    private static IEnumerable<(int At, int Length)> Pieces(int length, int size)
    {
        // At most 1024 descriptors are in a table: the size grows from one byte on where it has to.
        for (int at = 0; at < length;)
        {
            int piece = Math.Min(at < 64 ? size : Math.Max(size, 3), length - at);
            yield return (at, piece);
            at += piece;
        }
    }
}
