using MiniVmm.Storage.Qcow2;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>Several threads in one image, each with sectors of its own in clusters that they share.</summary>
public sealed class Qcow2ThreadsTests
{
    private const int ThreadCount = 4;
    private const int ExtentSectors = 13;
    private const int Extents = 160;
    private const int Size = Extents * ExtentSectors * 512;

    [Theory]
    [InlineData(12, true)]
    [InlineData(16, false)]
    [InlineData(9, true)]
    public void Each_thread_finds_what_it_wrote_and_no_cluster_is_used_twice(int bits, bool hasBacking)
    {
        byte[] below = new byte[hasBacking ? Size / 2 : 0];
        new Random(1).NextBytes(below);
        byte[] expected = new byte[Size];
        below.CopyTo(expected, 0);
        var file = new MemoryImageFile(BlankImage.Create(Size, bits, 3, 4, hasBacking ? "below" : null));
        var failures = new List<string>();
        using (var image = Qcow2Image.Open(file, (_, _, _) => new ArrayDisk(below), line => failures.Add(line.OnCommandLine())))
        {
            var threads = new List<Thread>();
            for (int i = 0; i < ThreadCount; i++)
            {
                int mine = i;
                threads.Add(new Thread(() =>
                {
                    string? failure = Exercise(image, expected, mine);
                    lock (failures)
                        failures.AddRange(failure == null ? [] : [failure]);
                }));
            }

            threads.ForEach(thread => thread.Start());
            threads.ForEach(thread => thread.Join());
            Assert.Empty(failures);
            new ModelDisk(image, expected).Verify();
        }

        (List<string> errors, int leaks) = Qcow2Checker.Check(file.AfterKill());
        Assert.Empty(errors);
        Assert.Equal(0, leaks);
    }

    private static string? Exercise(Qcow2Image image, byte[] expected, int mine)
    {
        var random = new Random(mine);
        for (int step = 0; step < 600; step++)
        {
            int extent = (random.Next(Extents / ThreadCount) * ThreadCount) + mine;
            int at = extent * ExtentSectors * 512;
            byte[] data = new byte[ExtentSectors * 512];
            int errno;
            switch (random.Next(8))
            {
                case < 3:
                    random.NextBytes(data);
                    data.CopyTo(expected, at);
                    errno = ModelDisk.Write(image, (ulong)at, data, 2);
                    break;
                case 3:
                    data.CopyTo(expected, at);
                    errno = image.WriteZeroes((ulong)at, (ulong)data.Length, unmap: step % 2 == 0);
                    break;
                case 4:
                    // A discard leaves it open what is there: zeroes written behind it do not.
                    data.CopyTo(expected, at);
                    errno = image.Discard((ulong)at, (ulong)data.Length);
                    if (errno == 0)
                        errno = ModelDisk.Write(image, (ulong)at, data);
                    break;
                case 5:
                    errno = image.Flush();
                    break;
                default:
                    errno = ModelDisk.Read(image, (ulong)at, data);
                    if (errno == 0 && !data.AsSpan().SequenceEqual(expected.AsSpan(at, data.Length)))
                        return $"thread {mine}, step {step}: extent {extent} is not what was written";
                    break;
            }

            if (errno != 0)
                return $"thread {mine}, step {step}: errno {errno}";
        }

        return null;
    }
}
