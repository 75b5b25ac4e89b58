using MiniVmm.Storage;
using MiniVmm.Storage.Qcow2;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>What goes wrong below an image, and at which moment.</summary>
public sealed class Qcow2FaultTests
{
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
