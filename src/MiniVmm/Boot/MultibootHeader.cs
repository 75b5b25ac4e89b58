using System.Buffers.Binary;

namespace MiniVmm.Boot;

/// <summary>
/// Where the a.out kludge says to put the file's bytes (Multiboot 0.6.96, 3.1.3); physical addresses.
/// </summary>
internal readonly record struct MultibootAddresses(
    uint HeaderAddress, uint LoadAddress, uint LoadEndAddress, uint BssEndAddress, uint EntryAddress);

/// <summary>The video mode that the header prefers (Multiboot 0.6.96, 3.1.4); 0 stands for any size.</summary>
/// <param name="IsText">80×25 letters rather than dots.</param>
/// <param name="Width">Dots of a line.</param>
/// <param name="Height">Lines.</param>
internal readonly record struct MultibootVideo(bool IsText, uint Width, uint Height);

/// <summary>The header that marks a multiboot 1 kernel (Multiboot 0.6.96, 3.1).</summary>
/// <param name="Offset">Where in the file it is.</param>
/// <param name="Flags">What the kernel asks for.</param>
/// <param name="Addresses">Load addresses, when the header has them.</param>
/// <param name="Video">The video mode, when it wants one.</param>
internal readonly record struct MultibootHeader(
    int Offset, uint Flags, MultibootAddresses? Addresses, MultibootVideo? Video = null)
{
    public const uint Magic = 0x1bad_b002;

    /// <summary>Modules start on page boundaries.</summary>
    public const uint PageAlign = 1 << 0;

    /// <summary>The memory fields and map are filled in.</summary>
    public const uint MemoryInfo = 1 << 1;

    /// <summary>A graphics mode is wanted.</summary>
    private const uint VideoMode = 1 << 2;

    /// <summary>Bits 0–15 are requirements: a loader that does not provide one must refuse the kernel.</summary>
    private const uint Required = 0xffff;

    public const uint HasAddresses = 1 << 16;

    /// <summary>The refusal of a file without a header.</summary>
    public const string NoHeader = "no header in the first 8 KiB";

    /// <summary>Bytes of a file's start that hold the header.</summary>
    public const int SearchLimit = 8192;

    private const int MinimumSize = 12;
    private const int AddressesEnd = 32;
    private const int VideoEnd = 44;
    private const uint TextMode = 1;

    /// <summary>What the kernel requires and MiniVmm does not provide, by bit; null when all is provided.</summary>
    public string? Unmet
    {
        get
        {
            uint missing = Flags & Required & ~(PageAlign | MemoryInfo | VideoMode);
            if (missing == 0)
                return null;
            IEnumerable<string> bits = Enumerable.Range(0, 16).Where(bit => (missing >> bit & 1) != 0)
                .Select(bit => $"bit {bit}, which multiboot 1 does not define");
            return $"the header at 0x{Offset:x} requires more than MiniVmm provides (flags 0x{Flags:x}: " +
                $"{string.Join("; ", bits)})";
        }
    }

    /// <summary>Looks for the header: 4-byte aligned, wholly within the first 8192 bytes, its checksum right.</summary>
    /// <param name="file">The file.</param>
    /// <param name="refusal">Why none was found.</param>
    public static MultibootHeader? Find(ReadOnlySpan<byte> file, out string refusal)
    {
        refusal = NoHeader;
        int end = Math.Min(file.Length, SearchLimit);
        for (int offset = 0; offset <= end - MinimumSize; offset += 4)
        {
            if (U32(file, offset) != Magic)
                continue;
            uint flags = U32(file, offset + 4);
            if (unchecked(Magic + flags + U32(file, offset + 8)) != 0)
            {
                refusal = $"magic at 0x{offset:x}, but the checksum there is wrong";
                continue;
            }

            MultibootVideo? video = null;
            if ((flags & VideoMode) != 0)
            {
                if (offset > end - VideoEnd)
                {
                    refusal = $"the header at 0x{offset:x} is cut off before its video fields end";
                    continue;
                }

                video = new(U32(file, offset + 32) == TextMode, U32(file, offset + 36), U32(file, offset + 40));
            }

            if ((flags & HasAddresses) == 0)
                return new(offset, flags, null, video);
            if (offset > end - AddressesEnd)
            {
                refusal = $"the header at 0x{offset:x} is cut off before its address fields end";
                continue;
            }

            ReadOnlySpan<byte> at = file[offset..];
            return new(offset, flags, new(U32(at, 12), U32(at, 16), U32(at, 20), U32(at, 24), U32(at, 28)), video);
        }

        return null;
    }

    private static uint U32(ReadOnlySpan<byte> file, int offset) =>
        BinaryPrimitives.ReadUInt32LittleEndian(file[offset..]);
}
