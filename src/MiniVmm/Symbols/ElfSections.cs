using System.IO.Compression;
using System.Text;
using static MiniVmm.Boot.ElfFile;

namespace MiniVmm.Symbols;

/// <summary>One section of an ELF file; its bytes lie in the file (ELF gABI, ch. 4).</summary>
/// <param name="Name">As in ".symtab".</param>
/// <param name="Type">SHT_*.</param>
/// <param name="Flags">SHF_*.</param>
/// <param name="Address">Where it lies in memory; 0 for nowhere.</param>
/// <param name="Link">Index of a section that belongs to it.</param>
/// <param name="Contents">Its bytes; empty for those of SHT_NOBITS.</param>
internal readonly record struct ElfSection(
    string Name, uint Type, ulong Flags, ulong Address, uint Link, ReadOnlyMemory<byte> Contents);

/// <summary>
/// The sections of an ELF file. Every offset in it is checked: sections that do not lie in the file are left out, and a file
/// that is no ELF file has none.
/// </summary>
internal sealed class ElfSections
{
    private const uint NoBits = 8; // SHT_NOBITS
    private const ulong Compressed = 0x800; // SHF_COMPRESSED
    private const uint Zlib = 1; // ELFCOMPRESS_ZLIB
    private const int MostUnpacked = 512 << 20;

    private readonly List<ElfSection?> _sections;
    private readonly bool _is64;

    private ElfSections(List<ElfSection?> sections, bool is64)
    {
        _sections = sections;
        _is64 = is64;
    }

    /// <summary>Reads the table.</summary>
    public static ElfSections Of(ReadOnlyMemory<byte> file)
    {
        ReadOnlySpan<byte> bytes = file.Span;
        bool is64 = bytes.Length > 4 && bytes[4] == 2;
        if (!HasMagic(bytes) || bytes.Length < (is64 ? 64 : 52))
            return new([], is64);
        ulong table = is64 ? U64(bytes, 40) : U32(bytes, 32);
        int size = is64 ? 64 : 40;
        int count = U16(bytes, is64 ? 60 : 48);
        if (U16(bytes, is64 ? 58 : 46) != size || !InFile(bytes, table, (ulong)(count * size)))
            return new([], is64);
        ReadOnlyMemory<byte> names = default;
        int namesIndex = U16(bytes, is64 ? 62 : 50);
        if (namesIndex < count)
            names = Read(file, (int)table + namesIndex * size, is64, default)?.Contents ?? default;
        List<ElfSection?> sections = [];
        for (int i = 0; i < count; i++)
            sections.Add(Read(file, (int)table + i * size, is64, names));
        return new(sections, is64);
    }

    /// <summary>A section by its place in the table; null where there is none, or it does not lie in the file.</summary>
    public ElfSection? this[uint index] => index < _sections.Count ? _sections[(int)index] : null;

    /// <summary>The first section of a type (SHT_*).</summary>
    public ElfSection? OfType(uint type) => _sections.Find(section => section is { } found && found.Type == type);

    /// <summary>Whether it is a 64-bit file.</summary>
    public bool Is64 => _is64;

    /// <summary>The first section of a name.</summary>
    public ElfSection? Named(string name) => _sections.Find(section => section is { } found && found.Name == name);

    /// <summary>A section's bytes by its name, unpacked; empty for none.</summary>
    public ReadOnlyMemory<byte> Contents(string name)
    {
        if (Named(name) is not { } section)
            return default;
        return (section.Flags & Compressed) == 0 ? section.Contents : Unpack(section.Contents);
    }

    private ReadOnlyMemory<byte> Unpack(ReadOnlyMemory<byte> packed)
    {
        int header = _is64 ? 24 : 12;
        if (packed.Length < header || U32(packed.Span, 0) != Zlib)
            return default;
        ulong size = _is64 ? U64(packed.Span, 8) : U32(packed.Span, 4);
        if (size > MostUnpacked)
            return default;
        try
        {
            using MemoryStream source = new(packed[header..].ToArray());
            using ZLibStream zlib = new(source, CompressionMode.Decompress);
            using MemoryStream target = new();
            byte[] buffer = new byte[64 << 10];
            for (int read; (read = zlib.Read(buffer)) > 0 && target.Length < (long)size;)
                target.Write(buffer, 0, read);
            return target.ToArray();
        }
        catch (InvalidDataException)
        {
            return default;
        }
    }

    private static ElfSection? Read(ReadOnlyMemory<byte> file, int at, bool is64, ReadOnlyMemory<byte> names)
    {
        ReadOnlySpan<byte> header = file.Span[at..];
        uint type = U32(header, 4);
        ulong flags = is64 ? U64(header, 8) : U32(header, 8);
        ulong address = is64 ? U64(header, 16) : U32(header, 12);
        ulong offset = is64 ? U64(header, 24) : U32(header, 16);
        ulong size = is64 ? U64(header, 32) : U32(header, 20);
        uint link = U32(header, is64 ? 40 : 24);
        if (type == NoBits)
            size = 0;
        return size == 0 || InFile(file.Span, offset, size)
            ? new(Text(names.Span, U32(header, 0)) ?? "", type, flags, address, link, size == 0 ? default : file.Slice((int)offset, (int)size))
            : null;
    }

    /// <summary>A text of a string table, up to its zero; null where it does not end.</summary>
    internal static string? Text(ReadOnlySpan<byte> table, ulong offset)
    {
        if (offset >= (ulong)table.Length)
            return null;
        ReadOnlySpan<byte> rest = table[(int)offset..];
        int length = rest.IndexOf((byte)0);
        return length < 0 ? null : Encoding.UTF8.GetString(rest[..length]);
    }
}
