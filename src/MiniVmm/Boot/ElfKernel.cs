using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// An ELF file's PT_LOAD segments as parts of a load plan, and its entry point as a physical address.
/// </summary>
internal static class ElfKernel
{
    /// <summary>Places every PT_LOAD segment at its p_paddr, or as far from it as a relocated kernel is moved.</summary>
    /// <param name="plan">Gets the segments.</param>
    /// <param name="name">Kernel file, for errors.</param>
    /// <param name="elf">The file.</param>
    /// <param name="slide">Added to each p_paddr, modulo 2^64.</param>
    /// <returns>First address after the highest one.</returns>
    /// <exception cref="BadInputException">No segment, or one that cannot lie where it says.</exception>
    public static ulong Place(LoadPlan plan, string name, ElfFile elf, ulong slide = 0)
    {
        ulong end = 0;
        // The highest first: when RAM is too small, the error then names what the whole kernel needs.
        foreach (ElfProgramHeader header in elf.ProgramHeaders.OrderByDescending(header => header.PhysicalAddress))
        {
            if (header.Type != ElfSegmentType.Load || header.MemorySize == 0)
                continue;
            // Zeros at the end are .bss that objcopy wrote out, megabytes in a Linux kernel: memory is zero already.
            ReadOnlyMemory<byte> data = elf.Contents(header);
            data = data[..(data.Span.LastIndexOfAnyExcept((byte)0) + 1)];
            ulong address = unchecked(header.PhysicalAddress + slide);
            plan.Add($"ELF segment {header.Index}", address, data, header.MemorySize);
            end = Math.Max(end, address + header.MemorySize);
        }

        return end != 0 ? end : throw Empty(name);
    }

    /// <summary>The physical addresses from the lowest PT_LOAD segment to the end of the highest, as linked.</summary>
    /// <exception cref="BadInputException">No segment, or one past the end of the address space.</exception>
    public static GuestRange Extent(string name, ElfFile elf)
    {
        ulong start = ulong.MaxValue;
        ulong end = 0;
        foreach (ElfProgramHeader header in elf.ProgramHeaders)
        {
            if (header.Type != ElfSegmentType.Load || header.MemorySize == 0)
                continue;
            if (header.PhysicalAddress > ulong.MaxValue - header.MemorySize)
            {
                throw new BadInputException($"{name}: ELF program header {header.Index}: p_paddr 0x{header.PhysicalAddress:x} with " +
                    $"p_memsz 0x{header.MemorySize:x} runs past the end of the address space");
            }

            start = Math.Min(start, header.PhysicalAddress);
            end = Math.Max(end, header.PhysicalAddress + header.MemorySize);
        }

        return end != 0 ? new(start, end - start) : throw Empty(name);
    }

    /// <summary>
    /// The physical address of e_entry. Linker scripts for the higher half leave a virtual address there or, like
    /// Linux's, a physical one. QEMU and GRUB both translate an entry that lies in an executable segment's virtual
    /// range by that segment's p_paddr - p_vaddr and take any other as physical; so does this.
    /// </summary>
    /// <exception cref="BadInputException">Not in the file's part of any segment.</exception>
    public static ulong PhysicalEntry(string name, ElfFile elf)
    {
        foreach (ElfProgramHeader header in elf.ProgramHeaders)
        {
            if (header.Type == ElfSegmentType.Load && header.IsExecutable && elf.Entry >= header.VirtualAddress
                && elf.Entry - header.VirtualAddress < header.FileSize)
                return elf.Entry - header.VirtualAddress + header.PhysicalAddress;
        }

        RequireLoaded(name, elf, "e_entry", elf.Entry);
        return elf.Entry;
    }

    /// <exception cref="BadInputException">The physical address is not in the file's part of any segment.</exception>
    public static void RequireLoaded(string name, ElfFile elf, string field, ulong address)
    {
        foreach (ElfProgramHeader header in elf.ProgramHeaders)
        {
            if (header.Type == ElfSegmentType.Load && address >= header.PhysicalAddress
                && address - header.PhysicalAddress < header.FileSize)
                return;
        }

        throw new BadInputException($"{name}: the entry point ({field}) 0x{address:x} is in no loaded segment");
    }

    private static BadInputException Empty(string name) =>
        new($"{name}: the ELF file has no PT_LOAD segment with anything in it");
}
