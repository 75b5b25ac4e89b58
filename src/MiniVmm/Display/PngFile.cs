using System.Buffers.Binary;
using System.IO.Compression;

namespace MiniVmm.Display;

/// <summary>
/// A picture as a PNG file (ISO/IEC 15948): 8 bits of red, green and blue, one IDAT chunk. By hand, as an encoder of such files
/// is 60 lines over the framework's zlib, and a library for it brings decoders of everything.
/// </summary>
internal static class PngFile
{
    private const int BytesPerPixel = 3;
    private const byte TrueColour = 2;

    /// <summary>Filter type 2: each byte is the difference to the one above, as most lines of a screen are like the one above.</summary>
    private const byte Up = 2;

    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0d, 0x0a, 0x1a, 0x0a];

    /// <summary>The file's bytes.</summary>
    public static byte[] Encode(ScreenImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        using MemoryStream file = new();
        file.Write(Signature);
        Span<byte> header = stackalloc byte[13];
        header.Clear();
        BinaryPrimitives.WriteInt32BigEndian(header, image.Width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], image.Height);
        header[8] = 8; // bits of a sample
        header[9] = TrueColour;
        WriteChunk(file, "IHDR"u8, header);
        WriteChunk(file, "IDAT"u8, Compress(image));
        WriteChunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    private static ReadOnlySpan<byte> Compress(ScreenImage image)
    {
        MemoryStream compressed = new();
        using (ZLibStream zlib = new(compressed, CompressionLevel.Optimal, leaveOpen: true))
        {
            byte[] line = new byte[1 + (image.Width * BytesPerPixel)];
            byte[] above = new byte[line.Length];
            byte[] difference = new byte[line.Length];
            difference[0] = Up;
            for (int y = 0; y < image.Height; y++)
            {
                Unpack(image.Line(y), line.AsSpan(1));
                for (int i = 1; i < line.Length; i++)
                    difference[i] = (byte)(line[i] - above[i]);
                zlib.Write(difference);
                (line, above) = (above, line);
            }
        }

        return compressed.GetBuffer().AsSpan(0, (int)compressed.Length);
    }

    private static void Unpack(ReadOnlySpan<uint> pixels, Span<byte> into)
    {
        for (int i = 0; i < pixels.Length; i++)
        {
            into[i * BytesPerPixel] = (byte)(pixels[i] >> 16);
            into[(i * BytesPerPixel) + 1] = (byte)(pixels[i] >> 8);
            into[(i * BytesPerPixel) + 2] = (byte)pixels[i];
        }
    }

    private static void WriteChunk(MemoryStream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        file.Write(type);
        file.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~Crc(Crc(uint.MaxValue, type), data));
        file.Write(number);
    }

    /// <summary>CRC-32 as in ISO 3309, four bits at a time.</summary>
    private static uint Crc(uint crc, ReadOnlySpan<byte> data)
    {
        ReadOnlySpan<uint> table =
        [
            0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
            0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
        ];
        foreach (byte value in data)
        {
            crc ^= value;
            crc = (crc >> 4) ^ table[(int)(crc & 0x0f)];
            crc = (crc >> 4) ^ table[(int)(crc & 0x0f)];
        }

        return crc;
    }
}
