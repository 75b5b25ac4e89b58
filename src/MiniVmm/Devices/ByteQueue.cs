namespace MiniVmm.Devices;

/// <summary>A ring of bytes, first in, first out. Its owner guards it and never takes more than is there.</summary>
internal sealed class ByteQueue(int capacity)
{
    private readonly byte[] _bytes = new byte[capacity];
    private int _head;

    public int Count { get; private set; }

    /// <summary>How many more there is room for.</summary>
    public int Room => _bytes.Length - Count;

    public void Enqueue(byte value)
    {
        _bytes[(_head + Count) % _bytes.Length] = value;
        Count++;
    }

    public byte Dequeue()
    {
        byte value = _bytes[_head];
        Discard(1);
        return value;
    }

    /// <summary>All of them, the next one first.</summary>
    public byte[] ToArray()
    {
        byte[] bytes = new byte[Count];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = _bytes[(_head + i) % _bytes.Length];
        return bytes;
    }

    /// <summary>Takes others in place of its own; they must fit.</summary>
    public void Replace(ReadOnlySpan<byte> bytes)
    {
        _head = 0;
        bytes.CopyTo(_bytes);
        Count = bytes.Length;
    }

    public void Discard(int count)
    {
        _head = (_head + count) % _bytes.Length;
        Count -= count;
    }
}
