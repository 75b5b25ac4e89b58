using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>
/// ELF kernels with a PVH note (Xen docs/misc/pvh.pandoc): entered in 32-bit protected mode with EBX = start info.
/// </summary>
internal static class PvhLoader
{
    /// <exception cref="BadInputException">A kernel or RAM disk that cannot lie where it must.</exception>
    public static BootImage Load(BootRequest request, ElfFile elf, ulong entry)
    {
        string name = request.KernelName;
        LoadPlan plan = new(name, request.Memory);
        plan.Add(FlatGdt.Build(EntryMode.Protected32));
        byte[] line = KernelCommandLine.Encode(name, request.CommandLine, MemoryLayout.CommandLineMax - 1);
        plan.Add(new("kernel command line", MemoryLayout.CommandLine, line));
        ElfKernel.Place(plan, name, elf);
        ElfKernel.RequireLoaded(name, elf, "PHYS32_ENTRY note", entry);
        if (entry > uint.MaxValue)
        {
            throw new BadInputException(
                $"{name}: the PVH entry point 0x{entry:x} is above 4 GiB, out of reach in 32-bit mode");
        }

        GuestRange? initrd = InitialRamDisk.Place(plan, request, request.Memory.LowRamEnd, mayLieHigh: false);
        plan.Add(PvhStartInfo.Build(initrd, request.Memory, request.Rsdp));
        return new()
        {
            Format = $"PVH, {(elf.Is64 ? "ELF64" : "ELF32")}, 32-bit entry",
            Segments = plan.Segments,
            Entry = new(EntryMode.Protected32, entry) { Rbx = MemoryLayout.PvhStartInfo },
            Notes = [$"PVH entry note: 0x{entry:x}; no multiboot header, which would have come first, as in QEMU"],
        };
    }
}
