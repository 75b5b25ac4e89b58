using System.Text;
using MiniVmm.Boot;
using static MiniVmm.Boot.ElfFile;

namespace MiniVmm.Symbols;

/// <summary>
/// Names for a kernel's addresses, from the symbol table of its ELF file (ELF gABI, ch. 4). Every offset and index in
/// the file is checked; a file without a table, or with a broken one, has no names.
/// </summary>
internal sealed class ElfSymbols
{
    private const uint SymbolTable = 2; // SHT_SYMTAB
    private const int MaxNameBytes = 200;

    /// <summary>How far after a symbol without a size an address may be, in bytes.</summary>
    private const ulong MaxDistance = 64 << 10;

    private readonly bool _is64;
    private readonly List<ElfProgramHeader> _loads;
    private readonly ReadOnlyMemory<byte> _file;
    private readonly ReadOnlyMemory<byte> _symbols;
    private readonly ReadOnlyMemory<byte> _names;

    private ElfSymbols(ElfFile elf, ReadOnlyMemory<byte> file, ReadOnlyMemory<byte> symbols, ReadOnlyMemory<byte> names)
    {
        _file = file;
        _is64 = elf.Is64;
        _loads = [.. elf.ProgramHeaders.Where(header => header.Type == ElfSegmentType.Load)];
        _symbols = symbols;
        _names = names;
    }

    private int SymbolSize => _is64 ? 24 : 16;

    /// <summary>The symbols of a kernel's file; null if it is not an ELF file or has no readable table.</summary>
    public static ElfSymbols? Find(ReadOnlyMemory<byte> file) => Find(file, ElfSections.Of(file));

    /// <inheritdoc cref="Find(ReadOnlyMemory{byte})"/>
    /// <param name="file">The file.</param>
    /// <param name="sections">Its sections.</param>
    public static ElfSymbols? Find(ReadOnlyMemory<byte> file, ElfSections sections)
    {
        ArgumentNullException.ThrowIfNull(sections);
        if (sections.OfType(SymbolTable) is not { } table || sections[table.Link] is not { } names)
            return null;
        try
        {
            return new(ElfFile.Parse("", file), file, table.Contents, names.Contents);
        }
        catch (BadInputException)
        {
            return null;
        }
    }

    /// <summary>
    /// The symbol that contains an address, as in "main+0x12"; null for an address outside of the kernel.
    /// </summary>
    /// <param name="linear">The address as the processor uses it.</param>
    /// <param name="physical">
    /// The guest-physical address behind it: a kernel linked to high addresses starts at low ones.
    /// </param>
    public string? Describe(ulong linear, ulong? physical) =>
        LinkAddress(linear, physical) is { } address ? Nearest(address) : null;

    /// <summary>The address for which what lies there was linked; null outside of the kernel.</summary>
    /// <inheritdoc cref="Describe"/>
    public ulong? LinkAddress(ulong linear, ulong? physical)
    {
        foreach (ElfProgramHeader load in _loads)
        {
            if (linear - load.VirtualAddress < load.MemorySize)
                return linear;
        }

        foreach (ElfProgramHeader load in _loads)
        {
            if (physical is { } at && at - load.PhysicalAddress < load.MemorySize)
                return unchecked(at - load.PhysicalAddress + load.VirtualAddress);
        }

        return null;
    }

    /// <summary>The address of a symbol; null where there is none of that name.</summary>
    public ulong? AddressOf(ReadOnlySpan<byte> name)
    {
        for (ReadOnlySpan<byte> table = _symbols.Span; table.Length >= SymbolSize; table = table[SymbolSize..])
        {
            uint offset = U32(table, 0);
            if (offset < _names.Length && _names.Length - offset > name.Length && _names.Span[(int)offset..].StartsWith(name)
                && _names.Span[(int)offset + name.Length] == 0 && U16(table, _is64 ? 6 : 14) != 0)
                return _is64 ? U64(table, 8) : U32(table, 4);
        }

        return null;
    }

    /// <summary>What the file loads at an address, as linked, and behind it; empty where it has nothing for it.</summary>
    public ReadOnlyMemory<byte> LoadedAt(ulong address)
    {
        foreach (ElfProgramHeader load in _loads)
        {
            ulong within = address - load.VirtualAddress;
            if (within < load.FileSize && load.Offset < (ulong)_file.Length && within < (ulong)_file.Length - load.Offset)
                return _file[(int)(load.Offset + within)..];
        }

        return default;
    }

    /// <summary>The symbol that contains an address as linked, as in "main+0x12"; null where none does.</summary>
    public string? Nearest(ulong address)
    {
        ReadOnlySpan<byte> table = _symbols.Span;
        string? best = null;
        ulong bestValue = 0;
        bool bestIsFunction = false;
        for (; table.Length >= SymbolSize; table = table[SymbolSize..])
        {
            ulong value = _is64 ? U64(table, 8) : U32(table, 4);
            ulong size = _is64 ? U64(table, 16) : U32(table, 8);
            byte type = (byte)(table[_is64 ? 4 : 12] & 0xf);
            bool isFunction = type == 2;
            if (type > 2 || U16(table, _is64 ? 6 : 14) == 0 || value > address
                || address - value >= (size == 0 ? MaxDistance : size))
                continue; // a section or a file, undefined, or elsewhere
            if (best is not null && (value < bestValue || (value == bestValue && (bestIsFunction || !isFunction))))
                continue;
            if (Name(U32(table, 0)) is { } name)
                (best, bestValue, bestIsFunction) = (name, value, isFunction);
        }

        return best is null ? null : address == bestValue ? best : $"{best}+0x{address - bestValue:x}";
    }

    private string? Name(uint offset)
    {
        if (offset >= _names.Length)
            return null;
        ReadOnlySpan<byte> rest = _names.Span[(int)offset..];
        int length = rest.IndexOf((byte)0);
        return length is > 0 and <= MaxNameBytes && !rest[..length].ContainsAnyExceptInRange((byte)0x21, (byte)0x7e)
            ? Encoding.ASCII.GetString(rest[..length])
            : null;
    }
}
