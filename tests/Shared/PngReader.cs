using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace MiniVmm.Tests;

/// <summary>As much of a decoder as MiniVmm's files need, written from the specification (ISO/IEC 15948) and not from the encoder.</summary>
internal static class PngReader
{
    /// <summary>9.4: of the three the one that is nearest to left + above - aboveLeft.</summary>
    private static byte Paeth(byte left, byte above, byte aboveLeft)
    {
        int estimate = left + above - aboveLeft;
        (int toLeft, int toAbove, int toAboveLeft) = (Math.Abs(estimate - left), Math.Abs(estimate - above), Math.Abs(estimate - aboveLeft));
        return toLeft <= toAbove && toLeft <= toAboveLeft ? left : toAbove <= toAboveLeft ? above : aboveLeft;
    }

    public static (int Width, int Height, uint[] Pixels) Decode(byte[] file)
    {
        byte[] header = Chunks(file).Single(chunk => chunk.Type == "IHDR").Data;
        int width = BinaryPrimitives.ReadInt32BigEndian(header), height = BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(4));
        const byte colours = 2, coloursAndAlpha = 6;
        Assert.Contains(header[9], (byte[])[colours, coloursAndAlpha]);
        Assert.Equal([8, header[9], 0, 0, 0], header[8..]);
        int dot = header[9] == colours ? 3 : 4;
        using ZLibStream zlib = new(
            new MemoryStream([.. Chunks(file).Where(chunk => chunk.Type == "IDAT").SelectMany(chunk => chunk.Data)]),
            CompressionMode.Decompress);
        MemoryStream raw = new();
        zlib.CopyTo(raw);
        byte[] bytes = raw.ToArray();
        int pitch = 1 + (dot * width);
        Assert.Equal(pitch * height, bytes.Length);
        for (int y = 0; y < height; y++)
        {
            Assert.InRange(bytes[y * pitch], 0, 4);
            for (int i = 1; i < pitch; i++)
            {
                byte above = y > 0 ? bytes[((y - 1) * pitch) + i] : (byte)0, left = i > dot ? bytes[(y * pitch) + i - dot] : (byte)0;
                byte aboveLeft = y > 0 && i > dot ? bytes[((y - 1) * pitch) + i - dot] : (byte)0;
                bytes[(y * pitch) + i] += bytes[y * pitch] switch
                {
                    1 => left,
                    2 => above,
                    3 => (byte)((left + above) / 2),
                    4 => Paeth(left, above, aboveLeft),
                    _ => (byte)0,
                };
            }
        }

        uint[] pixels = new uint[width * height];
        for (int i = 0; i < pixels.Length; i++)
        {
            ReadOnlySpan<byte> at = bytes.AsSpan((i / width * pitch) + 1 + (dot * (i % width)));
            pixels[i] = (uint)((at[0] << 16) | (at[1] << 8) | at[2]);
        }

        return (width, height, pixels);
    }

    public static IEnumerable<(string Type, byte[] Data)> Chunks(byte[] file)
    {
        Assert.Equal([0x89, .. "PNG\r\n\u001a\n"u8], file[..8]);
        for (int at = 8; at < file.Length;)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at));
            byte[] body = file[(at + 4)..(at + 8 + length)];
            Assert.Equal(Crc(body), BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at + 8 + length)));
            yield return (Encoding.ASCII.GetString(body, 0, 4), body[4..]);
            at += 12 + length;
        }
    }

    private static uint Crc(byte[] data)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in data)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xedb88320 : crc >> 1;
        }

        return ~crc;
    }
}
