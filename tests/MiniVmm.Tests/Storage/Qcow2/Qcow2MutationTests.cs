using MiniVmm.Storage.Qcow2;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>
/// Images with all kinds of clusters, made by QEMU, in which bytes are changed: nothing throws, and what is read is what QEMU
/// reads, or an error.
/// </summary>
public sealed class Qcow2MutationTests : IDisposable
{
    private const int Cluster = 512;
    private const int Size = 96 * Cluster;

    private readonly QemuImg _qemu = new();

    [Theory]
    [InlineData("compat=1.1", 7000)]
    [InlineData("compat=0.10", 7000)]
    public void No_change_of_bytes_makes_an_exception_or_a_loop(string options, int rounds)
    {
        byte[] seed = Make(options);
        byte[] below = File.ReadAllBytes(_qemu.PathOf("below"));
        var random = new Random(rounds + options.Length);
        int opened = 0;
        for (int round = 0; round < rounds; round++)
        {
            var file = new MemoryImageFile(Mutate(seed, random), readOnly: random.Next(4) == 0);
            try
            {
                using Qcow2Image disk = Qcow2Image.Open(file, (_, _, _) => new ArrayDisk(below), _ => { });
                opened++;
                byte[] data = new byte[random.Next(1, 20) * 512];
                for (int i = 0; i < 12; i++)
                {
                    ulong end = Math.Min(disk.Length, Size) / 512;
                    if (end * 512 < (ulong)data.Length)
                        break;
                    ulong at = (ulong)random.Next((int)end - (data.Length / 512) + 1) * 512;
                    _ = random.Next(6) switch
                    {
                        0 or 1 => ModelDisk.Read(disk, at, data),
                        2 => disk.Discard(at, (ulong)data.Length),
                        3 => disk.WriteZeroes(at, (ulong)data.Length, unmap: i % 2 == 0),
                        4 => disk.Flush(),
                        _ => ModelDisk.Write(disk, at, data),
                    };
                }
            }
            catch (BadInputException)
            {
                // Refused, in words.
            }
        }

        Assert.InRange(opened, rounds / 4, rounds - 1);
    }

    [Theory]
    [InlineData("compat=1.1")]
    [InlineData("compat=0.10")]
    public void What_QEMU_reads_from_a_changed_image_is_read_or_refused(string options)
    {
        byte[] seed = Make(options);
        byte[] below = File.ReadAllBytes(_qemu.PathOf("below"));
        var random = new Random(options.Length);
        int same = 0;
        for (int round = 0; round < 30; round++)
        {
            byte[] image = Mutate(seed, random);
            seed.AsSpan(0, 32).CopyTo(image);
            File.WriteAllBytes(_qemu.PathOf("changed"), image);
            (int status, _) = _qemu.Status("convert", "-f", "qcow2", "-O", "raw", "changed", "read");
            byte[] read = status == 0 ? File.ReadAllBytes(_qemu.PathOf("read")) : [];
            try
            {
                using Qcow2Image disk = Qcow2Image.Open(
                    new MemoryImageFile(image, readOnly: true), (_, _, _) => new ArrayDisk(below), null);
                byte[] sector = new byte[512];
                for (int at = 0; at < read.Length; at += 512)
                {
                    if (ModelDisk.Read(disk, (ulong)at, sector) != 0)
                        continue;
                    Assert.True(read.AsSpan(at, 512).SequenceEqual(sector), $"round {round}: {at} is not what QEMU reads");
                    same++;
                }
            }
            catch (BadInputException)
            {
                // Refused, in words.
            }
        }

        Assert.InRange(same, 10 * Size / 512, int.MaxValue);
    }

    public void Dispose() => _qemu.Dispose();

    /// <summary>Some changes: mostly in header and tables, mostly by one bit or one interesting value.</summary>
    private static byte[] Mutate(byte[] seed, Random random)
    {
        byte[] image = [.. seed];
        int l1 = (int)System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(seed.AsSpan(40));
        int changes = random.Next(1, 5);
        for (int i = 0; i < changes; i++)
        {
            int l2 = (int)System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(seed.AsSpan(l1 + (8 * random.Next(2))));
            int at = random.Next(6) switch
            {
                0 => random.Next(112),
                1 => l1 + random.Next(16),
                2 or 3 => l2 + random.Next(Cluster),
                _ => random.Next(image.Length),
            };
            image[at] = random.Next(3) switch
            {
                0 => (byte)(image[at] ^ (1 << random.Next(8))),
                1 => (byte)random.Next(256),
                _ => (byte)(random.Next(2) == 0 ? 0xff : 0),
            };
        }

        return random.Next(20) == 0 ? image[..random.Next(image.Length)] : image;
    }

    /// <summary>Compressed, plain, zeroed, discarded and snapshotted clusters, over a backing file.</summary>
    private byte[] Make(string options)
    {
        byte[] below = new byte[Size / 2];
        new Random(1).NextBytes(below);
        for (int i = 0; i < below.Length; i++)
            below[i] &= 7;
        File.WriteAllBytes(_qemu.PathOf("below"), below);
        _qemu.Run(
            "create", "-q", "-f", "qcow2", "-o", options + ",cluster_size=512", "-b", "below", "-F", "raw", "disk", $"{Size}");
        _qemu.Io("disk", ["write -c -P 1 0 512", "write -c -P 2 512 512", "write -P 3 2k 4k", "write -P 4 40k 3k"]);
        _qemu.Run("snapshot", "-c", "one", "disk");
        _qemu.Io("disk", ["write -P 5 3k 1k", "write -P 6 8k 2k", "write -z 9k 512", "write -z -u 41k 512", "discard 42k 512"]);
        return File.ReadAllBytes(_qemu.PathOf("disk"));
    }
}
