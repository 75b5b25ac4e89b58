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

    public void Discard(int count)
    {
        _head = (_head + count) % _bytes.Length;
        Count -= count;
    }
}
