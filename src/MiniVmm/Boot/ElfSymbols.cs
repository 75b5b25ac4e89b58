using System.Text;
using static MiniVmm.Boot.ElfFile;

namespace MiniVmm.Boot;

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

    private readonly ReadOnlyMemory<byte> _file;
    private readonly bool _is64;
    private readonly List<ElfProgramHeader> _loads;
    private readonly (int Offset, int Count) _symbols;
    private readonly (int Offset, int Length) _names;

    private ElfSymbols(
        ReadOnlyMemory<byte> file, ElfFile elf, (int Offset, int Count) symbols, (int Offset, int Length) names)
    {
        _file = file;
        _is64 = elf.Is64;
        _loads = [.. elf.ProgramHeaders.Where(header => header.Type == ElfSegmentType.Load)];
        _symbols = symbols;
        _names = names;
    }

    private int SymbolSize => _is64 ? 24 : 16;

    /// <summary>The symbols of a kernel's file; null if it is not an ELF file or has no readable table.</summary>
    public static ElfSymbols? Find(ReadOnlyMemory<byte> file)
    {
        if (!ElfFile.HasMagic(file.Span))
            return null;
        ElfFile elf;
        try
        {
            elf = ElfFile.Parse("", file);
        }
        catch (BadInputException)
        {
            return null;
        }

        ReadOnlySpan<byte> bytes = file.Span;
        ulong sections = elf.Is64 ? U64(bytes, 40) : U32(bytes, 32);
        int size = elf.Is64 ? 64 : 40;
        int count = U16(bytes, elf.Is64 ? 60 : 48);
        if (U16(bytes, elf.Is64 ? 58 : 46) != size || !InFile(bytes, sections, (ulong)(count * size)))
            return null;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> section = bytes.Slice((int)sections + (i * size), size);
            if (U32(section, 4) != SymbolTable)
                continue;
            (ulong at, ulong length) = Extent(section, elf.Is64);
            uint link = U32(section, elf.Is64 ? 40 : 24);
            if (link >= count || !InFile(bytes, at, length))
                return null;
            (ulong namesAt, ulong namesLength) = Extent(bytes.Slice((int)sections + ((int)link * size), size), elf.Is64);
            if (!InFile(bytes, namesAt, namesLength))
                return null;
            int symbolSize = elf.Is64 ? 24 : 16;
            return new(file, elf, ((int)at, (int)length / symbolSize), ((int)namesAt, (int)namesLength));
        }

        return null;
    }

    /// <summary>
    /// The symbol that contains an address, as in "main+0x12"; null for an address outside of the kernel.
    /// </summary>
    /// <param name="linear">The address as the processor uses it.</param>
    /// <param name="physical">
    /// The guest-physical address behind it: a kernel linked to high addresses starts at low ones.
    /// </param>
    public string? Describe(ulong linear, ulong? physical)
    {
        foreach (ElfProgramHeader load in _loads)
        {
            if (linear - load.VirtualAddress < load.MemorySize)
                return Nearest(linear);
        }

        foreach (ElfProgramHeader load in _loads)
        {
            if (physical is { } at && at - load.PhysicalAddress < load.MemorySize)
                return Nearest(unchecked(at - load.PhysicalAddress + load.VirtualAddress));
        }

        return null;
    }

    private string? Nearest(ulong address)
    {
        ReadOnlySpan<byte> table = _file.Span.Slice(_symbols.Offset, _symbols.Count * SymbolSize);
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
        ReadOnlySpan<byte> rest = _file.Span.Slice(_names.Offset, _names.Length)[(int)offset..];
        int length = rest.IndexOf((byte)0);
        return length is > 0 and <= MaxNameBytes && !rest[..length].ContainsAnyExceptInRange((byte)0x21, (byte)0x7e)
            ? Encoding.ASCII.GetString(rest[..length])
            : null;
    }

    private static (ulong Offset, ulong Length) Extent(ReadOnlySpan<byte> section, bool is64) => is64
        ? (U64(section, 24), U64(section, 32))
        : (U32(section, 16), U32(section, 20));
}
