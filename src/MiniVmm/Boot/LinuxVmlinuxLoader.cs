using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>An uncompressed x86-64 Linux kernel, entered at its ELF entry point in long mode.</summary>
internal static class LinuxVmlinuxLoader
{
    /// <summary>
    /// Whether an ELF file is a Linux kernel for x86-64. Nothing in its headers says so: what every configuration has
    /// is the text that the kernel prints first (init/version.c), in a segment that is loaded. None is
    /// position-independent.
    /// </summary>
    /// <param name="elf">The file.</param>
    /// <param name="refusal">Why it is not.</param>
    public static bool Recognises(ElfFile elf, out string refusal)
    {
        refusal = elf switch
        {
            { Is64: false } => "32-bit",
            { IsPositionIndependent: true } => "position-independent",
            _ when !elf.ProgramHeaders.Any(header =>
                header.Type == ElfSegmentType.Load && HasBanner(elf.Contents(header).Span)) =>
                "no text \"Linux version N\" in what is loaded",
            _ => "",
        };
        return refusal.Length == 0;
    }

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

    private static bool HasBanner(ReadOnlySpan<byte> segment)
    {
        ReadOnlySpan<byte> banner = "Linux version "u8;
        for (int at; (at = segment.IndexOf(banner)) >= 0;)
        {
            segment = segment[(at + banner.Length)..];
            if (segment is [>= (byte)'0' and <= (byte)'9', ..])
                return true;
        }

        return false;
    }
}
