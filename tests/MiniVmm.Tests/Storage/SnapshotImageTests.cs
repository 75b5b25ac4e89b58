using CsCheck;
using MiniVmm.Host;
using MiniVmm.Storage;

namespace MiniVmm.Tests.Storage;

public sealed unsafe class SnapshotImageTests
{
    private const int Sectors = 64;
    private const int Sector = IDiskImage.SectorSize;

    [Fact]
    public void What_is_written_is_read_and_the_image_below_stays_as_it_is()
    {
        Gen<(int Kind, int First, int Count, byte Value)> step =
            Gen.Select(Gen.Int[0, 3], Gen.Int[0, Sectors - 1], Gen.Int[1, Sectors], Gen.Byte);
        step.Array[1, 30].Sample(steps =>
        {
            using MemoryImage below = new(Sectors * Sector) { IsReadOnly = true };
            new Random(1).NextBytes(below.Bytes);
            byte[] model = [.. below.Bytes];
            byte[] before = [.. below.Bytes];
            using SnapshotImage image = new(below, OptionName.Disk.With("disk"));
            foreach ((int kind, int first, int wanted, byte value) in steps)
            {
                int count = Math.Min(wanted, Sectors - first);
                Span<byte> range = model.AsSpan(first * Sector, count * Sector);
                switch (kind)
                {
                    case 0:
                        range.Fill(value);
                        Assert.Equal(0, Transfer(range.ToArray(), value, pieces => image.Write((ulong)(first * Sector), pieces)));
                        break;
                    case 1:
                        range.Clear();
                        Assert.Equal(0, image.WriteZeroes((ulong)(first * Sector), (ulong)(count * Sector), unmap: value > 99));
                        break;
                    case 2:
                        Assert.Equal(0, image.Discard((ulong)(first * Sector), (ulong)(count * Sector)));
                        break;
                    default:
                        byte[] read = new byte[count * Sector];
                        Assert.Equal(0, Transfer(read, value, pieces => image.Read((ulong)(first * Sector), pieces)));
                        Assert.Equal(range.ToArray(), read);
                        break;
                }
            }

            byte[] all = new byte[model.Length];
            Assert.Equal(0, Transfer(all, 7, pieces => image.Read(0, pieces)));
            Assert.Equal(model, all);
            Assert.Equal(before, below.Bytes);
            Assert.Equal((0, (ulong)model.Length, false), (image.Flush(), image.Length, image.IsReadOnly));
        });
    }

    [Fact]
    public void An_overlay_that_is_lent_outlives_its_disk_and_one_of_its_own_does_not()
    {
        string name = Path.GetTempFileName();
        File.WriteAllBytes(name, new byte[1 << 20]);
        byte[] text = [.. Enumerable.Repeat((byte)1, 4096)];
        DiskOptions own = new() { File = name, Format = DiskFormat.Raw, Snapshot = true };
        using (SnapshotOverlay overlay = new(own.Subject))
        {
            DiskOptions lent = own with { Overlay = overlay };
            using (IDiskImage first = DiskImage.Open(lent, _ => { }))
                Assert.Equal(0, Transfer(text, 1, pieces => first.Write(8192, pieces)));
            File.WriteAllBytes(name, new byte[32 << 20]); // the image has changed meanwhile: it has more chunks
            using (IDiskImage second = DiskImage.Open(lent, _ => { }))
            {
                Assert.Equal(text, Read(second, 8192));
                Assert.Equal(0, Transfer(text, 1, pieces => second.Write(31 << 20, pieces)));
            }

            using (IDiskImage third = DiskImage.Open(lent, _ => { }))
                Assert.Equal([.. text, .. text], [.. Read(third, 8192), .. Read(third, 31 << 20)]);
        }

        using (IDiskImage image = DiskImage.Open(own, _ => { }))
            Assert.Equal(new byte[4096], Read(image, 8192));
        Assert.DoesNotContain((byte)1, File.ReadAllBytes(name));
        File.Delete(name);

        static byte[] Read(IDiskImage image, ulong offset)
        {
            byte[] read = new byte[4096];
            Assert.Equal(0, Transfer(read, 1, pieces => image.Read(offset, pieces)));
            return read;
        }
    }

    [Fact]
    public void An_error_below_is_the_guests()
    {
        using MemoryImage below = new(Sectors * Sector);
        using SnapshotImage image = new(below, OptionName.Disk.With("disk"));
        Assert.Equal(0, Transfer(new byte[Sector], 1, pieces => image.Write(0, pieces)));
        below.Errno = Errno.EIO;

        Assert.Equal(Errno.EIO, Transfer(new byte[2 * Sector], 1, pieces => image.Read(0, pieces)));
        Assert.Equal(0, Transfer(new byte[Sector], 1, pieces => image.Read(0, pieces)));
    }

    [Fact]
    public void An_image_is_opened_to_read_and_others_may_read_it_too()
    {
        string name = Path.GetTempFileName();
        File.WriteAllBytes(name, new byte[1 << 20]);
        DiskOptions options = new() { File = name, Format = DiskFormat.Raw, Snapshot = true };
        using (IDiskImage first = DiskImage.Open(options, _ => { }))
        using (IDiskImage second = DiskImage.Open(options, _ => { }))
        {
            Assert.Equal(0, Transfer([.. Enumerable.Repeat((byte)1, 4096)], 1, pieces => first.Write(4096, pieces)));
            byte[] read = new byte[4096];
            Assert.Equal(0, Transfer(read, 1, pieces => second.Read(4096, pieces)));
            Assert.All(read, value => Assert.Equal(0, value));
        }

        Assert.DoesNotContain((byte)1, File.ReadAllBytes(name));
        File.Delete(name);
    }

    private delegate int Move(ReadOnlySpan<IoVector> pieces);

    /// <summary>Moves bytes in pieces of any length.</summary>
    private static int Transfer(byte[] bytes, int seed, Move move)
    {
        Random random = new(seed);
        fixed (byte* start = bytes)
        {
            List<IoVector> pieces = [];
            for (int at = 0; at < bytes.Length;)
            {
                int length = Math.Min(random.Next(1, 3000), bytes.Length - at);
                pieces.Add(new IoVector(start + at, (ulong)length));
                at += length;
            }

            return move([.. pieces]);
        }
    }
}
