using System.Buffers.Binary;
using MiniVmm.Host;
using MiniVmm.Storage.Qcow2;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>Tables made to deceive: an errno, and nothing written where tables are.</summary>
public sealed class Qcow2HostileTests
{
    private const int Cluster = 512;
    private const int Size = 64 * Cluster;
    private const int L1At = 3 * Cluster;
    private const int L2At = 4 * Cluster;
    private const int DataAt = 5 * Cluster;
    private const int BlockAt = 2 * Cluster;
    private const ulong Copied = 1UL << 63;

    [Theory]
    [InlineData(0ul * Cluster | Copied)]
    [InlineData(1ul * Cluster | Copied)]
    [InlineData(2ul * Cluster | Copied)]
    [InlineData(3ul * Cluster | Copied)]
    [InlineData(4ul * Cluster | Copied)]
    [InlineData(4ul * Cluster | Copied | 1)]
    [InlineData(9ul * Cluster | Copied)]
    [InlineData(0x00ff_ffff_ffff_fe00ul | Copied)]
    public void A_write_never_goes_to_a_table_or_a_free_cluster(ulong entry)
    {
        byte[] image = WithEntry(entry);
        var file = new MemoryImageFile([.. image]);
        var lines = new List<string>();
        using (Qcow2Image disk = Open(file, lines))
        {
            Assert.Equal(Errno.EIO, ModelDisk.Write(disk, 0, new byte[Cluster]));
            if (entry != Copied)
                Assert.Contains("is damaged", Assert.Single(lines), StringComparison.Ordinal);
            Assert.Equal(entry == Copied ? 0 : Errno.EIO, ModelDisk.Write(disk, Cluster, new byte[Cluster]));
        }

        if (entry == Copied)
            return;
        byte[] after = file.AfterKill();
        Assert.Equal(2, after[79]);
        after[79] = 0;
        Assert.Equal(image, after);
    }

    [Theory]
    [InlineData(Copied, 3)]
    [InlineData(Copied | 1, 3)]
    [InlineData(1ul, 2)]
    [InlineData(DataAt | Copied | 1, 2)]
    [InlineData((1UL << 62) | Copied | DataAt, 3)]
    public void An_entry_that_must_not_be_is_an_error_whatever_is_done(ulong entry, int version)
    {
        byte[] image = WithEntry(entry, version);
        using Qcow2Image disk = Open(new MemoryImageFile(image), []);
        Assert.Equal(Errno.EIO, ModelDisk.Read(disk, 0, new byte[Cluster]));
        Assert.Equal(Errno.EIO, ModelDisk.Write(disk, 0, new byte[Cluster]));
        Assert.Equal(Errno.EIO, disk.WriteZeroes(0, Cluster, unmap: false));
        Assert.Equal(Errno.EIO, disk.WriteZeroes(0, Cluster, unmap: true));
        Assert.Equal(Errno.EIO, disk.Discard(0, Cluster));
        Assert.Equal(0, ModelDisk.Read(disk, Cluster, new byte[Cluster]));
    }

    [Fact]
    public void A_free_cluster_that_is_a_table_is_not_taken()
    {
        byte[] image = WithEntry(0);
        BinaryPrimitives.WriteUInt16BigEndian(image.AsSpan(BlockAt + (2 * 4)), 0);
        var lines = new List<string>();
        using Qcow2Image disk = Open(new MemoryImageFile(image), lines);
        Assert.Equal(Errno.EIO, ModelDisk.Write(disk, 0, new byte[Cluster]));
        Assert.Contains("counted as free", Assert.Single(lines), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1UL << 62)]
    [InlineData((1UL << 62) | ((1UL << 62) - 1))]
    [InlineData((1UL << 62) | DataAt)]
    public void Damaged_compressed_data_is_an_error(ulong entry)
    {
        using Qcow2Image disk = Open(new MemoryImageFile(WithEntry(entry)), []);
        Assert.Equal(Errno.EIO, ModelDisk.Read(disk, 0, new byte[Cluster]));
    }

    [Fact]
    public void A_file_that_shrinks_gives_errors()
    {
        var file = new MemoryImageFile(WithEntry(DataAt | Copied)) { };
        using Qcow2Image disk = Open(file, []);
        Assert.Equal(0, ModelDisk.Read(disk, 0, new byte[Cluster]));
        file.Shrink(DataAt);
        Assert.Equal(Errno.EIO, ModelDisk.Read(disk, 0, new byte[Cluster]));
    }

    [Fact]
    public void No_change_of_bytes_makes_an_exception_or_a_loop()
    {
        byte[] seed = WithEntry(DataAt | Copied);
        var random = new Random(4);
        byte[] data = new byte[3 * Cluster];
        int opened = 0;
        for (int round = 0; round < 60_000; round++)
        {
            byte[] image = [.. seed];
            int changes = random.Next(1, 5);
            for (int i = 0; i < changes; i++)
            {
                // Mostly in header and tables, mostly by one bit or one interesting value.
                int area = random.Next(4) switch
                {
                    0 => random.Next(112),
                    1 => Cluster + random.Next(24),
                    2 => (random.Next(2) == 0 ? L1At : L2At) + random.Next(32),
                    _ => random.Next(image.Length),
                };
                image[area] = random.Next(3) switch
                {
                    0 => (byte)(image[area] ^ (1 << random.Next(8))),
                    1 => (byte)random.Next(256),
                    _ => (byte)(random.Next(2) == 0 ? 0xff : 0),
                };
            }

            var file = new MemoryImageFile(image, readOnly: random.Next(4) == 0);
            try
            {
                using Qcow2Image disk = Open(file, []);
                opened++;
                if (disk.Length < (ulong)data.Length)
                    continue;
                ulong end = Math.Min(disk.Length, 1 << 20) / 512;
                for (int i = 0; i < 6; i++)
                {
                    ulong at = (ulong)random.Next((int)end - 2) * 512;
                    _ = random.Next(5) switch
                    {
                        0 => ModelDisk.Read(disk, at, data),
                        1 => disk.Discard(at, (ulong)data.Length),
                        2 => disk.WriteZeroes(at, (ulong)data.Length, unmap: i % 2 == 0),
                        3 => disk.Flush(),
                        _ => ModelDisk.Write(disk, at, data),
                    };
                }
            }
            catch (BadInputException)
            {
                // Refused, in words.
            }
        }

        Assert.InRange(opened, 10_000, 59_000);
    }

    /// <summary>An image whose first cluster has this L2 entry; cluster 5 of the file is its data.</summary>
    private static byte[] WithEntry(ulong entry, int version = 3)
    {
        byte[] image = BlankImage.Create(Size, clusterBits: 9, version);
        Array.Resize(ref image, 6 * Cluster);
        BinaryPrimitives.WriteUInt64BigEndian(image.AsSpan(L1At), L2At | Copied);
        BinaryPrimitives.WriteUInt64BigEndian(image.AsSpan(L2At), entry);
        for (int i = 4; i < 6; i++)
            Qcow2Checker.SetRefcount(image.AsSpan(BlockAt), 4, i, 1);
        image.AsSpan(DataAt).Fill(0xff);
        return image;
    }

    private static Qcow2Image Open(MemoryImageFile file, List<string> lines) =>
        Qcow2Image.Open(file, (_, _, _) => new ArrayDisk([]), line => lines.Add(line.OnCommandLine()));
}
