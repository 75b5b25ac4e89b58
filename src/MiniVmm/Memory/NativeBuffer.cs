using System.Buffers;
using System.Runtime.InteropServices;

namespace MiniVmm.Memory;

/// <summary>
/// Bytes outside the managed heap, for large short-lived data: once disposed, the memory is the system's again, whereas
/// a managed array of that size would stay resident.
/// </summary>
internal sealed unsafe class NativeBuffer : MemoryManager<byte>
{
    private byte* _bytes;
    private int _length;

    /// <param name="length">Bytes; their contents are undefined at first.</param>
    /// <exception cref="OutOfMemoryException">The system has no such memory.</exception>
    public NativeBuffer(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        _bytes = (byte*)NativeMemory.Alloc((nuint)Math.Max(length, 1));
        _length = length;
    }

    /// <summary>Bytes in the buffer.</summary>
    public int Length => _length;

    /// <summary>Returns the end to the system; spans and memories of the buffer must be fetched again.</summary>
    /// <param name="length">Bytes that stay; at most <see cref="Length"/>.</param>
    public void Shrink(int length)
    {
        ObjectDisposedException.ThrowIf(_bytes == null, this);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, _length);
        _bytes = (byte*)NativeMemory.Realloc(_bytes, (nuint)Math.Max(length, 1));
        _length = length;
    }

    /// <exception cref="ObjectDisposedException">The bytes are gone.</exception>
    public override Span<byte> GetSpan()
    {
        ObjectDisposedException.ThrowIf(_bytes == null, this);
        return new(_bytes, _length);
    }

    public override MemoryHandle Pin(int elementIndex = 0)
    {
        ObjectDisposedException.ThrowIf(_bytes == null, this);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)elementIndex, (uint)_length);
        return new(_bytes + elementIndex);
    }

    public override void Unpin()
    {
        // Native memory does not move.
    }

    /// <summary>Frees the bytes; a second time does nothing.</summary>
    public void Dispose() => Dispose(disposing: true);

    protected override void Dispose(bool disposing)
    {
        NativeMemory.Free(_bytes);
        _bytes = null;
    }
}
