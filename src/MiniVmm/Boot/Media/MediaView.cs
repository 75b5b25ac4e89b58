using Microsoft.Win32.SafeHandles;
using MiniVmm.Memory;

namespace MiniVmm.Boot.Media;

/// <summary>Bytes of an image that is not read as a whole: a file, or a part of one.</summary>
internal abstract class MediaView
{
    /// <summary>Bytes in it.</summary>
    public abstract long Length { get; }

    /// <summary>Fills a span; false where not all of it is in the view.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public abstract bool TryRead(long offset, Span<byte> bytes);

    /// <summary>Reads so many bytes; null where they are not all in the view.</summary>
    public byte[]? Read(long offset, int length)
    {
        if (!Holds(offset, length))
            return null;
        byte[] bytes = new byte[length];
        return TryRead(offset, bytes) ? bytes : null;
    }

    /// <summary>A part of it; null where it is not all in the view.</summary>
    public MediaView? Part(long offset, long length) => Holds(offset, length) ? new PartOfView(this, offset, length) : null;

    protected bool Holds(long offset, long length) => offset >= 0 && length >= 0 && length <= Length && offset <= Length - length;

    private sealed class PartOfView(MediaView whole, long start, long length) : MediaView
    {
        public override long Length => length;

        public override bool TryRead(long offset, Span<byte> bytes) =>
            Holds(offset, bytes.Length) && whole.TryRead(start + offset, bytes);
    }
}

/// <summary>A file on the host.</summary>
internal sealed class FileView(SafeFileHandle file) : MediaView, IDisposable
{
    public override long Length { get; } = RandomAccess.GetLength(file);

    public override bool TryRead(long offset, Span<byte> bytes)
    {
        if (!Holds(offset, bytes.Length))
            return false;
        while (!bytes.IsEmpty)
        {
            int got = RandomAccess.Read(file, bytes, offset);
            if (got == 0)
                return false;
            offset += got;
            bytes = bytes[got..];
        }

        return true;
    }

    public void Dispose() => file.Dispose();
}

/// <summary>Bytes in memory.</summary>
internal sealed class MemoryView(ReadOnlyMemory<byte> bytes) : MediaView
{
    public override long Length => bytes.Length;

    public override bool TryRead(long offset, Span<byte> span)
    {
        if (!Holds(offset, span.Length))
            return false;
        bytes.Span.Slice((int)offset, span.Length).CopyTo(span);
        return true;
    }
}

/// <summary>A file in an image: where its bytes lie, in order.</summary>
/// <param name="Length">Its bytes.</param>
/// <param name="Extents">Parts of the image; together at least as long.</param>
internal sealed record MediaFile(long Length, IReadOnlyList<MediaView> Extents)
{
    /// <summary>Reads it whole.</summary>
    /// <param name="name">For the error.</param>
    /// <param name="most">Most bytes that are of use.</param>
    /// <exception cref="BadInputException">Larger, or not all there.</exception>
    public NativeBuffer Read(string name, ulong most)
    {
        if ((ulong)Length > Math.Min(most, int.MaxValue))
            throw new BadInputException($"{name}: {Length} bytes, more than the guest's RAM holds; give it more with {OptionName.Mem}");
        NativeBuffer buffer = new((int)Length);
        Span<byte> rest = buffer.GetSpan();
        foreach (MediaView extent in Extents)
        {
            int count = (int)Math.Min(extent.Length, rest.Length);
            if (!extent.TryRead(0, rest[..count]))
                break;
            rest = rest[count..];
        }

        if (rest.IsEmpty)
            return buffer;
        buffer.Dispose();
        throw new BadInputException($"{name}: the image ends before the file does");
    }
}

/// <summary>A file system in an image.</summary>
internal interface IMediaVolume
{
    /// <summary>What it is, for people: "ISO 9660 with Rock Ridge".</summary>
    string Kind { get; }

    /// <summary>The file at a path from its root, letters in any case; null where there is none, or a broken one.</summary>
    MediaFile? Find(string path);
}
