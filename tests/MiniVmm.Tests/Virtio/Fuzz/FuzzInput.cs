namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>A string of bytes that a fuzzed driver's decisions are read from; past its end all are 0.</summary>
public sealed class FuzzInput(ReadOnlyMemory<byte> bytes)
{
    private int _at;

    public bool IsEmpty => _at >= bytes.Length;

    /// <summary>Bytes read so far.</summary>
    public int Position => _at;

    public byte Byte() => IsEmpty ? (byte)0 : bytes.Span[_at++];

    public ushort UInt16() => (ushort)(Byte() | (Byte() << 8));

    public uint UInt32() => UInt16() | ((uint)UInt16() << 16);

    public ulong UInt64() => UInt32() | ((ulong)UInt32() << 32);

    /// <summary>Below a limit of at most 65536.</summary>
    public int Below(int limit) => limit <= 256 ? Byte() % limit : UInt16() % limit;

    /// <summary>True about so many times out of 256.</summary>
    public bool Chance(int of256) => Byte() >= 256 - of256;

    public T Pick<T>(params ReadOnlySpan<T> values) => values[Below(values.Length)];
}
