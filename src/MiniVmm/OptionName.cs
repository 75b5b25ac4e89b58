namespace MiniVmm;

/// <summary>
/// The options of a machine, by their names in a configuration. Messages name them so; whoever shows a message spells
/// them as its reader knows them: <c>--mem-path</c> on a command line.
/// </summary>
public enum OptionName
{
    Kernel,
    Initrd,
    Module,
    Append,
    Decompress,
    Format,
    LoadAddr,
    Entry,
    Smp,
    Cpu,
    Pin,
    NoAssist,
    Mem,
    MemPath,
    MemPrealloc,
    MemMerge,
    Balloon,
    Console,
    Com2,
    Debugcon,
    Disk,
    Cdrom,
    Fda,
    Net,
    Device,
    Rng,
    Share,
    Virtio,
    VirtioCmdline,
    Pci,
    FwCfg,
    Smbios,
    Rtc,
    Firmware,
    FirmwareVars,
    Boot,
    Name,
    Gdb,
    GdbWait,
    Display,
    ScreenshotAtEnd,
    Timeout,
    HangAfter,
    Core,
    Symbols,
    Stats,
    Trace,
    TraceFile,
}

/// <summary>An option, and what was given for it where that matters.</summary>
/// <param name="Name">Which one.</param>
/// <param name="Value">
/// What was given, as it was written, or the part of it that a message is about: the file of a disk; null for the option
/// as such.
/// </param>
public readonly record struct NamedOption(OptionName Name, string? Value = null)
{
    /// <summary>As in a configuration: "Mem", or "Mem 4G".</summary>
    public override string ToString() => Value is null ? Name.ToString() : $"{Name.ToString()} {Value}";
}

/// <summary>Names an option together with a value.</summary>
internal static class OptionNames
{
    /// <summary>The option with that value.</summary>
    public static NamedOption With(this OptionName name, string? value) => new(name, value);
}
