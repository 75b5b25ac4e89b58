using System.Buffers.Binary;

namespace MiniVmm.Boot;

/// <summary>
/// A multiboot header where no boot loader looks for it: beyond the first 8 KiB of the file (32 KiB for version 2), or not on a
/// multiple of 4 (8). The linker put its section there. Such a kernel expects what the header promises it, and is not to be entered
/// without.
/// </summary>
internal static class MisplacedHeader
{
    private const int MinimumSize = 12, MinimumSize2 = 16;

    /// <summary>Looks for one in a file that has none in its place.</summary>
    /// <returns>What is wrong with it, and what to do; null where there is none.</returns>
    public static string? Find(ReadOnlySpan<byte> file) =>
        Find(file, MultibootHeader.Magic, MinimumSize, IsHeader) is { } at
            ? Fault("multiboot", at, MultibootHeader.SearchLimit, 4)
            : Find(file, Multiboot2Header.Magic, MinimumSize2, IsHeader2) is { } at2
                ? Fault("multiboot 2", at2, Multiboot2Header.SearchLimit, 8)
                : null;

    private delegate bool Check(ReadOnlySpan<byte> header);

    /// <summary>
    /// The first header that is the file's own. One that an ELF file within it has, so close behind its start that loaders would find it
    /// there, belongs to another kernel, which this one has with it as a payload.
    /// </summary>
    private static int? Find(ReadOnlySpan<byte> file, uint magic, int size, Check isHeader)
    {
        Span<byte> wanted = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(wanted, magic);
        int scanned = 1; // the file's own start is no payload's
        int payload = int.MinValue;
        for (int at = 0; file[at..].IndexOf(wanted) is >= 0 and int found; at++)
        {
            at += found;
            if (file.Length - at < size)
                return null;
            if (!isHeader(file[at..]))
                continue;
            if (at > scanned && file[scanned..at].LastIndexOf("\u007fELF"u8) is >= 0 and int start)
                payload = scanned + start;
            scanned = at;
            if ((long)at - payload > Multiboot2Header.SearchLimit)
                return at;
        }

        return null;
    }

    /// <summary>The three words of a header add up to 0: where code compares with the magic, they do not.</summary>
    private static bool IsHeader(ReadOnlySpan<byte> at) => unchecked(U32(at, 0) + U32(at, 4) + U32(at, 8)) == 0;

    private static bool IsHeader2(ReadOnlySpan<byte> at) =>
        unchecked(U32(at, 0) + U32(at, 4) + U32(at, 8) + U32(at, 12)) == 0 && U32(at, 4) == Multiboot2Header.ArchitectureI386
        && U32(at, 8) is >= MinimumSize2 and <= Multiboot2Header.SearchLimit;

    private static string Fault(string protocol, int at, int limit, int alignment) =>
        at % alignment != 0
            ? $"the {protocol} header at 0x{at:x} is not on a multiple of {alignment}, where loaders look for it; align its section"
            : $"the {protocol} header at 0x{at:x} lies beyond the first {limit / 1024} KiB, where loaders look for it; put its section first "
                + "in the linker script, and link with -z max-page-size=0x1000 where that leaves a gap before it";

    private static uint U32(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);
}
