namespace MiniVmm.Boot.Payload;

/// <summary>
/// An .xz file with LZMA2 and, as kernels have it, the x86 branch filter ("The .xz File Format", tukaani.org).
/// Checksums of the contents are left alone: the range coder's end tells damage almost as well, and costs nothing.
/// </summary>
internal static class XzFile
{
    private const int StreamHeaderSize = 12;
    private const ulong FilterX86 = 0x04;
    private const ulong FilterLzma2 = 0x21;

    private const byte CompressedSizePresent = 0x40;
    private const byte UnpackedSizePresent = 0x80;

    /// <exception cref="InvalidDataException">A broken file, or a filter that kernels do not use.</exception>
    public static int Decompress(ReadOnlySpan<byte> input, Span<byte> output)
    {
        if (input.Length < StreamHeaderSize)
            throw new InvalidDataException("the .xz header is cut off");
        // Sizes of the check that follows a block, by its type (section 2.1.1.2).
        int type = input[7] & 0x0f;
        int checkSize = type == 0 ? 0 : 4 << ((type - 1) / 3);

        int position = StreamHeaderSize;
        int written = 0;
        // A size byte of 0 is the index's: the blocks are over.
        while (At(input, position) is > 0 and int sizeByte)
        {
            int headerSize = (sizeByte + 1) * 4;
            if (headerSize > input.Length - position)
                throw new InvalidDataException("an .xz block header is cut off");
            bool isBranchFiltered = ReadBlockHeader(input.Slice(position, headerSize - 4));
            position += headerSize;

            int start = position;
            Span<byte> room = output[written..];
            int length = Lzma2.Decompress(input, ref position, room);
            if (isBranchFiltered)
                X86BranchFilter.Decode(room[..length]);
            written += length;
            int padding = -(position - start) & 3;
            position += padding + checkSize;
        }

        return written;
    }

    private static bool ReadBlockHeader(ReadOnlySpan<byte> header)
    {
        int flags = At(header, 1);
        int filters = (flags & 3) + 1;
        int position = 2;
        if ((flags & CompressedSizePresent) != 0)
            ReadInteger(header, ref position);
        if ((flags & UnpackedSizePresent) != 0)
            ReadInteger(header, ref position);

        bool isBranchFiltered = false;
        for (int i = 0; i < filters; i++)
        {
            ulong id = ReadInteger(header, ref position);
            ulong size = ReadInteger(header, ref position);
            bool isLast = i == filters - 1;
            if (isLast ? id != FilterLzma2 : id != FilterX86 || isBranchFiltered || size != 0)
                throw new InvalidDataException($"an .xz filter 0x{id:x} that kernels do not use");
            isBranchFiltered |= !isLast;
            if (size > (ulong)(header.Length - position))
                throw new InvalidDataException("an .xz filter's properties are cut off");
            position += (int)size;
        }

        return isBranchFiltered;
    }

    // Seven bits a byte, the lowest first (section 1.2).
    private static ulong ReadInteger(ReadOnlySpan<byte> bytes, ref int position)
    {
        ulong value = 0;
        for (int shift = 0; shift < 63; shift += 7)
        {
            int next = At(bytes, position++);
            value |= (ulong)(next & 0x7f) << shift;
            if ((next & 0x80) == 0)
                return value;
        }

        throw new InvalidDataException("an .xz integer is too long");
    }

    private static int At(ReadOnlySpan<byte> bytes, int position) => (uint)position < (uint)bytes.Length
        ? bytes[position]
        : throw new InvalidDataException("the .xz file ends too early");
}
