using System.Buffers.Binary;
using System.Numerics;

namespace MiniVmm.Display.Rfb;

/// <summary>How a client wants its dots (RFC 6143, 7.4): true colour of 8, 16 or 32 bits.</summary>
internal readonly record struct PixelFormat
{
    /// <summary>Bytes of its description.</summary>
    public const int Length = 16;

    /// <summary>MiniVmm's own: 0x00RRGGBB, little-endian.</summary>
    public static readonly PixelFormat Native = new()
    {
        Bits = 32,
        Depth = 24,
        Red = new(255, 16),
        Green = new(255, 8),
        Blue = new(255, 0),
    };

    /// <summary>8, 16 or 32.</summary>
    public int Bits { get; private init; }

    public int Bytes => Bits / 8;

    private int Depth { get; init; }

    private bool IsBigEndian { get; init; }

    private Channel Red { get; init; }

    private Channel Green { get; init; }

    private Channel Blue { get; init; }

    /// <summary>The bytes of a dot in ZRLE (RFC 6143, 7.7.5): three of four where the colours leave one out.</summary>
    public int CompactBytes => Bits == 32 && Depth <= 24 && (Mask >> 24 == 0 || (Mask & 0xff) == 0) ? 3 : Bytes;

    private uint Mask => Red.Mask | Green.Mask | Blue.Mask;

    /// <summary>Reads a description.</summary>
    /// <returns>Null for one that MiniVmm has no dots of.</returns>
    public static PixelFormat? Read(ReadOnlySpan<byte> from)
    {
        int bits = from[0];
        if (bits is not (8 or 16 or 32) || from[3] == 0) // colour maps
            return null;
        Channel red = Channel.Read(from[4..], from[10]), green = Channel.Read(from[6..], from[11]), blue = Channel.Read(from[8..], from[12]);
        return red.FitsIn(bits) && green.FitsIn(bits) && blue.FitsIn(bits)
            ? new() { Bits = bits, Depth = from[1], IsBigEndian = from[2] != 0, Red = red, Green = green, Blue = blue }
            : null;
    }

    public void Write(Span<byte> into)
    {
        into[..Length].Clear();
        (into[0], into[1], into[2], into[3]) = ((byte)Bits, (byte)Depth, (byte)(IsBigEndian ? 1 : 0), 1);
        BinaryPrimitives.WriteUInt16BigEndian(into[4..], Red.Max);
        BinaryPrimitives.WriteUInt16BigEndian(into[6..], Green.Max);
        BinaryPrimitives.WriteUInt16BigEndian(into[8..], Blue.Max);
        (into[10], into[11], into[12]) = (Red.Shift, Green.Shift, Blue.Shift);
    }

    /// <summary>Writes a dot.</summary>
    /// <param name="rgb">0x00RRGGBB.</param>
    /// <param name="into">At least four bytes.</param>
    /// <param name="bytes"><see cref="Bytes"/> or <see cref="CompactBytes"/>.</param>
    public void Put(uint rgb, Span<byte> into, int bytes)
    {
        uint value = Red.Of(rgb >> 16) | Green.Of(rgb >> 8) | Blue.Of(rgb);
        if (bytes < Bytes && Mask >> 24 != 0)
            value >>= 8; // its lowest byte is the one that is left out
        for (int i = 0; i < bytes; i++)
            into[IsBigEndian ? bytes - 1 - i : i] = (byte)(value >> (8 * i));
    }

    private readonly record struct Channel(ushort Max, byte Shift)
    {
        public uint Mask => (uint)Max << Shift;

        public static Channel Read(ReadOnlySpan<byte> max, byte shift) => new(BinaryPrimitives.ReadUInt16BigEndian(max), shift);

        public bool FitsIn(int bits) =>
            Max > 0 && BitOperations.IsPow2(Max + 1) && Shift < bits && BitOperations.PopCount(Max) + Shift <= bits;

        public uint Of(uint colour) => ((colour & 0xff) * Max / 255) << Shift;
    }
}
