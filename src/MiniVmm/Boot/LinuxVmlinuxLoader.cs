using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>An uncompressed x86-64 Linux kernel, entered at its ELF entry point in long mode.</summary>
internal static class LinuxVmlinuxLoader
{
    /// <exception cref="BadInputException">A kernel or RAM disk that cannot lie where it must.</exception>
    public static BootImage Load(BootRequest request, ElfFile elf)
    {
        LinuxSetupHeader header = LinuxSetupHeader.ForVmlinux();
        LoadPlan plan = new(request.KernelName, request.Memory);
        ElfKernel.Place(plan, request.KernelName, elf);
        ulong entry = ElfKernel.PhysicalEntry(request.KernelName, elf);
        EntryTables tables = LinuxEntry.Complete(plan, request, header, entry, entry);
        return tables.Image(
            plan,
            "Linux vmlinux (ELF64), 64-bit entry",
            ["ELF64 without multiboot header or PVH note: entered as an uncompressed Linux kernel"]);
    }
}
