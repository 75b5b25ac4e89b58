using System.Globalization;
using MiniVmm.Devices;
using MiniVmm.Machine;

namespace MiniVmm.Configuration;

/// <summary>
/// QEMU's devices for kernels without drivers for others, by its names and properties: <c>isa-debug-exit[,iobase=PORT][,iosize=N]</c>,
/// <c>isa-debugcon[,iobase=PORT]</c>, <c>pc-testdev</c>, <c>pci-testdev</c>, <c>bochs-display</c>, <c>ramfb</c>. A port that is left out is QEMU's default.
/// </summary>
internal static class TestDeviceText
{
    // QEMU's default of isa-debug-exit, not the 0xf4 that everybody gives.
    private const ushort QemuDebugExit = 0x501;
    private const int QemuDebugExitLength = 2;
    private const string PortBase = "iobase";
    private const string PortCount = "iosize";

    /// <returns>The options with that device; null where the text names another.</returns>
    /// <exception cref="BadInputException">A property is wrong; the message says which.</exception>
    public static MachineOptions? TryAddTo(MachineOptions options, string text)
    {
        string[] parts = text.Split(',');
        return parts[0] switch
        {
            "isa-debug-exit" => options with
            {
                PcDevices = options.PcDevices | PcDevices.DebugExit,
                DebugExitPorts = Ports(text, parts, QemuDebugExit, QemuDebugExitLength),
            },
            "isa-debugcon" => options with
            {
                PcDevices = options.PcDevices | PcDevices.DebugConsole,
                DebugConsolePort = (ushort)Ports(text, parts, IoPorts.DebugConsole, 1, takesCount: false).Start,
            },
            "pc-testdev" or "pci-testdev" or "bochs-display" or "ramfb" when parts.Length > 1 =>
                throw Bad(text, $"unknown '{parts[1]}'; {parts[0]} has no properties"),
            "pc-testdev" => options with { TestDevices = true },
            "pci-testdev" => options with { PciTestDevice = true },
            "bochs-display" => options with { BochsDisplay = true },
            "ramfb" => options with { Ramfb = true },
            _ => null,
        };
    }

    private static DeviceWindow Ports(string text, string[] parts, int start, int count, bool takesCount = true)
    {
        HashSet<string> given = new(StringComparer.Ordinal);
        foreach (string part in parts.AsSpan(1))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            string key = equals < 0 ? part : part[..equals];
            string value = equals < 0 ? "" : part[(equals + 1)..];
            if (key != PortBase && !(takesCount && key == PortCount))
                throw Bad(text, $"unknown '{part}'; {parts[0]} has {PortBase}={(takesCount ? $" and {PortCount}=" : "")}");
            if (!given.Add(key))
                throw Bad(text, $"{key} is given twice");
            if (key == PortBase)
                start = Number(text, part, value, 0, ushort.MaxValue);
            else
                count = Number(text, part, value, 1, 4);
        }

        return start + count <= 1 << 16
            ? DeviceWindow.Ports((ushort)start, count)
            : throw Bad(text, $"ports end at 0xffff, and {count} from 0x{start:x} on do not fit");
    }

    /// <summary>Decimal, or hexadecimal behind 0x.</summary>
    private static int Number(string text, string part, string value, int least, int most)
    {
        bool hex = value.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        bool parsed = int.TryParse(
            hex ? value.AsSpan(2) : value,
            hex ? NumberStyles.AllowHexSpecifier : NumberStyles.None,
            CultureInfo.InvariantCulture,
            out int number);
        return parsed && number >= least && number <= most
            ? number
            : throw Bad(text, $"'{part}': use a number from {least} to 0x{most:x}");
    }

    private static BadInputException Bad(string text, string complaint) =>
        new($"{OptionName.Device.With(text)}: {complaint}");
}
