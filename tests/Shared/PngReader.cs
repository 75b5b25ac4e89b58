using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace MiniVmm.Tests;

/// <summary>As much of a decoder as MiniVmm's files need, written from the specification (ISO/IEC 15948) and not from the encoder.</summary>
internal static class PngReader
{
    public static (int Width, int Height, uint[] Pixels) Decode(byte[] file)
    {
        byte[] header = Chunks(file).Single(chunk => chunk.Type == "IHDR").Data;
        int width = BinaryPrimitives.ReadInt32BigEndian(header), height = BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(4));
        Assert.Equal([8, 2, 0, 0, 0], header[8..]);
        using ZLibStream zlib = new(
            new MemoryStream([.. Chunks(file).Where(chunk => chunk.Type == "IDAT").SelectMany(chunk => chunk.Data)]),
            CompressionMode.Decompress);
        MemoryStream raw = new();
        zlib.CopyTo(raw);
        byte[] bytes = raw.ToArray();
        int pitch = 1 + (3 * width);
        Assert.Equal(pitch * height, bytes.Length);
        for (int y = 0; y < height; y++)
        {
            Assert.InRange(bytes[y * pitch], 0, 2);
            for (int i = 1; i < pitch; i++)
            {
                byte above = y > 0 ? bytes[((y - 1) * pitch) + i] : (byte)0, left = i > 3 ? bytes[(y * pitch) + i - 3] : (byte)0;
                bytes[(y * pitch) + i] += bytes[y * pitch] switch { 1 => left, 2 => above, _ => (byte)0 };
            }
        }

        uint[] pixels = new uint[width * height];
        for (int i = 0; i < pixels.Length; i++)
        {
            ReadOnlySpan<byte> at = bytes.AsSpan((i / width * pitch) + 1 + (3 * (i % width)));
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
