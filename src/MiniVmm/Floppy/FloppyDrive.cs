using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Storage;

namespace MiniVmm.Floppy;

/// <summary>A drive with a disk in it, and a buffer of what is read or written at a time. Of the controller's thread.</summary>
/// <param name="image">The disk; disposed of with it.</param>
/// <param name="format">How it is divided.</param>
internal sealed unsafe class FloppyDrive(IDiskImage image, FloppyFormat format) : IDisposable
{
    /// <summary>Bytes of the buffer: as many as a DMA channel moves.</summary>
    public const int BufferSize = 64 * 1024;

    private readonly byte* _buffer = (byte*)NativeMemory.AlignedAlloc(BufferSize, 4096);

    public FloppyFormat Format => format;

    public bool IsReadOnly => image.IsReadOnly;

    /// <summary>Where its head is.</summary>
    public int Cylinder { get; set; }

    public Span<byte> Buffer => new(_buffer, BufferSize);

    /// <summary>Reads sectors into the buffer.</summary>
    /// <returns>0 or an errno.</returns>
    public int Read(int first, int sectors)
    {
        int length = sectors * FloppyFormat.SectorSize;
        int there = There(first, length);
        new Span<byte>(_buffer + there, length - there).Clear();
        IoVector piece = new(_buffer, (ulong)there);
        return there == 0 ? 0 : image.Read(Offset(first), new ReadOnlySpan<IoVector>(in piece));
    }

    /// <summary>Writes them from there; what is behind the image's end cannot be.</summary>
    /// <inheritdoc cref="Read"/>
    public int Write(int first, int sectors)
    {
        int length = sectors * FloppyFormat.SectorSize;
        if (There(first, length) < length)
            return Errno.ENOSPC;
        IoVector piece = new(_buffer, (ulong)length);
        return image.Write(Offset(first), new ReadOnlySpan<IoVector>(in piece));
    }

    public void Dispose()
    {
        image.Dispose();
        NativeMemory.AlignedFree(_buffer);
    }

    private static ulong Offset(int sector) => (ulong)sector * FloppyFormat.SectorSize;

    private int There(int first, int length) =>
        Offset(first) >= image.Length ? 0 : (int)Math.Min((ulong)length, image.Length - Offset(first));
}
