using MiniVmm.Host;
using MiniVmm.Memory;

namespace MiniVmm.Virtio;

/// <summary>
/// One buffer that the driver made available: pieces for the device to read, then pieces for it to write
/// (virtio 1.2, 2.7.4.2). Filled by <see cref="Virtqueue.TryTake"/>, which has checked every piece against guest RAM.
/// Made once and used over and over.
/// </summary>
public sealed unsafe class DescriptorChain : IDisposable
{
    private readonly NativeBuffer _storage;
    private readonly IoVector* _pieces;

    /// <param name="capacity">Most pieces that a chain may have.</param>
    public DescriptorChain(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(capacity);
        Capacity = capacity;
        _storage = new NativeBuffer(capacity * sizeof(IoVector));
        _pieces = (IoVector*)_storage.Pin().Pointer;
    }

    public int Capacity { get; }

    /// <summary>Index of the first descriptor: what <see cref="Virtqueue.Complete"/> takes back.</summary>
    public ushort Head { get; private set; }

    /// <summary>The pieces that the device reads, in order.</summary>
    public ReadOnlySpan<IoVector> Readable => new(_pieces, ReadableCount);

    /// <summary>The pieces that the device writes, in order.</summary>
    public ReadOnlySpan<IoVector> Writable => new(_pieces + ReadableCount, Count - ReadableCount);

    /// <summary>Bytes in all readable pieces; readable and writable together are below 4 GiB.</summary>
    public uint ReadableLength { get; private set; }

    /// <summary>Bytes in all writable pieces.</summary>
    public uint WritableLength { get; private set; }

    internal int Count { get; private set; }

    private int ReadableCount { get; set; }

    public void Dispose() => ((IDisposable)_storage).Dispose();

    internal void Begin(ushort head)
    {
        Head = head;
        Count = ReadableCount = 0;
        ReadableLength = WritableLength = 0;
    }

    /// <summary>Adds a piece; says false for what the specification forbids a driver.</summary>
    internal bool TryAdd(GuestMemory memory, ulong address, uint length, bool writable, out ChainError error)
    {
        error = ChainError.None;
        if (length == 0)
            error = ChainError.EmptyDescriptor;
        else if (Count == Capacity)
            error = ChainError.TooLong;
        else if (!writable && Count > ReadableCount)
            error = ChainError.ReadableAfterWritable;
        else if (uint.MaxValue - ReadableLength - WritableLength < length)
            error = ChainError.TooManyBytes;
        else if (!memory.TryResolve(address, length, out byte* host))
            error = ChainError.NotInRam;
        else
        {
            _pieces[Count++] = new IoVector(host, length);
            if (writable)
            {
                WritableLength += length;
            }
            else
            {
                ReadableLength += length;
                ReadableCount = Count;
            }
        }

        return error == ChainError.None;
    }
}

/// <summary>What is wrong with a chain or a ring; each is the driver's fault.</summary>
public enum ChainError
{
    None,

    /// <summary>The available ring holds an index that is no descriptor.</summary>
    HeadOutOfRange,

    /// <summary>More chains made available, with those in flight, than there are descriptors.</summary>
    TooManyAvailable,

    /// <summary>A next field is no descriptor.</summary>
    NextOutOfRange,

    /// <summary>More descriptors than the queue has, or than an indirect table may: a loop, or a lie.</summary>
    TooLong,

    /// <summary>A descriptor of no bytes.</summary>
    EmptyDescriptor,

    /// <summary>A piece to read behind one to write (virtio 1.2, 2.7.4.2).</summary>
    ReadableAfterWritable,

    /// <summary>4 GiB or more in one chain (virtio 1.2, 2.7.5).</summary>
    TooManyBytes,

    /// <summary>Some of the bytes are not RAM.</summary>
    NotInRam,

    /// <summary>
    /// An indirect descriptor that was not negotiated, has a next one, lies in another table, or is no whole number of
    /// descriptors (virtio 1.2, 2.7.5.3).
    /// </summary>
    BadIndirect,
}
