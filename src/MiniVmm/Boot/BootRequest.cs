using MiniVmm.Firmware;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>Who unpacks the payload of a compressed kernel.</summary>
public enum Decompression
{
    /// <summary>MiniVmm if it knows the codec, else the kernel's own stub.</summary>
    Auto,

    /// <summary>The kernel's own stub, in the guest.</summary>
    Guest,
}

/// <summary>The input of a loader: files already in memory, and where the guest has RAM.</summary>
internal sealed record BootRequest
{
    /// <summary>The kernel file as the user named it, for errors and as a multiboot kernel's own name.</summary>
    public required string KernelName { get; init; }

    public required ReadOnlyMemory<byte> Kernel { get; init; }

    /// <summary>Files of the initial RAM disk; for a multiboot kernel its first modules.</summary>
    public IReadOnlyList<BootModule> Initrds { get; init; } = [];

    /// <summary>Modules for a multiboot or PVH kernel, after <see cref="Initrds"/>.</summary>
    public IReadOnlyList<BootModule> Modules { get; init; } = [];

    /// <summary>Text of <c>--append</c>; printable, without a NUL.</summary>
    public string CommandLine { get; init; } = "";

    public required GuestMemoryMap Memory { get; init; }

    /// <summary>The tables that the machine's firmware leaves in memory.</summary>
    public required FirmwareTables Firmware { get; init; }

    public Decompression Decompression { get; init; }

    /// <summary>Whether a kernel that does not look by itself is told of the text screen.</summary>
    public bool HasTextScreen { get; init; }

    /// <summary>The framebuffer that the machine can have; null for none.</summary>
    public FramebufferOffer? Framebuffer { get; init; }

    /// <summary>When the machine starts, for a protocol that tells.</summary>
    public DateTimeOffset Started { get; init; }

    /// <summary>What the kernel file is.</summary>
    public BinaryFormat Format { get; init; }

    /// <summary>Guest-physical address of a flat binary; null for the usual one.</summary>
    public ulong? LoadAddress { get; init; }

    /// <summary>Where a flat binary is entered, or which entry of an image's menu is meant; null for the usual one.</summary>
    public EntryChoice? Entry { get; init; }

    /// <summary>What a boot loader's configuration says of the kernel.</summary>
    internal BootProtocol Protocol { get; init; }

    /// <summary>
    /// Whether kernel and modules come from a boot loader's configuration: a multiboot kernel then gets the words alone, as GRUB
    /// hands them over, without the files' names in front.
    /// </summary>
    public bool IsFromLoader { get; init; }

    /// <summary>The kernel's own path as it is told to it; null for <see cref="KernelName"/>.</summary>
    public string? ToldName { get; init; }

    /// <summary>
    /// A file of the volume that the kernel comes from, by its path, with words for it; null for none. Null where it comes from no volume.
    /// </summary>
    public Func<string, string, BootModule?>? Volume { get; init; }

    /// <summary>What is to be said of where the kernel comes from.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Refuses files and words for a kernel that is entered by no protocol, and so never learns of them.</summary>
    /// <param name="kernel">What the message begins with.</param>
    /// <exception cref="BadInputException">There are some.</exception>
    public void RefuseWhatNoProtocolCarries(OptionMessage kernel)
    {
        if (Initrds.Concat(Modules).FirstOrDefault() is { } file)
            throw new BadInputException($"{kernel} cannot be told of {file.File.Path}: leave out {OptionName.Initrd} and {OptionName.Module}");
        if (CommandLine.Length > 0)
            throw new BadInputException($"{kernel} cannot be told \"{CommandLine}\": leave out {OptionName.Append}");
    }
}
