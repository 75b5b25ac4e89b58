using System.Buffers.Binary;

namespace MiniVmm.Boot;

/// <summary>Where a kernel lets itself be moved to (Multiboot 2.0, 3.1.12); physical addresses.</summary>
/// <param name="Minimum">Lowest address of its first byte.</param>
/// <param name="Maximum">Highest address of its last byte.</param>
/// <param name="Alignment">Of its first byte; a power of two.</param>
/// <param name="Preference">Where in that range.</param>
internal readonly record struct Multiboot2Relocation(
    uint Minimum, uint Maximum, uint Alignment, Multiboot2Preference Preference);

/// <summary>Values of the relocatable tag's last field.</summary>
internal enum Multiboot2Preference : uint
{
    None = 0,
    Low = 1,
    High = 2,
}

/// <summary>A graphics mode that a kernel would like (Multiboot 2.0, 3.1.10).</summary>
/// <param name="Width">Dots; 0 for any.</param>
/// <param name="Height">Lines; 0 for any.</param>
internal sealed record Multiboot2Screen(uint Width, uint Height);

/// <summary>
/// The header that marks a multiboot 2 kernel, with all of its tags (Multiboot 2.0, 3.1). Those of EFI concern EFI machines
/// alone, and a framebuffer is a wish: neither keeps a kernel from being entered here.
/// </summary>
internal sealed record Multiboot2Header
{
    public const uint Magic = 0xe852_50d6;

    /// <summary>The refusal of a file without a header.</summary>
    public const string NoHeader = "no header in the first 32 KiB";

    /// <summary>Bytes of a file's start that hold the header.</summary>
    public const int SearchLimit = 32768;

    public const uint ArchitectureI386 = 0;
    private const int FixedSize = 16;
    private const int TagAlignment = 8;
    private const ushort Optional = 1 << 0;

    /// <summary>The highest type of information that the specification defines.</summary>
    private const uint LastInformation = 21;

    /// <summary>Where in the file it is.</summary>
    public required int Offset { get; init; }

    /// <summary>Load addresses, when the header has them; the entry point is a tag of its own.</summary>
    public MultibootAddresses? Addresses { get; init; }

    /// <summary>Physical address of the first instruction, when the header has it.</summary>
    public uint? Entry { get; init; }

    /// <summary>Where the kernel may be moved to; null for one that stays where it was linked.</summary>
    public Multiboot2Relocation? Relocation { get; init; }

    /// <summary>The graphics mode that the kernel would like; null for one that does not ask, or for text.</summary>
    public Multiboot2Screen? Screen { get; init; }

    /// <summary>The kernel needs a console, and EGA text is none for it.</summary>
    public bool RequiresGraphics { get; init; }

    /// <summary>What the kernel requires and MiniVmm does not provide; null when all is provided.</summary>
    public string? Unmet { get; init; }

    /// <summary>
    /// Looks for the header: 8-byte aligned, wholly within the first 32768 bytes, its checksum right, its tags inside of it.
    /// </summary>
    /// <param name="file">The file.</param>
    /// <param name="refusal">Why none was found.</param>
    public static Multiboot2Header? Find(ReadOnlySpan<byte> file, out string refusal)
    {
        refusal = NoHeader;
        ReadOnlySpan<byte> head = file[..Math.Min(file.Length, SearchLimit)];
        for (int offset = 0; offset <= head.Length - FixedSize; offset += 8)
        {
            ReadOnlySpan<byte> at = head[offset..];
            if (U32(at, 0) != Magic)
                continue;
            uint architecture = U32(at, 4);
            uint length = U32(at, 8);
            if (unchecked(Magic + architecture + length + U32(at, 12)) != 0)
            {
                refusal = $"magic at 0x{offset:x}, but the checksum there is wrong";
                continue;
            }

            if (length < FixedSize || length > (uint)at.Length)
            {
                refusal = $"the header at 0x{offset:x} has a length of {length} bytes, which do not lie in the first 32 KiB " +
                    "of the file";
                continue;
            }

            if (Read(offset, at[..(int)length], architecture, ref refusal) is { } header)
                return header;
        }

        return null;
    }

    private static Multiboot2Header? Read(int offset, ReadOnlySpan<byte> bytes, uint architecture, ref string refusal)
    {
        Multiboot2Header header = new()
        {
            Offset = offset,
            Unmet = architecture == ArchitectureI386
                ? null
                : $"the header at 0x{offset:x} is for architecture {architecture}, not for the PC's (0)",
        };
        int at = FixedSize;
        while (bytes.Length - at >= TagAlignment)
        {
            ushort type = BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);
            ushort flags = BinaryPrimitives.ReadUInt16LittleEndian(bytes[(at + 2)..]);
            uint size = U32(bytes, at + 4);
            if (type == (ushort)Tag.End)
                return header;
            if (size < TagAlignment || size > (uint)(bytes.Length - at))
            {
                refusal = $"the tag at 0x{offset + at:x} (type {type}) has a size of {size} bytes, which do not lie in the header";
                return null;
            }

            if (WithTag(header, (Tag)type, flags, bytes.Slice(at + TagAlignment, (int)size - TagAlignment)) is { } next)
            {
                header = next;
            }
            else
            {
                refusal = $"the tag at 0x{offset + at:x} (type {type}) is too short, with {size} bytes";
                return null;
            }

            at += ((int)size + TagAlignment - 1) & -TagAlignment;
        }

        // Kernels without the tag that ends the list are common, and every loader takes them.
        return header;
    }

    /// <returns>Null for a tag that is too short for its fields.</returns>
    private static Multiboot2Header? WithTag(Multiboot2Header header, Tag type, ushort flags, ReadOnlySpan<byte> fields)
    {
        switch (type)
        {
            case Tag.InformationRequest:
                return (flags & Optional) != 0 ? header : header.Lacking(UnknownInformation(fields));
            case Tag.Addresses:
                return fields.Length < 16
                    ? null
                    : header with { Addresses = new(U32(fields, 0), U32(fields, 4), U32(fields, 8), U32(fields, 12), 0) };
            case Tag.EntryAddress:
                return fields.Length < 4 ? null : header with { Entry = U32(fields, 0) };
            case Tag.ConsoleFlags:
                if (fields.Length < 4)
                    return null;
                const uint consoleRequired = 1 << 0, textSupported = 1 << 1;
                return (U32(fields, 0) & (consoleRequired | textSupported)) == consoleRequired && (flags & Optional) == 0
                    ? header with { RequiresGraphics = true }
                    : header;
            case Tag.Relocatable:
                return WithRelocation(header, fields);
            case Tag.Framebuffer:
                return fields.Length < 12 ? null : header with { Screen = Graphics(U32(fields, 0), U32(fields, 4), U32(fields, 8)) };
            case Tag.ModuleAlignment or Tag.EfiBootServices or Tag.EfiEntry32 or Tag.EfiEntry64:
                return header;
            default:
                return (flags & Optional) != 0
                    ? header
                    : header.Lacking($"requires tag {(ushort)type}, which MiniVmm does not know");
        }
    }

    /// <summary>
    /// A depth of 0 is a text mode's (3.1.10). Kernels also write it for "any", and GRUB gives them graphics; so it counts as text only
    /// with a size in letters.
    /// </summary>
    private static Multiboot2Screen? Graphics(uint width, uint height, uint depth)
    {
        const uint mostColumns = 132, mostRows = 60;
        bool isText = depth == 0 && width is > 0 and <= mostColumns && height is > 0 and <= mostRows;
        return isText ? null : new(width, height);
    }

    private static Multiboot2Header? WithRelocation(Multiboot2Header header, ReadOnlySpan<byte> fields)
    {
        if (fields.Length < 16)
            return null;
        uint alignment = Math.Max(U32(fields, 8), 1);
        return uint.IsPow2(alignment)
            ? header with
            {
                Relocation = new(U32(fields, 0), U32(fields, 4), alignment, (Multiboot2Preference)U32(fields, 12)),
            }
            : header.Lacking($"is relocatable to multiples of 0x{alignment:x}, which is not a power of two");
    }

    /// <summary>
    /// The first type asked for that the specification does not define: the only kind that a loader must refuse. What it
    /// defines and the machine lacks is left out of the information (Multiboot 2.0, 3.1.5).
    /// </summary>
    private static string? UnknownInformation(ReadOnlySpan<byte> types)
    {
        for (; types.Length >= sizeof(uint); types = types[sizeof(uint)..])
        {
            if (U32(types, 0) > LastInformation)
                return $"requires information of type {U32(types, 0)}, which multiboot 2 does not define";
        }

        return null;
    }

    private Multiboot2Header Lacking(string? what) =>
        what is null || Unmet is not null ? this : this with { Unmet = $"the header at 0x{Offset:x} {what}" };

    private static uint U32(ReadOnlySpan<byte> bytes, int offset) =>
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);

    private enum Tag : ushort
    {
        End = 0,
        InformationRequest = 1,
        Addresses = 2,
        EntryAddress = 3,
        ConsoleFlags = 4,
        Framebuffer = 5,
        ModuleAlignment = 6,
        EfiBootServices = 7,
        EfiEntry32 = 8,
        EfiEntry64 = 9,
        Relocatable = 10,
    }
}
