using System.Buffers.Binary;

namespace MiniVmm.Boot;

/// <summary>Finds out what kind of kernel a file is and makes it ready to enter. Pure: no I/O, no KVM.</summary>
public static class BootLoader
{
    /// <summary>
    /// Loads a kernel. Where a file fits several protocols the choice is QEMU's: a Linux bzImage, then multiboot 1,
    /// then PVH; an ELF64 file with none of these is entered as an uncompressed Linux kernel.
    /// </summary>
    /// <exception cref="BadInputException">
    /// Not a kernel that MiniVmm knows, a broken one, or one that does not fit.
    /// </exception>
    public static BootImage Load(BootRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        string name = request.KernelName;
        ReadOnlySpan<byte> file = request.Kernel.Span;

        if (LinuxSetupHeader.HasMagic(file))
            return LinuxBzImageLoader.Load(request);
        if (MultibootHeader.Find(name, file, out string multiboot) is { } header)
            return MultibootLoader.Load(request, header);
        string elfRefusal = "no magic";
        if (ElfFile.HasMagic(file))
        {
            ElfFile elf = ElfFile.Parse(name, request.Kernel);
            if (ElfNotes.FindPvhEntry(name, elf) is { } entry)
                return PvhLoader.Load(request, elf, entry);
            // A multiboot 2 kernel's entry point expects 32-bit mode: as a Linux kernel it would crash at once.
            if (HasMultiboot2Header(file))
                elfRefusal = "multiboot 2 only; MiniVmm speaks multiboot 1 and PVH";
            else if (elf.Is64 && elf.Machine == ElfFile.MachineX8664)
                return LinuxVmlinuxLoader.Load(request, elf);
            else
                elfRefusal = "32-bit, without PVH note";
        }

        throw new BadInputException($"{name}: not a kernel that MiniVmm knows (Linux bzImage: no HdrS at 0x202; " +
            $"multiboot: {multiboot}; ELF: {elfRefusal})");
    }

    // Multiboot 2 specification, 3.1.1: 8-byte aligned in the first 32 KiB; the four words add up to 0.
    private static bool HasMultiboot2Header(ReadOnlySpan<byte> file)
    {
        const uint magic = 0xe852_50d6;
        ReadOnlySpan<byte> head = file[..Math.Min(file.Length, 32768)];
        for (int offset = 0; offset <= head.Length - 16; offset += 8)
        {
            ReadOnlySpan<byte> words = head[offset..];
            if (BinaryPrimitives.ReadUInt32LittleEndian(words) != magic)
                continue;
            uint sum = magic;
            for (int word = 1; word < 4; word++)
                sum = unchecked(sum + BinaryPrimitives.ReadUInt32LittleEndian(words[(word * 4)..]));
            if (sum == 0)
                return true;
        }

        return false;
    }
}
