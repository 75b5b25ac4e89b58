using System.Buffers.Binary;
using K4os.Compression.LZ4;

namespace MiniVmm.Boot.Payload;

/// <summary>The LZ4 frame format, which lz4(1) writes (lz4_Frame_format.md 1.6); checksums are not looked at.</summary>
internal static class Lz4Frame
{
    private const uint Magic = 0x184d_2204;
    private const uint SkippableMagic = 0x184d_2a50;
    private const uint SkippableMask = 0xffff_fff0;
    private const uint Uncompressed = 1u << 31;
    private const int LongestMatch = 64 * 1024;

    // FLG: version in bits 7-6, then the presence of optional parts.
    private const int BlockChecksums = 1 << 4;
    private const int ContentSize = 1 << 3;
    private const int ContentChecksum = 1 << 2;
    private const int DictionaryId = 1 << 0;

    /// <exception cref="InvalidDataException">Broken, or more than the output holds.</exception>
    public static int Decompress(ReadOnlySpan<byte> input, Span<byte> output)
    {
        int written = 0;
        while (input.Length >= sizeof(uint))
        {
            uint magic = BinaryPrimitives.ReadUInt32LittleEndian(input);
            if ((magic & SkippableMask) == SkippableMagic)
            {
                input = Skip(Skip(input, 2 * sizeof(uint), out ReadOnlySpan<byte> head), U32(head, sizeof(uint)), out _);
                continue;
            }

            if (magic != Magic)
                throw new InvalidDataException($"0x{magic:x8} where a frame starts");
            input = Frame(input[sizeof(uint)..], output, ref written);
        }

        return written;
    }

    private static ReadOnlySpan<byte> Frame(ReadOnlySpan<byte> input, Span<byte> output, scoped ref int written)
    {
        // FLG, BD, the optional fields, and a checksum of them.
        int flags = input.IsEmpty ? 0 : input[0];
        if (flags >> 6 != 1)
            throw new InvalidDataException($"frame version {flags >> 6}, not 1");
        if ((flags & DictionaryId) != 0)
            throw new InvalidDataException("it needs a dictionary");
        input = Skip(input, (flags & ContentSize) != 0 ? 11u : 3u, out _);
        int start = written;
        while (true)
        {
            input = Skip(input, sizeof(uint), out ReadOnlySpan<byte> head);
            uint size = U32(head, 0);
            if (size == 0)
                return Skip(input, (flags & ContentChecksum) != 0 ? 4u : 0u, out _);
            input = Skip(input, size & ~Uncompressed, out ReadOnlySpan<byte> block);
            Span<byte> room = output[written..];
            if ((size & Uncompressed) != 0)
            {
                if (block.Length > room.Length)
                    throw new InvalidDataException("more than there is room for");
                block.CopyTo(room);
                written += block.Length;
            }
            else
            {
                // Blocks may refer to what the frame's last 64 KiB unpacked to.
                ReadOnlySpan<byte> before = output[Math.Max(start, written - LongestMatch)..written];
                int length = LZ4Codec.Decode(block, room, before);
                if (length < 0)
                    throw new InvalidDataException("a block does not decode, or to more than there is room for");
                written += length;
            }

            input = Skip(input, (flags & BlockChecksums) != 0 ? 4u : 0u, out _);
        }
    }

    private static ReadOnlySpan<byte> Skip(ReadOnlySpan<byte> input, uint length, out ReadOnlySpan<byte> skipped)
    {
        if (length > (uint)input.Length)
            throw new InvalidDataException("it is cut off");
        skipped = input[..(int)length];
        return input[(int)length..];
    }

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
}
