using MiniVmm.Storage.Qcow2;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>What a killed process, and a power cut, leave of an image.</summary>
public sealed class Qcow2PowerCutTests
{
    private const int Size = 1 << 20;

    [Theory]
    [InlineData(16, 3, 4)]
    [InlineData(16, 2, 4)]
    [InlineData(12, 3, 0)]
    [InlineData(9, 3, 6)]
    public void Whatever_is_cut_off_there_are_leaks_at_worst_and_what_was_flushed_is_there(int bits, int version, int order)
    {
        byte[] below = new byte[Size / 2];
        new Random(1).NextBytes(below);
        for (int seed = 0; seed < 30; seed++)
        {
            bool hasBacking = seed % 2 == 0;
            byte[] start = BlankImage.Create(Size, bits, version, order, hasBacking ? "below" : null);
            var random = new Random(seed);
            var file = new MemoryImageFile(start) { RemembersWrites = true, StepsLeft = random.Next(1, 250) };
            using Qcow2Image image = Open(file, below);

            // Of each sector, what it may have: what was flushed last, and whatever was written later.
            byte[] latest = new byte[Size];
            if (hasBacking)
                below.CopyTo(latest, 0);
            var versions = new List<byte[]> { (byte[])latest.Clone() };
            var model = new ModelDisk(image, latest);
            HashSet<int> open = [];
            for (int step = 0; step < 50; step++)
            {
                int errno = model.Step(random, mostSectors: 200);
                versions.Add((byte[])model.Expected.Clone());
                open.UnionWith(model.Open);
                if (errno != 0)
                    break;
                if (random.Next(3) > 0)
                    continue;
                if (image.Flush() != 0)
                    break;
                versions.RemoveRange(0, versions.Count - 1);
                open = [.. model.Open];
            }

            Judge(file.AfterKill(), below, versions, open, $"killed, seed {seed}");
            for (int cut = 0; cut < 3; cut++)
                Judge(file.AfterPowerCut(random), below, versions, open, $"power cut {cut}, seed {seed}");
        }
    }

    [Fact]
    public void The_checker_of_these_tests_agrees_with_that_of_QEMU()
    {
        using var qemu = new QemuImg();
        byte[] below = new byte[Size / 2];
        int[] found = new int[4];
        for (int seed = 0; seed < 12; seed++)
        {
            byte[] start = BlankImage.Create(Size, 12);
            var random = new Random(seed);
            var file = new MemoryImageFile(start) { RemembersWrites = true, StepsLeft = 60 + seed };
            using Qcow2Image image = Open(file, below);
            var model = new ModelDisk(image, new byte[Size]);
            for (int i = 0; i < 40 && model.Step(random, mostSectors: 200) == 0; i++)
            {
            }

            // A part that is wrong: somewhere in the counts.
            byte[] left = file.AfterPowerCut(random);
            if (seed % 3 == 0)
                left[(2 * 4096) + (2 * random.Next(20)) + 1] ^= 1;
            File.WriteAllBytes(qemu.PathOf("disk"), left);
            (List<string> errors, int leaks) = Qcow2Checker.Check(left);
            int expected = errors.Count > 0 ? 2 : leaks > 0 ? 3 : 0;
            (int status, string text) = qemu.Status("check", "disk");
            Assert.True(status == expected, $"seed {seed}: {status}, not {expected}: {text} {string.Join("; ", errors)}");
            found[status]++;
        }

        Assert.True(found[2] > 0 && found[3] > 0, "neither a damaged nor a leaking image was among them");
    }

    [Fact]
    public void Closing_an_image_leaves_no_leaks()
    {
        for (int seed = 0; seed < 24; seed++)
        {
            var file = new MemoryImageFile(BlankImage.Create(Size, 9 + (seed % 8), 2 + (seed % 2)));
            byte[] expected = new byte[Size];
            var random = new Random(seed);
            using (Qcow2Image image = Open(file, []))
            {
                var model = new ModelDisk(image, expected);
                for (int i = 0; i < 100; i++)
                    Assert.Equal(0, model.Step(random, mostSectors: 200));
                model.Verify();
            }

            (List<string> errors, int leaks) = Qcow2Checker.Check(file.AfterKill());
            Assert.Empty(errors);
            Assert.Equal(0, leaks);
            using Qcow2Image again = Open(new MemoryImageFile(file.AfterKill(), readOnly: true), []);
            new ModelDisk(again, expected).Verify();
        }
    }

    private static Qcow2Image Open(MemoryImageFile file, byte[] below) =>
        Qcow2Image.Open(
            file,
            (_, _, _) => new ArrayDisk(below),
            line => Assert.DoesNotContain("damaged", line.OnCommandLine(), StringComparison.Ordinal));

    private static void Judge(byte[] left, byte[] below, List<byte[]> versions, HashSet<int> open, string what)
    {
        (List<string> errors, _) = Qcow2Checker.Check(left);
        Assert.True(errors.Count == 0, $"{what}: {string.Join("; ", errors.Take(5))}");
        using Qcow2Image image = Open(new MemoryImageFile(left, readOnly: true), below);
        byte[] found = new byte[Size];
        Assert.Equal(0, ModelDisk.Read(image, 0, found));
        for (int sector = 0; sector < Size / 512; sector++)
        {
            ReadOnlySpan<byte> bytes = found.AsSpan(sector * 512, 512);
            bool good = open.Contains(sector) && !bytes.ContainsAnyExcept((byte)0);
            for (int i = versions.Count - 1; i >= 0 && !good; i--)
                good = bytes.SequenceEqual(versions[i].AsSpan(sector * 512, 512));
            Assert.True(good, $"{what}: sector {sector} is none of what was written there");
        }
    }
}
