using MiniVmm.Host;
using MiniVmm.Storage;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>What a disk must contain, next to the disk that is tested.</summary>
internal sealed unsafe class ModelDisk(IDiskImage disk, byte[] expected)
{
    public const int SectorSize = IDiskImage.SectorSize;

    /// <summary>The bytes that any reader must find.</summary>
    public byte[] Expected { get; } = expected;

    /// <summary>Sectors that a discard left open: zeroes or what is expected.</summary>
    public HashSet<int> Open { get; } = [];

    /// <summary>Does one thing to both; 0, or the disk's errno.</summary>
    /// <param name="random">Says what.</param>
    /// <param name="mostSectors">Length of the longest.</param>
    public int Step(Random random, int mostSectors)
    {
        int sectors = Expected.Length / SectorSize;
        int count = random.Next(1, Math.Min(mostSectors, sectors) + 1);
        int first = random.Next(sectors - count + 1);

        // Whole clusters often enough for discards to do something.
        if (random.Next(2) == 0)
            (first, count) = (first / 128 * 128, Math.Min((count + 127) / 128 * 128, sectors - (first / 128 * 128)));
        ulong offset = (ulong)first * SectorSize;
        int length = count * SectorSize;
        switch (random.Next(10))
        {
            case < 5:
                byte[] data = new byte[length];
                random.NextBytes(data);
                data.CopyTo(Expected, (int)offset);
                Close(first, count);
                return Write(disk, offset, data, random.Next(1, 4));
            case 5:
                Expected.AsSpan((int)offset, length).Clear();
                Close(first, count);
                return disk.WriteZeroes(offset, (ulong)length, unmap: random.Next(2) == 0);
            case 6:
                for (int i = first; i < first + count; i++)
                    Open.Add(i);
                return disk.Discard(offset, (ulong)length);
            case 7:
                return disk.Flush();
            default:
                return Compare(offset, length);
        }
    }

    /// <summary>Reads everything and compares.</summary>
    public void Verify()
    {
        for (int at = 0; at < Expected.Length; at += 1 << 20)
            Assert.Equal(0, Compare((ulong)at, Math.Min(1 << 20, Expected.Length - at)));
    }

    public static int Write(IDiskImage disk, ulong offset, byte[] data, int pieceCount = 1)
    {
        fixed (byte* bytes = data)
        {
            var pieces = new IoVector[pieceCount];
            int each = data.Length / pieceCount / 512 * 512;
            for (int i = 0; i < pieceCount; i++)
                pieces[i] = new IoVector(bytes + (i * each), (ulong)(i < pieceCount - 1 ? each : data.Length - (i * each)));
            return disk.Write(offset, pieces.Where(HasBytes).ToArray());
        }
    }

    public static int Read(IDiskImage disk, ulong offset, byte[] data)
    {
        fixed (byte* bytes = data)
        {
            var piece = new IoVector(bytes, (ulong)data.Length);
            return disk.Read(offset, new ReadOnlySpan<IoVector>(in piece));
        }
    }

    private static bool HasBytes(IoVector piece) => piece.Length > 0;

    private void Close(int first, int count)
    {
        for (int i = first; i < first + count; i++)
            Open.Remove(i);
    }

    private int Compare(ulong offset, int length)
    {
        byte[] found = new byte[length];
        int errno = Read(disk, offset, found);
        if (errno != 0 || found.AsSpan().SequenceEqual(Expected.AsSpan((int)offset, length)))
            return errno;
        for (int at = 0; at < length; at += SectorSize)
        {
            Span<byte> sector = found.AsSpan(at, SectorSize);
            int number = ((int)offset + at) / SectorSize;
            Span<byte> wanted = Expected.AsSpan((int)offset + at, SectorSize);
            if (Open.Contains(number) && !sector.ContainsAnyExcept((byte)0))
                wanted.Clear();
            Assert.True(sector.SequenceEqual(wanted), $"sector {number} differs");
        }

        return 0;
    }
}
