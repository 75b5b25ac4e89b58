namespace MiniVmm.Cli.Qemu;

/// <summary>How messages name options to whoever wrote QEMU's.</summary>
internal static class QemuSpelling
{
    /// <summary>As in <c>-drive root.img</c>.</summary>
    public static string Of(NamedOption option)
    {
        string name = option switch
        {
            { Name: OptionName.Display, Value: "tty" } => "-display curses",
            { Name: OptionName.Rng } => "-device virtio-rng",
            { Name: OptionName.Balloon } => "-device virtio-balloon",
            _ => Of(option.Name),
        };
        return option.Value is null or "tty" ? name : $"{name} {option.Value}";
    }

    /// <summary>The same, where the command line said it in another way: <c>-hda root.img</c>.</summary>
    /// <param name="option">Which option.</param>
    /// <param name="spellings">Options by the files that they name.</param>
    public static string Of(NamedOption option, IReadOnlyDictionary<string, string> spellings) =>
        option is { Name: OptionName.Disk or OptionName.Cdrom or OptionName.Fda or OptionName.Firmware or OptionName.FirmwareVars, Value: { } file }
        && spellings.TryGetValue(file, out string? name)
            ? $"{name} {file}"
            : Of(option);

    private static string Of(OptionName name) => name switch
    {
        OptionName.Kernel => "-kernel",
        OptionName.Initrd or OptionName.Module => "-initrd",
        OptionName.Append => "-append",
        OptionName.Smp => "-smp",
        OptionName.Cpu => "-cpu",
        OptionName.Mem => "-m",
        OptionName.MemPath => "-mem-path",
        OptionName.MemPrealloc => "-mem-prealloc",
        OptionName.MemMerge or OptionName.Virtio or OptionName.Pci => "-machine",
        OptionName.Console or OptionName.Com2 => "-serial",
        OptionName.Debugcon => "-debugcon",
        OptionName.Disk or OptionName.FirmwareVars => "-drive",
        OptionName.Cdrom => "-cdrom",
        OptionName.Fda => "-fda",
        OptionName.Net => "-netdev",
        OptionName.Device => "-device",
        OptionName.Share => "-virtfs",
        OptionName.Name => "-name",
        OptionName.FwCfg => "-fw_cfg",
        OptionName.Smbios => "-smbios",
        OptionName.Rtc => "-rtc",
        OptionName.Firmware => "-bios",
        OptionName.Boot => "-boot",
        OptionName.Gdb => "-gdb",
        OptionName.GdbWait => "-S",
        OptionName.Display => "-display",
        OptionName.Trace => "-d",
        OptionName.TraceFile => "-D",
        _ => OptionSpelling.Of(new NamedOption(name)), // it is minivmm run's alone
    };
}
