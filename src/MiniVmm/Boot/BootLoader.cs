using MiniVmm.Boot.Limine;
using MiniVmm.Boot.Payload;

namespace MiniVmm.Boot;

/// <summary>Finds out what kind of kernel a file is and prepares it to be entered. Pure: no I/O, no KVM.</summary>
internal static class BootLoader
{
    /// <summary>
    /// Loads a kernel, unpacked first if the file is compressed as a whole. If a file fits several protocols, the order
    /// is QEMU's, which knows no multiboot 2: Linux bzImage, multiboot 1, multiboot 2, PVH, Limine, uncompressed Linux kernel, and last
    /// an ELF file that needs no protocol. A file that one protocol cannot use is left to the next.
    /// </summary>
    /// <exception cref="BadInputException">
    /// Not a kernel that MiniVmm knows, a broken one, or one that does not fit.
    /// </exception>
    public static BootImage Load(BootRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Format != BinaryFormat.Auto)
            return FlatBinaryLoader.Load(request);
        if (request.LoadAddress is { } address)
        {
            throw new BadInputException($"{OptionName.LoadAddr.With($"0x{address:x}")}: {request.KernelName} says itself where it " +
                $"goes; an address is for {OptionName.Format.With("flat16|flat32|flat64")}");
        }

        if (request.Entry is { } entry)
        {
            throw new BadInputException($"{OptionName.Entry.With(entry.Text)}: {request.KernelName} says itself where it is " +
                $"entered; an address is for {OptionName.Format.With("flat16|flat32|flat64")}");
        }

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
        BootProtocol protocol = request.Protocol;
        MultibootHeader? multiboot = MultibootHeader.Find(request.Kernel.Span, out string multibootRefusal);
        if (multiboot is { Unmet: null } usable && protocol is not (BootProtocol.Multiboot2 or BootProtocol.Limine))
            return MultibootLoader.Load(request, usable);
        multibootRefusal = multiboot?.Unmet ?? multibootRefusal;
        Multiboot2Header? multiboot2 = Multiboot2Header.Find(request.Kernel.Span, out string multiboot2Refusal);
        if (multiboot2 is { Unmet: null } && protocol != BootProtocol.Limine)
            return Multiboot2Loader.Load(request, multiboot2);
        multiboot2Refusal = multiboot2?.Unmet ?? multiboot2Refusal;
        ElfFile elf = ElfFile.Parse(name, request.Kernel);
        if (ElfNotes.FindPvhEntry(elf, out string pvhRefusal) is { } entry && protocol != BootProtocol.Limine)
            return PvhLoader.Load(request, elf, entry);
        if (LimineRequests.Find(name, elf) is { } requests)
            return LimineLoader.Load(request, elf, requests);
        if (LinuxVmlinuxLoader.Recognises(elf, out string linuxRefusal))
            return LinuxVmlinuxLoader.Load(request, elf);
        // A kernel that asks for a protocol is not entered without one, which would crash where it looks for what it gets.
        bool isMarked = (multibootRefusal, multiboot2Refusal, pvhRefusal)
            is not (MultibootHeader.NoHeader, Multiboot2Header.NoHeader, ElfNotes.NoNote);
        if (!isMarked && MisplacedHeader.Find(request.Kernel.Span) is { } fault)
            throw new BadInputException($"{name}: {fault}");
        string bareRefusal = "it asks for one";
        if (!isMarked && BareElfLoader.Recognises(elf, out bareRefusal))
            return BareElfLoader.Load(request, elf);
        throw BadInputException.OfNoKernel(
            $"{name}: an ELF file that MiniVmm cannot enter (multiboot 1: {multibootRefusal}; multiboot 2: {multiboot2Refusal}; " +
                $"PVH: {pvhRefusal}; Linux: {linuxRefusal}; without a protocol: {bareRefusal})",
            "; a kernel needs a multiboot header or a PVH note, or is linked to where it is loaded");
    }

    private static BootImage LoadFlat(BootRequest request, string? codec)
    {
        string name = request.KernelName;
        ReadOnlySpan<byte> file = request.Kernel.Span;
        PayloadCodec inner = PayloadCodecs.Recognise(file);
        FileKind? kind = inner == PayloadCodec.Unknown
            ? FileKind.Recognise(file)
            : new($"a {PayloadCodecs.Name(inner)} stream", HoldsFiles: true);
        MultibootHeader? multiboot = MultibootHeader.Find(file, out string refusal);
        Multiboot2Header? multiboot2 = Multiboot2Header.Find(file, out string refusal2);
        if (kind is not { HoldsFiles: true })
        {
            if (multiboot is { Addresses: not null, Unmet: null } usable && request.Protocol != BootProtocol.Multiboot2)
                return MultibootLoader.Load(request, usable);
            if (multiboot2 is { Addresses: not null })
                return Multiboot2Loader.Load(request, multiboot2);
            if (multiboot is { Addresses: not null } unusable)
                return MultibootLoader.Load(request, unusable); // says what is missing
        }

        if (kind is not null)
            throw kind.Refuse(name, codec);
        const string noAddresses = ", which a kernel that is not an ELF file must have";
        if (multiboot is { } header)
            refusal = $"the header at 0x{header.Offset:x} has no load addresses (flags bit 16){noAddresses}";
        if (multiboot2 is not null)
            refusal2 = $"the header at 0x{multiboot2.Offset:x} has no load addresses (tag 2){noAddresses}";

        string packed = codec is null ? "" : $"compressed with {codec}, and once unpacked ";
        throw BadInputException.OfNoKernel(
            $"{name}: {packed}not a kernel that MiniVmm knows (Linux bzImage: no HdrS at 0x202; multiboot: {refusal}; " +
                $"multiboot 2: {refusal2}; ELF: no magic)",
            $"; code without a header needs {OptionName.Format.With("flat16|flat32|flat64")}");
    }
}
