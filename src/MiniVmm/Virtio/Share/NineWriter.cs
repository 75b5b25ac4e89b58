using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Virtio.Share;

/// <summary>Puts an answer together. What does not fit is left out and remembered.</summary>
internal ref struct NineWriter(Span<byte> answer)
{
    /// <summary>Of every message: its length, its kind, its request's tag.</summary>
    public const int HeaderLength = 7;

    private readonly Span<byte> _answer = answer;

    /// <summary>Bytes so far, the header among them.</summary>
    public int Length { get; private set; } = HeaderLength;

    /// <summary>Whether there was no room for some of it.</summary>
    public bool IsFull { get; private set; }

    /// <summary>Bytes that still fit.</summary>
    public readonly int Left => Math.Max(0, _answer.Length - Length);

    public void Byte(byte value)
    {
        if (Reserve(1) is { IsEmpty: false } at)
            at[0] = value;
    }

    public void Word(ushort value)
    {
        if (Reserve(2) is { IsEmpty: false } at)
            BinaryPrimitives.WriteUInt16LittleEndian(at, value);
    }

    public void Dword(uint value)
    {
        if (Reserve(4) is { IsEmpty: false } at)
            BinaryPrimitives.WriteUInt32LittleEndian(at, value);
    }

    public void Qword(ulong value)
    {
        if (Reserve(8) is { IsEmpty: false } at)
            BinaryPrimitives.WriteUInt64LittleEndian(at, value);
    }

    public void Text(string value)
    {
        Word((ushort)value.Length);
        if (Reserve(value.Length) is { IsEmpty: false } at)
            Encoding.Latin1.GetBytes(value, at);
    }

    /// <summary>The next bytes, to be written by the caller; empty where there is no room for them.</summary>
    public Span<byte> Reserve(int bytes)
    {
        if (bytes > Left)
        {
            IsFull = true;
            return default;
        }

        Length += bytes;
        return _answer.Slice(Length - bytes, bytes);
    }

    /// <summary>Takes back the last bytes of what was reserved.</summary>
    public void Return(int bytes) => Length -= bytes;

    /// <summary>Begins again: what was written is forgotten.</summary>
    public void Clear() => (Length, IsFull) = (HeaderLength, false);

    /// <summary>Writes the answer's first word over.</summary>
    public readonly void Patch(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(_answer[HeaderLength..], value);

    /// <summary>Writes the header.</summary>
    public readonly void End(byte kind, ushort tag)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_answer, Length);
        _answer[4] = kind;
        BinaryPrimitives.WriteUInt16LittleEndian(_answer[5..], tag);
    }
}
