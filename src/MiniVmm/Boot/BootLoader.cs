using System.Buffers.Binary;
using MiniVmm.Boot.Payload;

namespace MiniVmm.Boot;

/// <summary>Finds out what kind of kernel a file is and prepares it to be entered. Pure: no I/O, no KVM.</summary>
internal static class BootLoader
{
    /// <summary>
    /// Loads a kernel, unpacked first if the file is compressed as a whole. If a file fits several protocols, the order
    /// is QEMU's: Linux bzImage, multiboot 1, PVH, uncompressed Linux kernel. A file that one protocol cannot use is
    /// left to the next.
    /// </summary>
    /// <exception cref="BadInputException">
    /// Not a kernel that MiniVmm knows, a broken one, or one that does not fit.
    /// </exception>
    public static BootImage Load(BootRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        // First of all: some codecs leave parts of a file unchanged, such as a multiboot header.
        PayloadCodec codec = PayloadCodecs.Recognise(request.Kernel.Span);
        return codec == PayloadCodec.Unknown ? LoadUnpacked(request, codec: null) : PackedKernel.Load(request, codec);
    }

    /// <param name="request">Its kernel is not compressed.</param>
    /// <param name="codec">What it was compressed with, for errors; null when it was not.</param>
    /// <inheritdoc cref="Load"/>
    internal static BootImage LoadUnpacked(BootRequest request, string? codec)
    {
        ReadOnlySpan<byte> file = request.Kernel.Span;
        if (LinuxSetupHeader.HasMagic(file))
            return LinuxBzImageLoader.Load(request);
        return ElfFile.HasMagic(file) ? LoadElf(request) : LoadFlat(request, codec);
    }

    private static BootImage LoadElf(BootRequest request)
    {
        string name = request.KernelName;
        MultibootHeader? multiboot = MultibootHeader.Find(request.Kernel.Span, out string multibootRefusal);
        if (multiboot is { Unmet: null } usable)
            return MultibootLoader.Load(request, usable);
        multibootRefusal = multiboot?.Unmet ?? multibootRefusal;
        ElfFile elf = ElfFile.Parse(name, request.Kernel);
        if (ElfNotes.FindPvhEntry(elf, out string pvhRefusal) is { } entry)
            return PvhLoader.Load(request, elf, entry);
        if (LinuxVmlinuxLoader.Recognises(elf, out string linuxRefusal))
            return LinuxVmlinuxLoader.Load(request, elf);
        if (multiboot is null && HasMultiboot2Header(request.Kernel.Span))
            multibootRefusal += ", multiboot 2 only";
        throw new BadInputException($"{name}: an ELF file that MiniVmm cannot enter (multiboot 1: {multibootRefusal}; " +
            $"PVH: {pvhRefusal}; Linux: {linuxRefusal}); a kernel needs a multiboot 1 header or a PVH note");
    }

    private static BootImage LoadFlat(BootRequest request, string? codec)
    {
        string name = request.KernelName;
        PayloadCodec inner = PayloadCodecs.Recognise(request.Kernel.Span);
        FileKind? kind = inner == PayloadCodec.Unknown
            ? FileKind.Recognise(request.Kernel.Span)
            : new($"a {PayloadCodecs.Name(inner)} stream", HoldsFiles: true);
        MultibootHeader? multiboot = MultibootHeader.Find(request.Kernel.Span, out string refusal);
        if (multiboot is { Addresses: not null } usable && kind is not { HoldsFiles: true })
            return MultibootLoader.Load(request, usable);
        if (kind is not null)
            throw new BadInputException($"{name}: {kind.Refusal(codec)}");
        if (multiboot is { } header)
        {
            refusal = $"the header at 0x{header.Offset:x} has no load addresses (flags bit 16), which a kernel that is " +
                "not an ELF file must have";
        }

        string packed = codec is null ? "" : $"compressed with {codec}, and once unpacked ";
        throw new BadInputException($"{name}: {packed}not a kernel that MiniVmm knows (Linux bzImage: no HdrS at " +
            $"0x202; multiboot: {refusal}; ELF: no magic)");
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
