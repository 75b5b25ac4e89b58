using MiniVmm.Host;
using MiniVmm.Storage.Qcow2;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>Reading clusters that qemu-img compressed.</summary>
public sealed class Qcow2CompressedTests : IDisposable
{
    private const int Size = 2 << 20;
    private const int SectorSize = 512;

    private readonly QemuImg _qemu = new();

    [Theory]
    [InlineData("cluster_size=64k", 64)]
    [InlineData("cluster_size=64k,compression_type=zstd", 64)]
    [InlineData("cluster_size=2M", 2048)]
    public void A_cluster_that_is_read_sector_by_sector_is_unpacked_once(string options, int clusterKiB)
    {
        (byte[] image, byte[] contents) = Make(options);
        using var file = new StubbornImageFile(new MemoryImageFile(image, readOnly: true));
        using Qcow2Image disk = Qcow2Image.Open(file, (_, _, _) => new ArrayDisk([]), null);
        byte[] found = new byte[Size];
        Assert.Equal(0, ReadSectors(disk, found, 0, 1));
        int before = file.Reads;
        long allocated = long.MaxValue;
        int errno = 0;
        for (int round = 0; round < 3; round++)
        {
            long start = GC.GetAllocatedBytesForCurrentThread();
            errno |= ReadSectors(disk, found, SectorSize, clusterKiB << 10);

            // The runtime may allocate when it compiles anew; what a request allocates is in each round.
            allocated = Math.Min(allocated, GC.GetAllocatedBytesForCurrentThread() - start);
        }

        Assert.Equal(0, errno);
        Assert.Equal(0, file.Reads - before);
        Assert.Equal(0, allocated);
        Assert.Equal(0, ReadSectors(disk, found, clusterKiB << 10, Size));
        Assert.Equal(contents, found);
    }

    [Theory]
    [InlineData("cluster_size=4k")]
    [InlineData("cluster_size=64k,compression_type=zstd")]
    [InlineData("cluster_size=512k")]
    public void Threads_that_read_here_and_there_while_others_write_find_what_is_there(string options)
    {
        (byte[] image, byte[] contents) = Make(options);
        using Qcow2Image disk = Qcow2Image.Open(
            new MemoryImageFile(image), (_, _, _) => new ArrayDisk([]), CommandLineText.Fail);

        // Readers have the first three quarters of each cluster's sectors, writers the last, so that clusters are replaced.
        var failures = new List<string>();
        var threads = new List<Thread>();
        for (int i = 0; i < 6; i++)
        {
            int mine = i;
            threads.Add(new Thread(() =>
            {
                var random = new Random(mine);
                byte[] sector = new byte[SectorSize];
                for (int step = 0; step < 1500; step++)
                {
                    int at = random.Next(Size / SectorSize / 4) * 4;
                    bool writes = mine < 2 && step % 10 == 0;
                    at = (at + (writes ? 3 : random.Next(3))) * SectorSize;
                    int errno = writes
                        ? ModelDisk.Write(disk, (ulong)at, sector)
                        : ModelDisk.Read(disk, (ulong)at, sector);
                    if (errno == 0 && (writes || sector.AsSpan().SequenceEqual(contents.AsSpan(at, SectorSize))))
                        continue;
                    lock (failures)
                        failures.Add($"thread {mine}, step {step}: sector {at / SectorSize}, errno {errno}");
                    return;
                }
            }));
        }

        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        Assert.Empty(failures);
    }

    [Fact]
    public void A_damaged_cluster_is_an_error_each_time_and_others_are_not()
    {
        (byte[] image, byte[] contents) = Make("cluster_size=64k");
        ulong entry = FirstEntry(image);
        image.AsSpan((int)(entry & ((1UL << 54) - 1)), 64).Fill(0xff);
        using Qcow2Image disk = Qcow2Image.Open(
            new MemoryImageFile(image, readOnly: true), (_, _, _) => new ArrayDisk([]), CommandLineText.Fail);
        byte[] found = new byte[SectorSize];
        for (int i = 0; i < 100; i++)
        {
            Assert.Equal(Errno.EIO, ModelDisk.Read(disk, (ulong)i * SectorSize, found));
            Assert.Equal(0, ModelDisk.Read(disk, (64 << 10) + ((ulong)i * SectorSize), found));
            Assert.Equal(contents[((64 << 10) + (i * SectorSize))..][..SectorSize], found);
        }
    }

    public void Dispose() => _qemu.Dispose();

    private static ulong FirstEntry(byte[] image)
    {
        int l1 = (int)System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan(40));
        ulong l2 = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan(l1)) & ~(1UL << 63);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(image.AsSpan((int)l2)) & ~(1UL << 62);
    }

    private static unsafe int ReadSectors(Qcow2Image disk, byte[] into, int start, int end)
    {
        fixed (byte* bytes = into)
        {
            int errno = 0;
            for (int at = start; at < end && errno == 0; at += SectorSize)
            {
                var piece = new IoVector(bytes + at, SectorSize);
                errno = disk.Read((ulong)at, new ReadOnlySpan<IoVector>(in piece));
            }

            return errno;
        }
    }

    private (byte[] Image, byte[] Contents) Make(string options)
    {
        byte[] contents = new byte[Size];
        new Random(options.Length).NextBytes(contents);
        for (int at = 0; at < Size; at++)
            contents[at] &= 0x1f;
        File.WriteAllBytes(_qemu.PathOf("plain"), contents);
        _qemu.Run("convert", "-c", "-f", "raw", "-O", "qcow2", "-o", options, "plain", "disk");
        return (File.ReadAllBytes(_qemu.PathOf("disk")), contents);
    }
}
