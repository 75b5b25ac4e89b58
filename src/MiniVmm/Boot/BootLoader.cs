namespace MiniVmm.Boot;

/// <summary>Finds out what kind of kernel a file is and makes it ready to enter. Pure: no I/O, no KVM.</summary>
public static class BootLoader
{
    /// <summary>
    /// Loads a kernel. Where a file fits several protocols the choice is QEMU's: multiboot before PVH.
    /// </summary>
    /// <exception cref="BadInputException">Not a kernel that MiniVmm knows, a broken one, or one that does not fit.</exception>
    public static BootImage Load(BootRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        string name = request.KernelName;
        ReadOnlySpan<byte> file = request.Kernel.Span;

        if (MultibootHeader.Find(name, file, out string multiboot) is { } header)
            return MultibootLoader.Load(request, header);
        string elf = ElfFile.HasMagic(file) ? "neither multiboot nor PVH" : "no magic";
        throw new BadInputException($"{name}: not a kernel that MiniVmm knows (ELF: {elf}; multiboot: {multiboot})");
    }
}
