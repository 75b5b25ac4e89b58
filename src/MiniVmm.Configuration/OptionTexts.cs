using MiniVmm.Control;
using MiniVmm.Machine;
using MiniVmm.Network;
using MiniVmm.Storage;

namespace MiniVmm.Configuration;

/// <summary>
/// Reads a machine's options from texts, as command lines and configuration files have them: each value has the same
/// spelling in both.
/// </summary>
public static class OptionTexts
{
    /// <summary>The options with one more set from its text. An option that may be repeated adds to what is there.</summary>
    /// <param name="options">The options so far, or the defaults.</param>
    /// <param name="name">The option; not <see cref="OptionName.Timeout"/>, which is not a machine's.</param>
    /// <param name="text">Its text; "on" or "off" for a switch.</param>
    /// <exception cref="BadInputException">The text is wrong; the message says which part.</exception>
    public static MachineOptions With(this MachineOptions options, OptionName name, string text)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(text);
        if (NamesFile(name) && (text.Length == 0 || text.Contains('\0', StringComparison.Ordinal)))
            throw new BadInputException($"{name}: the file name {(text.Length == 0 ? "is empty" : "has a NUL in it")}");
        return name switch
        {
            OptionName.Kernel => options with { Kernel = text },
            OptionName.Initrd => options with { Initrds = BootFileText.ParseList(text, File.Exists) },
            OptionName.Module => options with { Modules = [.. options.Modules, BootFileText.Parse(text, File.Exists)] },
            OptionName.Append => options with { CommandLine = text },
            OptionName.Decompress => options with { Decompression = DecompressionText.Parse(text) },
            OptionName.Format => options with { Format = BinaryFormatText.Parse(text) },
            OptionName.LoadAddr => options with { LoadAddress = AddressText.Parse(text, name) },
            OptionName.Entry => options with { Entry = AddressText.ParseEntry(text) },
            OptionName.Smp => options with { Topology = TopologyText.Parse(text) },
            OptionName.Cpu => options with { Cpu = CpuText.Parse(text, CpuText.UserModels) },
            OptionName.Pin => options with { Pin = PinText.Parse(text) },
            OptionName.NoAssist => options with { Assists = !SwitchText.Parse(text, name) },
            OptionName.Mem => options with { Memory = MemText.Parse(options.Memory, text) },
            OptionName.MemPath => options with { Memory = options.Memory with { Path = text } },
            OptionName.MemPrealloc => options with
            {
                Memory = options.Memory with { Prealloc = SwitchText.Parse(text, name) },
            },
            OptionName.MemMerge => options with { Memory = options.Memory with { Merge = SwitchText.Parse(text, name) } },
            OptionName.Balloon => options with { Balloon = BalloonText.Parse(text) },
            OptionName.Console => ConsoleText.Console(options, text),
            OptionName.Com2 => ConsoleText.Com2(options, text),
            OptionName.Debugcon => ConsoleText.DebugConsole(options, text),
            OptionName.Disk => options with { Disks = [.. options.Disks, DiskText.Parse(text)] },
            OptionName.Cdrom => options with
            {
                Disks = [.. options.Disks, new DiskOptions { File = text, Interface = DiskInterface.Cdrom, ReadOnly = true }],
            },
            OptionName.Fda => options with
            {
                Disks = [.. options.Disks, new DiskOptions { File = text, Interface = DiskInterface.Floppy }],
            },
            OptionName.Boot => options with { BootOrder = BootText.Parse(text) },
            OptionName.Net when DeviceText.IsDevice(text) =>
                options with { Passthrough = [.. options.Passthrough, DeviceText.Parse(text, name)] },
            OptionName.Device => DeviceText.AddTo(options, text),
            OptionName.Net => NetText.Parse(text) is { Mode: not NetMode.None } net
                ? options with { Nets = [.. options.Nets, net] }
                : options,
            OptionName.Rng => options with { Rng = SwitchText.Parse(text, name) },
            OptionName.Share => options with { Shares = [.. options.Shares, ShareText.Parse(text)] },
            OptionName.Virtio => options with { Virtio = VirtioText.Parse(text) },
            OptionName.Pci => options with { Pci = SwitchText.Parse(text, name) },
            OptionName.Firmware => options with { Firmware = text },
            OptionName.FirmwareVars => options with { FirmwareVariables = text },
            OptionName.FwCfg => options with { FwCfg = [.. options.FwCfg, FwCfgText.Parse(text)] },
            OptionName.Smbios => options with { Smbios = SmbiosText.Parse(options.Smbios, text) },
            OptionName.Rtc => options with { Rtc = RtcText.Parse(text) },
            OptionName.VirtioCmdline => options with { VirtioOnCommandLine = SwitchText.Parse(text, name) },
            OptionName.Gdb => options with { Gdb = GdbText.Parse(text) },
            OptionName.GdbWait => options with { GdbWaits = SwitchText.Parse(text, name) },
            OptionName.Name => options with { Name = MachineName.Check(text) },
            OptionName.Display => DisplayText.Parse(options, text),
            OptionName.ScreenshotAtEnd => options with { ScreenshotAtEnd = text },
            OptionName.HangAfter => options with { HangAfter = SecondsText.Parse(text, name) },
            OptionName.Core => options with { CoreFile = text },
            OptionName.Symbols => options with { Symbols = text },
            OptionName.Trace or OptionName.TraceFile => throw new BadInputException(
                $"{name}: is for a machine with a process of its own; trace this one by its control socket, once it runs"),
            OptionName.Stats => options with { Timed = SwitchText.Parse(text, name) },
            _ => throw new ArgumentOutOfRangeException(nameof(name), name, "not an option of a machine"),
        };
    }

    /// <summary>Whether the whole text is a file's or folder's name, or may be; others find it in their text themselves.</summary>
    private static bool NamesFile(OptionName name) => name is OptionName.Kernel or OptionName.Initrd or OptionName.Module
        or OptionName.MemPath or OptionName.Console or OptionName.Com2 or OptionName.Debugcon or OptionName.Cdrom or OptionName.Fda
        or OptionName.Firmware or OptionName.FirmwareVars or OptionName.ScreenshotAtEnd or OptionName.Core or OptionName.Symbols;
}
