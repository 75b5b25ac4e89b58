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
        ulong end = ElfKernel.Place(plan, name, elf);
        ElfKernel.RequireLoaded(name, elf, "PHYS32_ENTRY note", entry);
        if (entry > uint.MaxValue)
        {
            throw new BadInputException(
                $"{name}: the PVH entry point 0x{entry:x} is above 4 GiB, out of reach in 32-bit mode");
        }

        EntryTables tables = EntryTables.Place(plan, request, EntryMode.Protected32, entry);
        byte[] line = KernelCommandLine.Encode(name, request.CommandLine, MemoryLayout.CommandLineMax - 1);
        ulong commandLine = KernelCommandLine.Place(plan, line);
        GuestRange? initrd = InitialRamDisk.Place(plan, request, request.Memory.LowRamEnd, mayLieHigh: false);
        List<PlacedModule> modules = PlacedModule.Place(
            plan, request, request.Modules, Math.Max(end, MemoryLayout.HighMemory));
        if (initrd is { } disk)
            modules.Insert(0, new(disk, request.Initrds[0].File));
        ulong info = PvhStartInfo.Place(plan, name, commandLine, modules, tables.Firmware.Rsdp);
        return (tables with { Entry = tables.Entry with { Rbx = info } }).Image(
            plan,
            $"PVH, {(elf.Is64 ? "ELF64" : "ELF32")}, 32-bit entry",
            [$"PVH entry note: 0x{entry:x}; no multiboot header, which would have come first, as in QEMU"]);
    }
}
