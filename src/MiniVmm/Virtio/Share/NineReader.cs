using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Virtio.Share;

/// <summary>
/// Takes a request apart: integers are little-endian, texts have their length before them (intro(5) of Plan 9). What is not there
/// reads as 0 and is remembered.
/// </summary>
internal ref struct NineReader(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _rest = message;

    /// <summary>Whether the request ended before what was asked of it.</summary>
    public bool IsShort { get; private set; }

    public byte Byte() => Take(1) is [var value] ? value : (byte)0;

    public ushort Word() => Take(2) is { IsEmpty: false } bytes ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : (ushort)0;

    public uint Dword() => Take(4) is { IsEmpty: false } bytes ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;

    public ulong Qword() => Take(8) is { IsEmpty: false } bytes ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;

    /// <summary>A text: of bytes, each a character.</summary>
    public string Text() => Encoding.Latin1.GetString(Take(Word()));

    public ReadOnlySpan<byte> Take(uint bytes)
    {
        if (bytes > (uint)_rest.Length)
        {
            IsShort = true;
            _rest = default;
            return default;
        }

        ReadOnlySpan<byte> taken = _rest[..(int)bytes];
        _rest = _rest[(int)bytes..];
        return taken;
    }
}
