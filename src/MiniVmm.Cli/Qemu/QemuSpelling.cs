namespace MiniVmm.Cli.Qemu;

/// <summary>How messages name options to whoever wrote QEMU's.</summary>
internal static class QemuSpelling
{
    /// <summary>As in <c>-drive root.img</c>.</summary>
    public static string Of(NamedOption option)
    {
        string name = option.Name switch
        {
            OptionName.Kernel => "-kernel",
            OptionName.Initrd or OptionName.Module => "-initrd",
            OptionName.Append => "-append",
            OptionName.Smp => "-smp",
            OptionName.Cpu => "-cpu",
            OptionName.Mem => "-m",
            OptionName.MemPath => "-mem-path",
            OptionName.MemPrealloc => "-mem-prealloc",
            OptionName.Console or OptionName.Com2 => "-serial",
            OptionName.Debugcon => "-debugcon",
            OptionName.Disk => "-drive",
            OptionName.Net => "-netdev",
            OptionName.Device => "-device",
            OptionName.Name => "-name",
            OptionName.FwCfg => "-fw_cfg",
            OptionName.Smbios => "-smbios",
            OptionName.Rtc => "-rtc",
            OptionName.Firmware => "-bios",
            OptionName.Trace => "-d",
            OptionName.TraceFile => "-D",
            _ => OptionSpelling.Of(option with { Value = null }),
        };
        return option.Value is null ? name : $"{name} {option.Value}";
    }
}
