using MiniVmm.Storage;
using MiniVmm.Storage.Qcow2;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>QEMU and MiniVmm change one image in turns: what either leaves, the other must understand.</summary>
public sealed class Qcow2TurnsTests : IDisposable
{
    private const int Size = (2 << 20) + (3 * 512);
    private const int Rounds = 5;

    private readonly QemuImg _qemu = new();

    [Theory]
    [InlineData("cluster_size=512", 0, false)]
    [InlineData("cluster_size=4k,refcount_bits=8", Size / 3, true)]
    [InlineData("cluster_size=16k,refcount_bits=64,lazy_refcounts=on", 0, true)]
    [InlineData("cluster_size=64k,compression_type=zstd", Size + (1 << 19), true)]
    [InlineData("cluster_size=2M", Size / 2, false)]
    [InlineData("compat=0.10,cluster_size=8k", Size / 2, true)]
    [InlineData("cluster_size=32k,preallocation=metadata,refcount_bits=16", 0, false)]
    public void Each_finds_what_the_other_wrote(string options, int below, bool hasSnapshots)
    {
        byte[] contents = new byte[Size];
        var random = new Random(options.Length);
        if (below > 0)
        {
            byte[] bottom = new byte[below / 512 * 512];
            random.NextBytes(bottom);
            bottom.AsSpan(0, Math.Min(bottom.Length, Size)).CopyTo(contents);
            File.WriteAllBytes(_qemu.PathOf("below"), bottom);
            _qemu.Run("create", "-q", "-f", "qcow2", "-o", options, "-b", "below", "-F", "raw", "disk", $"{Size}");
        }
        else
        {
            _qemu.Run("create", "-q", "-f", "qcow2", "-o", options, "disk", $"{Size}");
        }

        HashSet<int> open = [];
        for (int round = 0; round < Rounds; round++)
        {
            _qemu.Io("disk", Enumerable.Range(0, 30).Select(_ => Command(random, contents, open)).ToList());
            if (hasSnapshots && round % 2 == 0)
                _qemu.Run("snapshot", "-c", $"s{round}", "disk");
            using (Qcow2Image image = Open())
            {
                var model = new ModelDisk(image, contents);
                model.Open.UnionWith(open);
                model.Verify();
                model.Open.Clear();
                for (int i = 0; i < 30; i++)
                    Assert.Equal(0, model.Step(random, mostSectors: 600));
                model.Verify();
            }

            open.Clear();
            _qemu.Check("disk");
            _qemu.Compare("disk", contents);
            if (hasSnapshots && round == 3)
                _qemu.Run("snapshot", "-d", "s0", "disk");
        }
    }

    public void Dispose() => _qemu.Dispose();

    /// <summary>Something for qemu-io to do, noted in what the disk must have then.</summary>
    private static string Command(Random random, byte[] contents, HashSet<int> open)
    {
        int sectors = random.Next(1, 500);
        int first = random.Next((Size / 512) - sectors + 1);
        if (random.Next(2) == 0)
            (first, sectors) = (first / 128 * 128, Math.Min((sectors + 127) / 128 * 128, (Size / 512) - (first / 128 * 128)));
        (int at, int length) = (first * 512, sectors * 512);
        int kind = random.Next(8);
        for (int i = first; i < first + sectors; i++)
        {
            if (kind == 0)
                open.Add(i);
            else
                open.Remove(i);
        }

        if (kind == 0)
            return $"discard {at} {length}";
        int pattern = kind is 1 or 2 ? 0 : random.Next(1, 256);
        contents.AsSpan(at, length).Fill((byte)pattern);
        return kind switch
        {
            1 => $"write -z {at} {length}",
            2 => $"write -z -u {at} {length}",
            _ => $"write -P {pattern} {at} {length}",
        };
    }

    private Qcow2Image Open()
    {
        DiskFile file = DiskFile.Open(_qemu.PathOf("disk"), readOnly: false, DiskCache.Unsafe);
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
}
