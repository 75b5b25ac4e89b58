using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;

namespace MiniVmm.Display.Rfb;

/// <summary>The encodings of a picture's parts that MiniVmm sends (RFC 6143, 7.7 and 7.8).</summary>
internal enum RfbEncoding
{
    Raw = 0,
    Zrle = 16,

    /// <summary>No encoding: the picture has another size from now on.</summary>
    DesktopSize = -223,
}

/// <summary>Writes rectangles of a picture: raw, or in tiles through a zlib stream that lasts as long as the connection.</summary>
internal sealed class RfbEncoder : IDisposable
{
    /// <summary>Dots of a tile's side, in ZRLE and where changes are looked for.</summary>
    public const int Tile = 64;

    private const int RectangleHeader = 12;
    private const byte RawTile = 0, SolidTile = 1;
    private const int MostColours = 16;

    private readonly MemoryStream _compressed = new();
    private readonly ArrayBufferWriter<byte> _tiles = new();
    private ZLibStream? _zlib;

    /// <summary>Writes one rectangle.</summary>
    public void Write(ArrayBufferWriter<byte> output, ScreenImage image, in RfbRectangle area, PixelFormat format, RfbEncoding encoding)
    {
        WriteHeader(output, area, encoding);
        if (encoding == RfbEncoding.Raw)
        {
            for (int y = area.Y; y < area.Y + area.Height; y++)
                PutDots(output, image, new(area.X, y, area.Width, 1), format, format.Bytes);
            return;
        }

        _tiles.ResetWrittenCount();
        for (int y = area.Y; y < area.Y + area.Height; y += Tile)
        {
            for (int x = area.X; x < area.X + area.Width; x += Tile)
            {
                PutTile(image, new(
                    x, y, Math.Min(Tile, area.X + area.Width - x), Math.Min(Tile, area.Y + area.Height - y)), format);
            }
        }

        _compressed.SetLength(0);
        _zlib ??= new ZLibStream(_compressed, CompressionLevel.Fastest, leaveOpen: true);
        _zlib.Write(_tiles.WrittenSpan);
        _zlib.Flush();
        BinaryPrimitives.WriteInt32BigEndian(output.GetSpan(sizeof(int)), (int)_compressed.Length);
        output.Advance(sizeof(int));
        output.Write(_compressed.GetBuffer().AsSpan(0, (int)_compressed.Length));
    }

    /// <summary>Writes where a rectangle is and how it is encoded.</summary>
    public static void WriteHeader(ArrayBufferWriter<byte> output, in RfbRectangle area, RfbEncoding encoding)
    {
        Span<byte> header = output.GetSpan(RectangleHeader);
        BinaryPrimitives.WriteUInt16BigEndian(header, (ushort)area.X);
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)area.Y);
        BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)area.Width);
        BinaryPrimitives.WriteUInt16BigEndian(header[6..], (ushort)area.Height);
        BinaryPrimitives.WriteInt32BigEndian(header[8..], (int)encoding);
        output.Advance(RectangleHeader);
    }

    public void Dispose()
    {
        _zlib?.Dispose();
        _compressed.Dispose();
    }

    private void PutTile(ScreenImage image, in RfbRectangle tile, PixelFormat format)
    {
        Span<uint> palette = stackalloc uint[MostColours];
        int colours = FindColours(image, tile, palette);
        int bytes = format.CompactBytes;
        if (colours == 0)
        {
            PutByte(RawTile);
            PutDots(_tiles, image, tile, format, bytes);
            return;
        }

        PutByte((byte)(colours == 1 ? SolidTile : colours));
        foreach (uint colour in palette[..colours])
        {
            format.Put(colour, _tiles.GetSpan(sizeof(uint)), bytes);
            _tiles.Advance(bytes);
        }

        if (colours > 1)
            PutPacked(image, tile, palette[..colours]);
    }

    /// <returns>How many there are; 0 for more than fit into a palette.</returns>
    private static int FindColours(ScreenImage image, in RfbRectangle tile, Span<uint> palette)
    {
        int count = 0;
        for (int y = tile.Y; y < tile.Y + tile.Height; y++)
        {
            uint last = uint.MaxValue;
            foreach (uint dot in image.Line(y).Slice(tile.X, tile.Width))
            {
                if (dot == last || palette[..count].Contains(last = dot))
                    continue;
                if (count == palette.Length)
                    return 0;
                palette[count++] = dot;
            }
        }

        return count;
    }

    /// <summary>Each dot as its number in the palette, as few bits as that takes, each line from a byte on.</summary>
    private void PutPacked(ScreenImage image, in RfbRectangle tile, ReadOnlySpan<uint> palette)
    {
        int bits = palette.Length == 2 ? 1 : palette.Length <= 4 ? 2 : 4;
        for (int y = tile.Y; y < tile.Y + tile.Height; y++)
        {
            int held = 0, value = 0;
            foreach (uint dot in image.Line(y).Slice(tile.X, tile.Width))
            {
                value = (value << bits) | palette.IndexOf(dot);
                held += bits;
                if (held < 8)
                    continue;
                PutByte((byte)value);
                (held, value) = (0, 0);
            }

            if (held > 0)
                PutByte((byte)(value << (8 - held)));
        }
    }

    private static void PutDots(
        ArrayBufferWriter<byte> output, ScreenImage image, in RfbRectangle area, PixelFormat format, int bytes)
    {
        for (int y = area.Y; y < area.Y + area.Height; y++)
        {
            Span<byte> line = output.GetSpan((area.Width * bytes) + sizeof(uint));
            int at = 0;
            foreach (uint dot in image.Line(y).Slice(area.X, area.Width))
            {
                format.Put(dot, line[at..], bytes);
                at += bytes;
            }

            output.Advance(at);
        }
    }

    private void PutByte(byte value)
    {
        _tiles.GetSpan(1)[0] = value;
        _tiles.Advance(1);
    }
}

/// <summary>A part of a picture, in dots.</summary>
internal readonly record struct RfbRectangle(int X, int Y, int Width, int Height);
