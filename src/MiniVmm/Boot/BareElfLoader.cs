using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// ELF executables without any boot protocol's mark, entered by their class: ELF32 in protected mode, as multiboot leaves it
/// but without its registers; ELF64 in long mode, the first 4 GiB mapped onto themselves. Only those that run where they are
/// loaded: with no protocol nobody maps, moves or relocates them.
/// </summary>
internal static class BareElfLoader
{
    /// <summary>Whether a file can be entered so.</summary>
    /// <param name="elf">The file.</param>
    /// <param name="refusal">Why it cannot.</param>
    public static bool Recognises(ElfFile elf, out string refusal)
    {
        refusal = elf switch
        {
            { IsForLinux: true } => "a Linux program",
            { IsPositionIndependent: true } => "position-independent, and nobody would relocate it",
            _ when elf.ProgramHeaders.Any(header => header.Type == ElfSegmentType.Interpreter) =>
                "a program that an operating system's dynamic linker starts",
            _ when elf.ProgramHeaders.FirstOrDefault(header => header is { Type: ElfSegmentType.Load, MemorySize: > 0 }
                && header.VirtualAddress != header.PhysicalAddress) is { MemorySize: > 0 } header =>
                $"linked to 0x{header.VirtualAddress:x} but loaded at 0x{header.PhysicalAddress:x}, and nobody would map it",
            _ when elf.ProgramHeaders.FirstOrDefault(header => header is { Type: ElfSegmentType.Load, MemorySize: > 0 }
                && header.VirtualAddress >= LongModeTables.MappedEnd) is { MemorySize: > 0 } header =>
                $"linked to 0x{header.VirtualAddress:x}, above the first 4 GiB, which are all that is mapped at the entry",
            _ when !elf.ProgramHeaders.Any(header => header is { Type: ElfSegmentType.Load, MemorySize: > 0 }) =>
                "no PT_LOAD segment with anything in it",
            _ => "",
        };
        return refusal.Length == 0;
    }

    /// <exception cref="BadInputException">Not in RAM, or with files or words that it cannot get.</exception>
    public static BootImage Load(BootRequest request, ElfFile elf)
    {
        string name = request.KernelName;
        request.RefuseWhatNoProtocolCarries($"{name}, an ELF file without a header for a boot loader,");
        LoadPlan plan = new(name, request.Memory);
        ElfKernel.Place(plan, name, elf);
        ulong entry = ElfKernel.PhysicalEntry(name, elf);
        EntryTables tables = elf.Is64
            ? EntryTables.Place(plan, request, EntryMode.Long64, entry)
            : EntryTables.PlaceForMultiboot(plan, request, entry);
        return tables.Image(
            plan,
            elf.Is64 ? "ELF64 without a boot protocol, long mode" : "ELF32 without a boot protocol, 32-bit protected mode",
            ["no multiboot header and no PVH note: entered at e_entry by its class, with nothing handed over"]);
    }
}
