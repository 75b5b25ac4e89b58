using MiniVmm.Devices;
using MiniVmm.Machine;
using MiniVmm.Terminal;

namespace MiniVmm.Teaching.Explain;

/// <summary>Devices that a machine of MiniVmm's can have, and the one of <see cref="CProgram"/> not.</summary>
internal static class MissingDevice
{
    /// <summary>What the program would lack of a machine, a clause for people; null for nothing.</summary>
    public static string? Of(MachineOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Firmware is not null)
            return "the program has no chipset, which firmware needs; give it a kernel";
        if (options.DebugExitPorts.Start != IoPorts.DebugExit || options.DebugConsolePort != IoPorts.DebugConsole)
            return "the program has its debug exit at port 0xf4 and its debug console at 0xe9; leave them there";
        string[] names = [.. Names(options)];
        return names.Length == 0 ? null : $"the program has a PC's devices and a bare PCI bus, and no {string.Join(", no ", names)}; leave that out";
    }

    private static IEnumerable<string> Names(MachineOptions options)
    {
        (bool Has, string Name)[] others =
        [
            (options.Passthrough.Count > 0, "device of the host"),
            (options.PciTestDevice, "pci-testdev"),
            (options.TestDevices, "pc-testdev"),
            (options.BochsDisplay, "bochs-display"),
            (options.Ramfb, "ramfb"),
            (options.HasFwCfg && !options.Ramfb, "fw_cfg"),
            (options.HasIde, "IDE drive"),
            (options.Floppies.Any(), "floppy drive"),
            (options.Com2 is not (null or { Kind: ConsoleKind.None }), "COM2 that anybody reads (--com2 none)"),
            (options.Rtc != RtcBase.Utc, "clock of another time (--rtc)"),
            (options.HasDisplay, "display"),
            (options.Topology.CanChange, "processor that comes later"),
        ];
        return
        [
            .. options.VirtioDevices.Select(name => $"virtio device ({name})"),
            .. others.Where(other => other.Has).Select(other => other.Name),
            .. options.Devices.Select(device => device.Name),
        ];
    }
}
