using MiniVmm.Host;
using MiniVmm.Storage;
using MiniVmm.Storage.Qcow2;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>What goes wrong below an image, and at which moment.</summary>
public sealed class Qcow2FaultTests
{
    private const int Cluster = 4096;
    private const ulong BlockAt = 2 * Cluster;

    [Fact]
    public void A_cluster_is_not_given_back_while_it_is_read_even_after_a_flush_that_failed()
    {
        byte[] data = new byte[Cluster];
        data.AsSpan().Fill(0x55);
        var memory = new MemoryImageFile(BlankImage.Create(16 * Cluster, clusterBits: 12));
        using var file = new StubbornImageFile(memory);
        using (Qcow2Image disk = Qcow2Image.Open(file, (_, _, _) => new ArrayDisk([]), null))
        {
            Assert.Equal(0, ModelDisk.Write(disk, 0, data));
            Assert.Equal(0, disk.Flush());

            // A read finds where the cluster is, and waits for the host; meanwhile it is discarded.
            byte[] found = new byte[Cluster];
            file.HoldsReads = true;
            var reader = new Thread(() => ModelDisk.Read(disk, 0, found));
            reader.Start();
            file.WaitForRead();
            Assert.Equal(0, disk.Discard(0, Cluster));
            file.FlushesLeft = 1;
            Assert.Equal(Errno.EIO, disk.Flush());
            file.FlushesLeft = int.MaxValue;
            Assert.Equal(0, disk.Flush());
            Assert.Equal(0, disk.Flush());
            file.LetGo();
            reader.Join();

            Assert.Equal(data, found);
        }

        (List<string> errors, int leaks) = Qcow2Checker.Check(memory.AfterKill());
        Assert.Empty(errors);
        Assert.Equal(0, leaks);
    }

    [Fact]
    public void A_file_that_loses_what_was_appended_to_it_gives_errors_and_not_zeroes()
    {
        string path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            byte[] image = BlankImage.Create(16 * Cluster, clusterBits: 12);
            File.WriteAllBytes(path, image);
            byte[] data = new byte[Cluster];
            data.AsSpan().Fill(0x55);
            using Qcow2Image disk = Qcow2Image.Open(DiskFile.Open(path, readOnly: false, DiskCache.WriteBack));
            Assert.Equal(0, ModelDisk.Write(disk, 0, data));
            Assert.Equal(0, disk.Flush());
            Assert.Equal(0, ModelDisk.Read(disk, 0, new byte[Cluster]));
            using (FileStream other = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
                other.SetLength(image.Length);

            Assert.Equal(Errno.EIO, ModelDisk.Read(disk, 0, new byte[Cluster]));
            Assert.Equal(Errno.EIO, ModelDisk.Write(disk, Cluster, data));
            Assert.Equal(Errno.EIO, disk.Flush());
            Assert.Equal(image.Length, new FileInfo(path).Length);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Clusters_whose_refcounts_cannot_be_read_leak_and_do_no_harm()
    {
        var memory = new MemoryImageFile(BlankImage.Create(16 * Cluster, clusterBits: 12));
        using (Qcow2Image before = Open(memory))
            Assert.Equal(0, ModelDisk.Write(before, 0, new byte[4 * Cluster]));

        // The host cannot read the counts at the moment when two clusters are given back.
        var lines = new List<string>();
        using var file = new StubbornImageFile(memory) { FailsRead = offset => offset == BlockAt };
        using (Qcow2Image disk = Qcow2Image.Open(file, (_, _, _) => new ArrayDisk([]), line => lines.Add(line.OnCommandLine())))
        {
            Assert.Equal(0, disk.Discard(Cluster, 2 * Cluster));
            Assert.Equal(0, disk.Flush());
            file.FailsRead = _ => false;
            Assert.Contains("-r leaks", Assert.Single(lines), StringComparison.Ordinal);
            Assert.Equal(0, ModelDisk.Write(disk, 8 * Cluster, new byte[Cluster]));
            Assert.Equal(0, disk.Discard(0, Cluster));
            Assert.Equal(0, disk.Flush());
        }

        Assert.Single(lines);
        (List<string> errors, int leaks) = Qcow2Checker.Check(memory.AfterKill());
        Assert.Empty(errors);
        Assert.Equal(2, leaks);
        Assert.Equal(0, memory.AfterKill()[79]);
    }

    [Fact]
    public void Room_of_a_write_that_failed_is_given_back_though_a_flush_came_in_between()
    {
        var memory = new MemoryImageFile(BlankImage.Create(16 * Cluster, clusterBits: 12));
        using var file = new StubbornImageFile(memory);
        using (Qcow2Image disk = Qcow2Image.Open(file, (_, _, _) => new ArrayDisk([]), null))
        {
            Assert.Equal(0, ModelDisk.Write(disk, 0, new byte[2 * Cluster]));
            Assert.Equal(0, disk.Flush());
            Assert.Equal(0, disk.Discard(0, Cluster));
            Assert.Equal(0, disk.Flush());
            Assert.Equal(0, disk.Flush());
            file.FailsWrite = offset =>
            {
                if (offset <= BlockAt + Cluster)
                    return false;
                file.FailsWrite = _ => false;
                Assert.Equal(0, disk.Flush());
                return true;
            };
            Assert.Equal(Errno.EIO, ModelDisk.Write(disk, 4 * Cluster, new byte[Cluster]));
        }

        (List<string> errors, int leaks) = Qcow2Checker.Check(memory.AfterKill());
        Assert.Empty(errors);
        Assert.Equal(0, leaks);
    }

    [Fact]
    public void What_waits_to_be_given_back_when_an_image_is_closed_does_not_leak()
    {
        var memory = new MemoryImageFile(BlankImage.Create(16 * Cluster, clusterBits: 12));
        using var file = new StubbornImageFile(memory);
        using (Qcow2Image disk = Qcow2Image.Open(file, (_, _, _) => new ArrayDisk([]), null))
        {
            Assert.Equal(0, ModelDisk.Write(disk, 0, new byte[2 * Cluster]));
            Assert.Equal(0, disk.Flush());

            // One cluster is durably discarded while it is read still, another after that.
            file.HoldsReads = true;
            var reader = new Thread(() => ModelDisk.Read(disk, 0, new byte[Cluster]));
            reader.Start();
            file.WaitForRead();
            Assert.Equal(0, disk.Discard(0, Cluster));
            Assert.Equal(0, disk.Flush());
            Assert.Equal(0, disk.Discard(Cluster, Cluster));
            file.LetGo();
            reader.Join();
        }

        (List<string> errors, int leaks) = Qcow2Checker.Check(memory.AfterKill());
        Assert.Empty(errors);
        Assert.Equal(0, leaks);
    }

    [Fact]
    public void Data_that_was_cut_off_the_file_before_it_was_opened_is_an_error_and_not_zeroes()
    {
        byte[] data = new byte[3 * Cluster];
        data.AsSpan().Fill(0x55);
        var memory = new MemoryImageFile(BlankImage.Create(16 * Cluster, clusterBits: 12));
        using (Qcow2Image before = Open(memory))
            Assert.Equal(0, ModelDisk.Write(before, 0, data));

        // Of the second cluster a part is left, as where a file ends in the middle of one; of the third nothing.
        byte[] image = memory.AfterKill()[..^(Cluster + 1024)];
        foreach (bool readOnly in (bool[])[true, false])
        {
            using Qcow2Image disk = Open(new MemoryImageFile([.. image], readOnly));
            Assert.Equal(0, ModelDisk.Read(disk, 0, new byte[2 * Cluster]));
            Assert.Equal(Errno.EIO, ModelDisk.Read(disk, 2 * Cluster, new byte[512]));
            Assert.Equal(Errno.EIO, ModelDisk.Read(disk, Cluster, new byte[2 * Cluster]));
        }
    }

    [Fact]
    public void The_first_free_cluster_is_found_though_all_before_it_are_taken_and_their_counts_are_read_once()
    {
        const int Bits = 13;
        const int PerBlock = 1024;
        const int Blocks = 7;
        byte[] image = BlankImage.Create(16 << Bits, Bits, refcountOrder: 6);
        Array.Resize(ref image, Blocks * PerBlock << Bits);
        for (int block = 0; block < Blocks; block++)
        {
            // Blocks that are in use, and everything that they count; but for one cluster in the middle of the fifth.
            int at = (2 + (block == 0 ? 0 : 8 + block)) << Bits;
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(image.AsSpan((1 << Bits) + (8 * block)), (ulong)at);
            for (int i = 0; i < PerBlock; i++)
                Qcow2Checker.SetRefcount(image.AsSpan(at), 6, i, block == 4 && i == 700 ? 0u : 1u);
        }

        var memory = new MemoryImageFile(image);
        using var file = new StubbornImageFile(memory);
        using Qcow2Image disk = Qcow2Image.Open(file, (_, _, _) => new ArrayDisk([]), null);
        int before = file.Reads;
        Assert.Equal(0, ModelDisk.Write(disk, 0, new byte[1 << Bits]));
        Assert.Equal(0, disk.Flush());

        // The L2 table took the one in the fifth block; the data is behind everything, in the eighth.
        byte[] after = memory.AfterKill();
        ulong table = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(after.AsSpan(3 << Bits));
        Assert.Equal((ulong)((4 * PerBlock) + 700) << Bits, table & ~(1UL << 63));
        ulong data = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(after.AsSpan((int)(table & int.MaxValue)));
        Assert.Equal((ulong)((Blocks * PerBlock) + 1) << Bits, data & ~(1UL << 63));
        Assert.InRange(file.Reads - before, Blocks, (2 * Blocks) - 2);
    }

    [Fact]
    public void Many_backing_files_that_each_end_in_the_middle_of_a_read_fit_a_small_stack()
    {
        const int Depth = BackingChain.MaxDepth;
        const int Size = 40 * 512;
        byte[] bottom = new byte[512];
        new Random(1).NextBytes(bottom);
        IDiskImage disk = new ArrayDisk(bottom);
        for (int i = 0; i < Depth; i++)
        {
            IDiskImage below = disk;
            ulong size = i == Depth - 1 ? Size : (ulong)(i + 2) * 512;
            disk = Qcow2Image.Open(
                new MemoryImageFile(BlankImage.Create(size, clusterBits: 16, backing: "below"), readOnly: true),
                (_, _, _) => below,
                null);
        }

        byte[] found = new byte[Size];
        found.AsSpan().Fill(0xff);
        int errno = -1;
        var thread = new Thread(() => errno = ReadInPieces(disk, found), maxStackSize: 256 * 1024);
        thread.Start();
        thread.Join();
        disk.Dispose();

        Assert.Equal(0, errno);
        Assert.Equal(bottom, found[..512]);
        Assert.DoesNotContain(found[512..], b => b != 0);
    }

    private static Qcow2Image Open(MemoryImageFile file) =>
        Qcow2Image.Open(file, (_, _, _) => new ArrayDisk([]), CommandLineText.Fail);

    /// <summary>As a guest may: hundreds of pieces, nearly all of them in the first sector.</summary>
    private static unsafe int ReadInPieces(IDiskImage disk, byte[] into)
    {
        fixed (byte* bytes = into)
        {
            var pieces = new IoVector[254];
            for (int i = 0; i < 253; i++)
                pieces[i] = new IoVector(bytes + (i * 2), 2);
            pieces[253] = new IoVector(bytes + 506, (ulong)into.Length - 506);
            return disk.Read(0, pieces);
        }
    }
}
