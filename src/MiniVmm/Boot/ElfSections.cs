using System.Buffers.Binary;
using MiniVmm.Memory;
using static MiniVmm.Boot.ElfFile;

namespace MiniVmm.Boot;

/// <summary>
/// A kernel's section headers as multiboot hands them over: with the addresses where the sections lie in memory, also of
/// those that no segment loads, such as the symbols (ELF gABI, ch. 4).
/// </summary>
/// <param name="Count">Headers in the table.</param>
/// <param name="EntrySize">Bytes of each.</param>
/// <param name="NamesIndex">The header of the section with the names.</param>
/// <param name="Table">The headers; sh_addr is as linked, and physical where MiniVmm chose it.</param>
internal sealed record ElfSections(uint Count, uint EntrySize, uint NamesIndex, byte[] Table)
{
    /// <summary>More headers than any kernel has; each costs a look.</summary>
    private const int MaxSections = 1024;

    private const uint NoBits = 8; // SHT_NOBITS
    private const uint Alloc = 1 << 1; // SHF_ALLOC

    /// <summary>Places the sections that no segment has, above 1 MiB, and gives the table.</summary>
    /// <param name="plan">Holds the kernel already.</param>
    /// <param name="elf">The kernel.</param>
    /// <param name="notes">Gets a line where one has no room.</param>
    /// <returns>Null for a file without headers, or whose headers do not lie in it.</returns>
    public static ElfSections? Place(LoadPlan plan, ElfFile elf, List<string> notes)
    {
        ReadOnlySpan<byte> file = elf.File.Span;
        ulong at = elf.Is64 ? U64(file, 40) : U32(file, 32);
        int size = U16(file, elf.Is64 ? 58 : 46);
        int count = U16(file, elf.Is64 ? 60 : 48);
        if (size != (elf.Is64 ? 64 : 40) || count is 0 or > MaxSections || !InFile(file, at, (ulong)(count * size)))
            return null;
        byte[] table = file.Slice((int)at, count * size).ToArray();
        for (int i = 0; i < count; i++)
        {
            Span<byte> section = table.AsSpan(i * size, size);
            ulong address = elf.Is64 ? U64(section, 16) : U32(section, 12);
            ulong flags = elf.Is64 ? U64(section, 8) : U32(section, 8);
            (ulong Offset, ulong Length) contents = elf.Is64
                ? (U64(section, 24), U64(section, 32))
                : (U32(section, 16), U32(section, 20));
            bool isLoaded = (flags & Alloc) != 0 || address != 0;
            if (isLoaded || contents.Length == 0 || U32(section, 4) is 0 or NoBits
                || !InFile(file, contents.Offset, contents.Length))
                continue;
            ReadOnlyMemory<byte> data = elf.File.Slice((int)contents.Offset, (int)contents.Length);
            if (plan.TryPlaceLowest($"ELF section {i}", data, MemoryLayout.HighMemory, plan.Memory.LowRamEnd) is { } placed)
                SetAddress(section, elf.Is64, placed);
            else
                notes.Add($"ELF section {i}: no room for its {contents.Length} bytes, so that the kernel does not get it");
        }

        return new((uint)count, (uint)size, U16(file, elf.Is64 ? 62 : 50), table);
    }

    private static void SetAddress(Span<byte> section, bool is64, ulong address)
    {
        if (is64)
            BinaryPrimitives.WriteUInt64LittleEndian(section[16..], address);
        else
            BinaryPrimitives.WriteUInt32LittleEndian(section[12..], (uint)address);
    }
}
