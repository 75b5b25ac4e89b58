using System.Runtime.InteropServices;
using MiniVmm.Host;

namespace MiniVmm.Storage.Qcow2;

/// <summary>Memory aligned for direct I/O, zeroed at first.</summary>
internal sealed unsafe class AlignedBuffer : IDisposable
{
    private const int Alignment = 4096;

    private byte* _bytes;

    /// <exception cref="OutOfMemoryException">Out of memory.</exception>
    public AlignedBuffer(ulong length)
    {
        Length = length;
        _bytes = (byte*)NativeMemory.AlignedAlloc((nuint)Math.Max(length, 1), Alignment);
        NativeMemory.Clear(_bytes, (nuint)length);
    }

    public ulong Length { get; }

    public byte* Bytes => _bytes;

    /// <summary>A part of it, as a transfer takes it.</summary>
    public IoVector Piece(ulong start, ulong length) => new(_bytes + start, length);

    public void Dispose()
    {
        NativeMemory.AlignedFree(_bytes);
        _bytes = null;
    }
}

/// <summary>Buffers of one size for as many threads as ask at once, kept for the next.</summary>
internal sealed class BufferPool(ulong size) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Stack<AlignedBuffer> _free = new();

    /// <returns>Null where there is no memory.</returns>
    public AlignedBuffer? Rent()
    {
        lock (_lock)
        {
            if (_free.TryPop(out AlignedBuffer? buffer))
                return buffer;
        }

        try
        {
            return new AlignedBuffer(size);
        }
        catch (OutOfMemoryException)
        {
            return null;
        }
    }

    public void Return(AlignedBuffer buffer)
    {
        lock (_lock)
            _free.Push(buffer);
    }

    public void Dispose()
    {
        while (_free.TryPop(out AlignedBuffer? buffer))
            buffer.Dispose();
    }
}
