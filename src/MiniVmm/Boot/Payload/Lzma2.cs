using System.Buffers.Binary;

namespace MiniVmm.Boot.Payload;

/// <summary>
/// LZMA2: chunks of LZMA or plain bytes, each with its sizes ahead (xz, doc/lzma2 in xz-embedded's terms).
/// </summary>
internal static class Lzma2
{
    private const int PlainHeader = 3;
    private const int LzmaHeader = 5;

    /// <param name="input">Holds the chunks.</param>
    /// <param name="position">Where they start; afterwards, the first byte past them.</param>
    /// <param name="output">Filled from its start.</param>
    /// <returns>Bytes written.</returns>
    /// <exception cref="InvalidDataException">A broken stream, or more output than room.</exception>
    public static int Decompress(ReadOnlySpan<byte> input, ref int position, Span<byte> output)
    {
        LzmaDecoder decoder = new(input, output);
        bool needsDictionary = true;
        bool needsProperties = true;
        bool needsState = true;
        while (true)
        {
            ReadOnlySpan<byte> chunk = input[Math.Min(position, input.Length)..];
            if (chunk.IsEmpty)
                throw new InvalidDataException("the LZMA2 stream ends too early");
            byte control = chunk[0];
            if (control == 0)
            {
                position++;
                return decoder.OutputPosition;
            }

            bool isLzma = control >= 0x80;
            if (chunk.Length < (isLzma ? LzmaHeader + 1 : PlainHeader) || (!isLzma && control > 2))
                throw new InvalidDataException($"LZMA2 control byte 0x{control:x}");
            if (control == 1 || control >= 0xe0)
            {
                needsDictionary = false;
                decoder.ResetDictionary();
            }

            if (needsDictionary)
                throw new InvalidDataException("the first LZMA2 chunk does not reset the dictionary");

            int size = BinaryPrimitives.ReadUInt16BigEndian(chunk[1..]) + 1;
            if (isLzma)
                size += (control & 0x1f) << 16;
            if (size > output.Length - decoder.OutputPosition)
                throw new InvalidDataException("LZMA2 chunks hold more than was promised");

            if (!isLzma)
            {
                if (size > chunk.Length - PlainHeader)
                    throw new InvalidDataException("an LZMA2 chunk is cut off");
                chunk.Slice(PlainHeader, size).CopyTo(output[decoder.OutputPosition..]);
                decoder.OutputPosition += size;
                position += PlainHeader + size;
                continue;
            }

            int packed = BinaryPrimitives.ReadUInt16BigEndian(chunk[3..]) + 1;
            int headerSize = LzmaHeader;
            if (control >= 0xc0)
            {
                decoder.SetProperties(chunk[LzmaHeader]);
                headerSize++;
                needsProperties = false;
            }

            needsState &= control < 0xa0;
            if (needsProperties || needsState)
                throw new InvalidDataException("the first LZMA2 chunk has no properties");
            if (control >= 0xa0)
                decoder.ResetState();
            if (packed > chunk.Length - headerSize)
                throw new InvalidDataException("an LZMA2 chunk is cut off");

            int end = position + headerSize + packed;
            int limit = decoder.OutputPosition + size;
            decoder.InputPosition = position + headerSize;
            decoder.StartRangeCoder(end);
            decoder.Decode(limit);
            if (decoder.OutputPosition != limit || decoder.InputPosition != end || !decoder.IsRangeCoderFinished)
                throw new InvalidDataException("an LZMA2 chunk is damaged");
            position = end;
        }
    }
}
