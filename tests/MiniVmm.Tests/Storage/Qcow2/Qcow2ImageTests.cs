using MiniVmm.Host;
using MiniVmm.Storage;
using MiniVmm.Storage.Qcow2;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>Images that qemu-img made, changed here, and judged by qemu-img.</summary>
public sealed class Qcow2ImageTests : IDisposable
{
    private const int Size = (3 << 20) + (5 * 512);

    private readonly QemuImg _qemu = new();

    [Theory]
    [InlineData("compat=0.10")]
    [InlineData("compat=0.10,cluster_size=512")]
    [InlineData("compat=1.1")]
    [InlineData("cluster_size=512,refcount_bits=64")]
    [InlineData("cluster_size=4k,refcount_bits=1")]
    [InlineData("cluster_size=2M,refcount_bits=2")]
    [InlineData("cluster_size=1k,refcount_bits=8,lazy_refcounts=on")]
    [InlineData("preallocation=metadata,refcount_bits=32")]
    [InlineData("preallocation=falloc,cluster_size=8k,refcount_bits=4")]
    public void Random_operations_leave_a_clean_image_with_the_right_contents(string options)
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "-o", options, "disk", $"{Size}");
        Exercise(new byte[Size], steps: 150, seed: options.Length);
    }

    [Theory]
    [InlineData("cluster_size=512")]
    [InlineData("cluster_size=64k")]
    public void Direct_IO_is_no_different(string options)
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "-o", options, "disk", $"{Size}");
        Exercise(new byte[Size], steps: 30, seed: options.Length, DiskCache.None);
    }

    [Theory]
    [InlineData("compat=0.10", "raw", Size)]
    [InlineData("cluster_size=4k", "raw", Size / 2 / 512 * 512)]
    [InlineData("compat=1.1", "qcow2", Size + (1 << 20))]
    [InlineData("compat=0.10,cluster_size=2k", "qcow2", 1 << 20)]
    [InlineData("compat=1.1", "raw", (1 << 20) + 100)]
    public void An_overlay_shows_its_backing_file_where_it_was_not_written(string options, string format, int length)
    {
        byte[] below = RandomBytes(length, seed: 9);
        File.WriteAllBytes(_qemu.PathOf("below.raw"), below);
        if (format == "raw")
            File.Move(_qemu.PathOf("below.raw"), _qemu.PathOf("below"));
        else
            _qemu.Run("convert", "-f", "raw", "-O", "qcow2", "below.raw", "below");
        byte[] before = File.ReadAllBytes(_qemu.PathOf("below"));
        _qemu.Run("create", "-q", "-f", "qcow2", "-o", options, "-b", "below", "-F", format, "disk", $"{Size}");
        byte[] expected = new byte[Size];
        below.AsSpan(0, Math.Min(length, Size)).CopyTo(expected);
        Exercise(expected, steps: 100, seed: length);
        Assert.Equal(before, File.ReadAllBytes(_qemu.PathOf("below")));
    }

    [Theory]
    [InlineData("compat=0.10")]
    [InlineData("cluster_size=512")]
    [InlineData("cluster_size=2M")]
    [InlineData("compression_type=zstd")]
    [InlineData("compression_type=zstd,cluster_size=4k,refcount_bits=8")]
    public void Compressed_clusters_are_read_and_replaced(string options)
    {
        byte[] contents = RandomBytes(Size, seed: 5);
        for (int at = 0; at < Size; at += 3)
            contents[at] = 7;
        contents.AsSpan(1 << 20, 1 << 20).Fill(0x42);
        File.WriteAllBytes(_qemu.PathOf("plain"), contents);
        _qemu.Run("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, "plain", "disk");
        Exercise(contents, steps: 80, seed: 3);
    }

    [Theory]
    [InlineData("compat=0.10")]
    [InlineData("cluster_size=4k,refcount_bits=8")]
    public void A_snapshot_keeps_what_it_had(string options)
    {
        byte[] contents = RandomBytes(Size, seed: 6);
        File.WriteAllBytes(_qemu.PathOf("plain"), contents);
        _qemu.Run("convert", "-f", "raw", "-O", "qcow2", "-o", options, "plain", "disk");
        _qemu.Run("snapshot", "-c", "before", "disk");
        Exercise([.. contents], steps: 80, seed: 4);
        _qemu.Run("snapshot", "-a", "before", "disk");
        _qemu.Compare("disk", contents);
        _qemu.Run("snapshot", "-d", "before", "disk");
        _qemu.Check("disk");
    }

    [Fact]
    public void The_refcount_table_grows_when_the_file_does()
    {
        // One cluster of table counts 64 × 64 clusters of 512 bytes: 2 MiB.
        _qemu.Run("create", "-q", "-f", "qcow2", "-o", "cluster_size=512,refcount_bits=64", "disk", "12M");
        byte[] contents = RandomBytes(12 << 20, seed: 8);
        using (Qcow2Image image = Open())
        {
            for (int at = 0; at < contents.Length; at += 1 << 20)
                Assert.Equal(0, ModelDisk.Write(image, (ulong)at, contents[at..(at + (1 << 20))]));
        }

        _qemu.Check("disk");
        _qemu.Compare("disk", contents);
    }

    [Fact]
    public void A_long_write_takes_clusters_in_a_row()
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "disk", "64M");
        using (Qcow2Image image = Open())
            Assert.Equal(0, ModelDisk.Write(image, 0, RandomBytes(32 << 20, seed: 1)));
        string map = _qemu.Run("map", "--output=json", "disk");
        Assert.Equal(1, map.Split("\"data\": true").Length - 1);
    }

    [Fact]
    public void Writing_from_several_threads_at_once_is_the_same_as_one_after_the_other()
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "-o", "cluster_size=8k", "disk", "8M");
        byte[] contents = RandomBytes(8 << 20, seed: 2);
        using (Qcow2Image image = Open())
        {
            // Each thread has every fourth sector, so that all of them meet in every cluster.
            var threads = new List<Thread>();
            int failed = 0;
            for (int i = 0; i < 4; i++)
            {
                int mine = i;
                threads.Add(new Thread(() =>
                {
                    for (int at = mine * 512; at < contents.Length; at += 4 * 512)
                    {
                        int errno = ModelDisk.Write(image, (ulong)at, contents[at..(at + 512)]);
                        if (errno == 0 && at % 1023 == 0)
                            errno = image.Flush();
                        Interlocked.CompareExchange(ref failed, errno, 0);
                    }
                }));
            }

            threads.ForEach(thread => thread.Start());
            threads.ForEach(thread => thread.Join());
            Assert.Equal(0, failed);
            new ModelDisk(image, contents).Verify();
        }

        _qemu.Check("disk");
        _qemu.Compare("disk", contents);
    }

    [Fact]
    public void Discarding_everything_gives_the_room_back()
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "disk", "8M");
        using (Qcow2Image image = Open())
        {
            Assert.Equal(65536u, image.DiscardGranularity);
            Assert.Equal(0, ModelDisk.Write(image, 0, RandomBytes(8 << 20, seed: 3)));
            Assert.Equal(0, image.Flush());
            Assert.Equal(0, image.Discard(0, 8 << 20));
            Assert.Equal(0, image.Flush());
            new ModelDisk(image, new byte[8 << 20]).Verify();
        }

        _qemu.Check("disk");
        Assert.DoesNotContain("\"data\": true", _qemu.Run("map", "--output=json", "disk"), StringComparison.Ordinal);
    }

    [Fact]
    public void Reading_and_writing_in_place_allocates_nothing()
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "disk", "8M");
        using Qcow2Image image = Open();
        byte[] data = RandomBytes(64 << 10, seed: 3);
        long allocated = long.MaxValue;
        int failed = 0;
        for (int round = 0; round < 3; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (ulong at = 0; at < 8 << 20; at += 64 << 10)
                failed |= WriteOnce(image, at, data) | ModelDisk.Read(image, at, data);

            // The runtime may allocate when it compiles anew; what a request allocates is in each round.
            allocated = Math.Min(allocated, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, failed);
        Assert.Equal(0, allocated);
    }

    [Fact]
    public void An_image_opened_for_reading_is_not_changed()
    {
        _qemu.Run("create", "-q", "-f", "qcow2", "disk", "8M");
        byte[] before = File.ReadAllBytes(_qemu.PathOf("disk"));
        using (Qcow2Image image = Open(readOnly: true))
        {
            Assert.True(image.IsReadOnly);
            Assert.Equal(0u, image.DiscardGranularity);
            Assert.Equal(Errno.EROFS, ModelDisk.Write(image, 0, new byte[512]));
            Assert.Equal(Errno.EROFS, image.Discard(0, 65536));
            Assert.Equal(Errno.EROFS, image.WriteZeroes(0, 65536, unmap: true));
            new ModelDisk(image, new byte[8 << 20]).Verify();
        }

        Assert.Equal(before, File.ReadAllBytes(_qemu.PathOf("disk")));
    }

    public void Dispose() => _qemu.Dispose();

    private static unsafe int WriteOnce(Qcow2Image image, ulong offset, byte[] data)
    {
        fixed (byte* bytes = data)
        {
            var piece = new IoVector(bytes, (ulong)data.Length);
            return image.Write(offset, new ReadOnlySpan<IoVector>(in piece));
        }
    }

    private static byte[] RandomBytes(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private Qcow2Image Open(bool readOnly = false, DiskCache cache = DiskCache.Unsafe)
    {
        DiskFile file = DiskFile.Open(_qemu.PathOf("disk"), readOnly, cache);
        try
        {
            return Qcow2Image.Open(file, CommandLineText.Fail);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private void Exercise(byte[] expected, int steps, int seed, DiskCache cache = DiskCache.Unsafe)
    {
        var random = new Random(seed);
        using (Qcow2Image image = Open(readOnly: false, cache))
        {
            Assert.Equal((ulong)expected.Length, image.Length);
            var model = new ModelDisk(image, expected);
            for (int i = 0; i < steps; i++)
                Assert.Equal(0, model.Step(random, mostSectors: 1000));
            model.Verify();
        }

        _qemu.Check("disk");
        using (Qcow2Image image = Open(readOnly: true))
            new ModelDisk(image, expected).Verify();
        _qemu.Compare("disk", expected);
    }
}
