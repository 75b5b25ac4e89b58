using System.Buffers.Binary;
using K4os.Compression.LZ4;

namespace MiniVmm.Boot.Payload;

/// <summary>
/// LZ4's legacy frame, which the kernel build uses: a magic number, then blocks of at most 8 MiB unpacked, each with
/// its compressed size ahead (lz4_Frame_format.md, "Legacy frame").
/// </summary>
internal static class Lz4Legacy
{
    private const uint Magic = 0x184c_2102;
    private const int BlockSize = 8 << 20;

    /// <exception cref="InvalidDataException">A broken stream.</exception>
    public static int Decompress(ReadOnlySpan<byte> input, Span<byte> output)
    {
        int written = 0;
        input = input[sizeof(uint)..];
        while (input.Length >= sizeof(uint))
        {
            uint size = BinaryPrimitives.ReadUInt32LittleEndian(input);
            input = input[sizeof(uint)..];
            // Frames may follow one another.
            if (size == Magic)
                continue;
            if (size == 0 || size > (uint)input.Length)
                throw new InvalidDataException($"a block of {size} bytes where {input.Length} are left");
            Span<byte> room = output[written..];
            int length = LZ4Codec.Decode(input[..(int)size], room[..Math.Min(room.Length, BlockSize)]);
            if (length < 0)
                throw new InvalidDataException("a block does not decode, or to more than was promised");
            written += length;
            input = input[(int)size..];
        }

        return written;
    }
}
