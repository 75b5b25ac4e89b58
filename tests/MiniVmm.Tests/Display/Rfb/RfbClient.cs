using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace MiniVmm.Tests.Display.Rfb;

/// <summary>A client of RFB 3.8, written from RFC 6143 and not from the server: 32 bits a dot, raw and ZRLE.</summary>
internal sealed class RfbClient
{
    public static readonly int[] Encodings = [16, 0, -223];

    private readonly List<byte> _zrle = [];
    private Queue<byte> _plain = new();
    private int _taken; // of what the stream holds

    public int Width { get; private set; }

    public int Height { get; private set; }

    public string Name { get; private set; } = "";

    /// <summary>0x00RRGGBB each.</summary>
    public uint[] Pixels { get; private set; } = [];

    public static byte[] Version => "RFB 003.008\n"u8.ToArray();

    public static byte[] Choose => [1];

    public static byte[] Init => [1];

    public static byte[] SetEncodings(params int[] encodings) =>
        [2, 0, .. U16(encodings.Length), .. encodings.SelectMany(S32)];

    public static byte[] SetPixelFormat(int bits, int depth, bool big, (int Max, int Shift) red, (int Max, int Shift) green, (int Max, int Shift) blue) =>
    [
        0, 0, 0, 0, (byte)bits, (byte)depth, (byte)(big ? 1 : 0), 1, .. U16(red.Max), .. U16(green.Max), .. U16(blue.Max),
        (byte)red.Shift, (byte)green.Shift, (byte)blue.Shift, 0, 0, 0,
    ];

    public static byte[] Request(bool incremental) => [3, (byte)(incremental ? 1 : 0), 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];

    public static byte[] Key(uint keysym, bool down) => [4, (byte)(down ? 1 : 0), 0, 0, .. S32((int)keysym)];

    public static byte[] Pointer(int x, int y, byte buttons) => [5, buttons, .. U16(x), .. U16(y)];

    /// <summary>What the server says before the first picture.</summary>
    /// <returns>What is behind it.</returns>
    public ReadOnlySpan<byte> TakeStart(ReadOnlySpan<byte> bytes)
    {
        Assert.Equal("RFB 003.008\n"u8.ToArray(), bytes[..12].ToArray());
        Assert.Equal([1, 1, 0, 0, 0, 0], bytes[12..18].ToArray()); // one kind of security: none; and it went well
        bytes = bytes[18..];
        (Width, Height) = (BinaryPrimitives.ReadUInt16BigEndian(bytes), BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]));
        Assert.Equal([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0], bytes[4..20].ToArray());
        int name = BinaryPrimitives.ReadInt32BigEndian(bytes[20..]);
        Name = Encoding.ASCII.GetString(bytes.Slice(24, name));
        Pixels = new uint[Width * Height];
        return bytes[(24 + name)..];
    }

    /// <summary>One update.</summary>
    /// <returns>How many rectangles it had; 0 for nothing there.</returns>
    public int TakeUpdate(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length == 0)
            return 0;
        Assert.Equal([0, 0], bytes[..2].ToArray());
        int count = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        bytes = bytes[4..];
        for (int i = 0; i < count; i++)
        {
            int x = BinaryPrimitives.ReadUInt16BigEndian(bytes), y = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
            int width = BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]), height = BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]);
            int encoding = BinaryPrimitives.ReadInt32BigEndian(bytes[8..]);
            bytes = bytes[12..];
            switch (encoding)
            {
                case -223:
                    (Width, Height, Pixels) = (width, height, new uint[width * height]);
                    break;
                case 0:
                    for (int dot = 0; dot < width * height; dot++)
                        Set(x + (dot % width), y + (dot / width), BinaryPrimitives.ReadUInt32LittleEndian(bytes[(4 * dot)..]));
                    bytes = bytes[(4 * width * height)..];
                    break;
                default:
                    Assert.Equal(16, encoding);
                    int length = BinaryPrimitives.ReadInt32BigEndian(bytes);
                    Inflate(bytes.Slice(4, length), x, y, width, height);
                    bytes = bytes[(4 + length)..];
                    break;
            }
        }

        Assert.Equal(0, bytes.Length);
        return count;
    }

    private static byte[] U16(int value) => [(byte)(value >> 8), (byte)value];

    private static byte[] S32(int value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    private void Inflate(ReadOnlySpan<byte> compressed, int left, int top, int width, int height)
    {
        // One stream for the whole connection: it is read from its start, and what was taken is skipped.
        _zrle.AddRange(compressed);
        using DeflateStream stream = new(new MemoryStream(_zrle.ToArray()[2..]), CompressionMode.Decompress);
        using MemoryStream plain = new();
        byte[] some = new byte[4096];
        // The stream has no end: it is read as far as it goes.
        for (int got; (got = Read(stream, some)) > 0;)
            plain.Write(some, 0, got);
        _plain = new(plain.ToArray().AsMemory(_taken).ToArray());
        int before = _plain.Count;
        for (int y = top; y < top + height; y += 64)
        {
            for (int x = left; x < left + width; x += 64)
                TakeTile(x, y, Math.Min(64, left + width - x), Math.Min(64, top + height - y));
        }

        _taken += before - _plain.Count;
        Assert.Empty(_plain);
    }

    private static int Read(DeflateStream stream, byte[] into)
    {
        try
        {
            return stream.Read(into);
        }
        catch (InvalidDataException)
        {
            return 0;
        }
    }

    private void TakeTile(int left, int top, int width, int height)
    {
        int kind = Byte();
        if (kind == 0)
        {
            for (int i = 0; i < width * height; i++)
                Set(left + (i % width), top + (i / width), Dot());
            return;
        }

        Assert.InRange(kind, 1, 16);
        uint[] palette = [.. Enumerable.Range(0, kind).Select(_ => Dot())];
        int bits = kind == 1 ? 0 : kind == 2 ? 1 : kind <= 4 ? 2 : 4;
        for (int y = 0; y < height; y++)
        {
            int held = 0, value = 0;
            for (int x = 0; x < width; x++)
            {
                if (bits > 0 && held == 0)
                    (held, value) = (8, Byte());
                held -= bits;
                Set(left + x, top + y, palette[bits == 0 ? 0 : (value >> held) & ((1 << bits) - 1)]);
            }
        }
    }

    private uint Dot() => (uint)(Byte() | (Byte() << 8) | (Byte() << 16));

    private int Byte() => _plain.Dequeue();

    private void Set(int x, int y, uint dot) => Pixels[(y * Width) + x] = dot;
}
