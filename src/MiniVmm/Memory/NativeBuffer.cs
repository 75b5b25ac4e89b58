using System.Buffers;
using System.Runtime.InteropServices;

namespace MiniVmm.Memory;

/// <summary>
/// Bytes outside of the managed heap, for kernels and disks' tables: large, short-lived, and given back to the
/// host on disposal, which a garbage-collected array of that size would not be for the life of a guest.
/// </summary>
/// <param name="length">Bytes, all zero.</param>
public sealed unsafe class NativeBuffer(int length) : MemoryManager<byte>
{
    private byte* _data = (byte*)NativeMemory.AllocZeroed((nuint)length);

    public int Length => length;

    public override Span<byte> GetSpan()
    {
        ObjectDisposedException.ThrowIf(_data is null, this);
        return new Span<byte>(_data, length);
    }

    public override MemoryHandle Pin(int elementIndex = 0) => new(_data + elementIndex);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
        NativeMemory.Free(_data);
        _data = null;
    }
}
