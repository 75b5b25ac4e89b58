using System.Buffers.Binary;
using MiniVmm.Memory;

namespace MiniVmm.Boot.Limine;

/// <summary>
/// An executable of the Limine protocol as it will lie in memory: one contiguous range, as far from its virtual addresses as
/// the first page is; in bytes of its own, since requests are answered in it. Dispose it once it is in guest memory.
/// </summary>
internal sealed class LimineImage : IDisposable
{
    /// <summary>Executables lie here or above.</summary>
    public const ulong LowestVirtual = 0xffff_ffff_8000_0000;

    private const ulong Page = 4 * MemoryLayout.KiB;

    private readonly List<Part> _parts = [];
    private readonly ulong _slide;

    private LimineImage(ulong virtualBase, ulong physicalBase, ulong size, ulong slide)
    {
        VirtualBase = virtualBase;
        PhysicalBase = physicalBase;
        Size = size;
        _slide = slide;
    }

    /// <summary>A segment: its header, where it lies, and its bytes.</summary>
    public readonly record struct Part(ElfProgramHeader Header, ulong Virtual, NativeBuffer Bytes);

    public ulong VirtualBase { get; }

    public ulong PhysicalBase { get; }

    /// <summary>Bytes of all of it, whole pages.</summary>
    public ulong Size { get; }

    public IReadOnlyList<Part> Parts => _parts;

    /// <summary>Reads the segments into memory and places them above 1 MiB.</summary>
    /// <exception cref="BadInputException">No room, or addresses or relocations that cannot be.</exception>
    public static LimineImage Place(LoadPlan plan, string name, ElfFile elf)
    {
        (ulong start, ulong size) = VirtualExtent(name, elf);
        ulong slide = start >= LowestVirtual ? 0 : LowestVirtual - start;
        if (slide != 0 && !elf.IsPositionIndependent)
        {
            throw new BadInputException(
                $"{name}: a Limine executable linked to 0x{start:x}; it must be at 0x{LowestVirtual:x} or above, or relocatable");
        }

        if (unchecked(start + slide) > ulong.MaxValue - size)
            throw new BadInputException($"{name}: 0x{size:x} bytes from 0x{start:x} run past the end of the address space");
        ulong physical = plan.LowestFree(size, Page, MemoryLayout.HighMemory, plan.Memory.LowRamEnd)
            ?? throw new BadInputException(
                $"{name}: its {size} bytes do not fit in RAM{plan.MemoryAdvice(MemoryLayout.HighMemory + size)}");
        LimineImage image = new(unchecked(start + slide), physical, size, slide);
        try
        {
            foreach (ElfProgramHeader header in elf.ProgramHeaders)
            {
                if (header.Type == ElfSegmentType.Load && header.MemorySize != 0)
                    image.Add(plan, elf, header);
            }

            image.Relocate(name, elf);
            return image;
        }
        catch
        {
            image.Dispose();
            throw;
        }
    }

    /// <summary>The bytes from the file at a virtual address, which may be written.</summary>
    /// <param name="linked">The address as linked.</param>
    /// <param name="length">How many must be there.</param>
    /// <param name="bytes">They and what follows them.</param>
    public bool TryGet(ulong linked, int length, out Span<byte> bytes) => TryGetPointed(unchecked(linked + _slide), length, out bytes);

    /// <summary>The same at an address as the executable has it where it lies: in a pointer of its own.</summary>
    public bool TryGetPointed(ulong address, int length, out Span<byte> bytes)
    {
        foreach (Part part in _parts)
        {
            if (address < part.Virtual || address - part.Virtual >= (ulong)part.Bytes.Length)
                continue;
            bytes = part.Bytes.GetSpan()[(int)(address - part.Virtual)..];
            return bytes.Length >= length;
        }

        bytes = default;
        return false;
    }

    /// <summary>An address as linked, where it lies now.</summary>
    public ulong Moved(ulong linked) => unchecked(linked + _slide);

    /// <summary>Whether a virtual address is in it.</summary>
    public bool Contains(ulong address) => address >= VirtualBase && address - VirtualBase < Size;

    public void Dispose()
    {
        foreach (Part part in _parts)
            part.Bytes.Dispose();
    }

    private static (ulong Start, ulong Size) VirtualExtent(string name, ElfFile elf)
    {
        ulong start = ulong.MaxValue;
        ulong end = 0;
        foreach (ElfProgramHeader header in elf.ProgramHeaders)
        {
            if (header.Type != ElfSegmentType.Load || header.MemorySize == 0)
                continue;
            if (header.VirtualAddress > ulong.MaxValue - header.MemorySize - Page)
            {
                throw new BadInputException($"{name}: ELF program header {header.Index}: p_vaddr 0x{header.VirtualAddress:x} with " +
                    $"p_memsz 0x{header.MemorySize:x} runs past the end of the address space");
            }

            start = Math.Min(start, header.VirtualAddress & ~(Page - 1));
            end = Math.Max(end, (header.VirtualAddress + header.MemorySize + Page - 1) & ~(Page - 1));
        }

        return end != 0
            ? (start, end - start)
            : throw new BadInputException($"{name}: the ELF file has no PT_LOAD segment with anything in it");
    }

    private void Add(LoadPlan plan, ElfFile elf, in ElfProgramHeader header)
    {
        ReadOnlySpan<byte> contents = elf.Contents(header).Span;
        ulong at = unchecked(header.VirtualAddress + _slide);
        // Its place first: segments that lie over each other are refused before there are bytes for each.
        GuestRange range = new(PhysicalBase + (at - VirtualBase), header.MemorySize);
        plan.Add($"ELF segment {header.Index}", range.Start, default, range.Length);
        NativeBuffer bytes = new(contents.Length);
        contents.CopyTo(bytes.GetSpan());
        _parts.Add(new(header, at, bytes));
        plan.Fill(range.Start, bytes.Memory);
    }

    /// <summary>What a static position-independent executable needs: relative relocations (x86-64 psABI, 4.4).</summary>
    private void Relocate(string name, ElfFile elf)
    {
        if (!elf.IsPositionIndependent
            || elf.ProgramHeaders.FirstOrDefault(header => header.Type == ElfSegmentType.Dynamic) is not { FileSize: > 0 } dynamic)
            return;
        if (!elf.HasBytes(dynamic))
        {
            throw new BadInputException(
                $"{name}: its dynamic section (program header {dynamic.Index}), which names its relocations, runs past the end of the file");
        }

        const long rela = 7, relaSize = 8, relaEntry = 9, relr = 36;
        ulong table = 0, size = 0, entry = 24;
        ReadOnlySpan<byte> tags = elf.Contents(dynamic).Span;
        for (; tags.Length >= 16; tags = tags[16..])
        {
            ulong value = BinaryPrimitives.ReadUInt64LittleEndian(tags[8..]);
            switch (BinaryPrimitives.ReadInt64LittleEndian(tags))
            {
                case 0:
                    tags = default;
                    break;
                case rela:
                    table = value;
                    break;
                case relaSize:
                    size = value;
                    break;
                case relaEntry:
                    entry = value;
                    break;
                case relr:
                    throw BadInputException.OfNoKernel($"{name}: a Limine executable with packed relocations (DT_RELR), which MiniVmm does not apply");
            }

            if (tags.IsEmpty)
                break;
        }

        if (size == 0)
            return;
        if (entry != 24 || size > int.MaxValue || !TryGet(table, (int)size, out Span<byte> entries))
            throw new BadInputException($"{name}: its relocations (DT_RELA 0x{table:x}, 0x{size:x} bytes) are not in what is loaded");
        for (entries = entries[..(int)size]; entries.Length >= 24; entries = entries[24..])
            Apply(name, entries);
    }

    private void Apply(string name, ReadOnlySpan<byte> entry)
    {
        const uint none = 0, relative = 8;
        ulong target = BinaryPrimitives.ReadUInt64LittleEndian(entry);
        uint type = BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]);
        ulong addend = BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]);
        if (type == none)
            return;
        if (type != relative)
            throw BadInputException.OfNoKernel($"{name}: a Limine executable with a relocation of type {type}, which needs a dynamic linker");
        if (!TryGet(target, sizeof(ulong), out Span<byte> place))
            throw new BadInputException($"{name}: a relocation of 0x{target:x}, which is not in what is loaded from the file");
        BinaryPrimitives.WriteUInt64LittleEndian(place, unchecked(addend + _slide));
    }
}
