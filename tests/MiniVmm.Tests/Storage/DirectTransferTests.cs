using MiniVmm.Host;
using MiniVmm.Storage;

namespace MiniVmm.Tests.Storage;

public sealed unsafe class DirectTransferTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("direct-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(512u, 512u)]
    [InlineData(512u, 4096u)]
    [InlineData(4096u, 4096u)]
    public void Transfers_of_any_alignment_do_what_plain_ones_do(uint memoryAlignment, uint blockSize)
    {
        // Addresses, lengths and offsets that the device does not take go through a buffer of our own, block by block.
        string name = Path.Combine(_directory, "disk");
        byte[] model = new byte[(600 << 10) + 100];
        var random = new Random(4711);
        random.NextBytes(model);
        File.WriteAllBytes(name, model);
        int fd = FileCalls.Open(name, FileCalls.O_RDWR | FileCalls.O_DIRECT | FileCalls.O_CLOEXEC, 0);
        Assert.True(fd >= 0, "the directory for temporary files has no direct I/O");
        using DirectTransfer transfer = new(fd, memoryAlignment, blockSize);
        byte[] buffer = GC.AllocateUninitializedArray<byte>(400 << 10, pinned: true);
        for (int i = 0; i < 150; i++)
        {
            int length = random.Next(2, i % 20 == 0 ? 390 << 10 : 9000);
            int offset = random.Next(model.Length + 600 - length);
            Span<byte> bytes = buffer.AsSpan(random.Next(1, 5000), length);
            int there = Math.Clamp(model.Length - offset, 0, length);
            if (random.Next(2) == 0)
            {
                random.NextBytes(bytes);
                Assert.Equal(0, Bounce(transfer, offset, bytes, writes: true, out ulong done));
                Assert.Equal((ulong)length, done);
                Array.Resize(ref model, Math.Max(model.Length, offset + length));
                bytes.CopyTo(model.AsSpan(offset));
            }
            else
            {
                Assert.Equal(0, Bounce(transfer, offset, bytes, writes: false, out ulong done));
                Assert.Equal((ulong)there, done);
                Assert.True(bytes[..there].SequenceEqual(model.AsSpan(Math.Min(offset, model.Length), there)));
            }
        }

        _ = FileCalls.Close(fd);
        Assert.Equal(model, File.ReadAllBytes(name));
    }

    [Fact]
    public void Parts_of_one_block_that_are_written_at_once_are_all_there()
    {
        string name = Path.Combine(_directory, "disk");
        File.WriteAllBytes(name, new byte[16 << 10]);
        int fd = FileCalls.Open(name, FileCalls.O_RDWR | FileCalls.O_DIRECT | FileCalls.O_CLOEXEC, 0);
        using DirectTransfer transfer = new(fd, 512, 4096);

        Parallel.For(0, 32, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i =>
        {
            byte[] sector = [.. Enumerable.Repeat((byte)(i + 1), 512)];
            Assert.Equal(0, Bounce(transfer, i * 512, sector, writes: true, out _));
        });

        _ = FileCalls.Close(fd);
        byte[] file = File.ReadAllBytes(name);
        Assert.All(Enumerable.Range(0, 32), i => Assert.Equal(i + 1, file[(i * 512) + 100]));
    }

    private static int Bounce(DirectTransfer transfer, int offset, Span<byte> bytes, bool writes, out ulong done)
    {
        fixed (byte* start = bytes)
        {
            int first = bytes.Length / 2;
            IoVector[] pieces = [new(start, (ulong)first), new(start + first, (ulong)(bytes.Length - first))];
            return transfer.Bounce((ulong)offset, pieces, writes, out done);
        }
    }
}
