using MiniVmm.Machine;
using MiniVmm.Passthrough;

namespace MiniVmm.Configuration;

/// <summary>
/// A device of the host's for the guest: <c>vfio=ADDRESS[,reset=on|off]</c>, or as QEMU has it,
/// <c>vfio-pci,host=ADDRESS</c>; or one of QEMU's for kernel tests, see <see cref="TestDeviceText"/>.
/// </summary>
public static class DeviceText
{
    private const string Vfio = "vfio=";
    private const string QemuVfio = "vfio-pci";
    private const string QemuHost = "host=";
    private const string Shape = "vfio=ADDRESS[,reset=on|off], as in vfio=0000:01:00.0, isa-debug-exit, isa-debugcon, pc-testdev, pci-testdev, bochs-display or ramfb";

    /// <summary>Whether a text of <see cref="OptionName.Net"/> is such a device.</summary>
    public static bool IsDevice(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.StartsWith(Vfio, StringComparison.Ordinal);
    }

    /// <summary>The options with one more device.</summary>
    /// <exception cref="BadInputException">It is not of that form; the message says which part.</exception>
    public static MachineOptions AddTo(MachineOptions options, string text)
    {
        ArgumentNullException.ThrowIfNull(options);
        return TestDeviceText.TryAddTo(options, text)
            ?? options with { Passthrough = [.. options.Passthrough, Parse(text)] };
    }

    /// <summary>Reads one of the host's.</summary>
    /// <param name="text">The option's text.</param>
    /// <param name="name">Which option it is of: <see cref="OptionName.Device"/> or <see cref="OptionName.Net"/>.</param>
    /// <exception cref="BadInputException">It is not of that form; the message says which part.</exception>
    public static PassthroughOptions Parse(string text, OptionName name = OptionName.Device)
    {
        ArgumentNullException.ThrowIfNull(text);
        NamedOption subject = name.With(text);
        string[] parts = text.Split(',');
        string? address = IsDevice(parts[0]) ? parts[0][Vfio.Length..] : null;
        if (address is null && parts[0] != QemuVfio)
            throw new BadInputException($"{subject}: no such device; {name} takes {Shape}");
        bool? reset = null;
        foreach (string part in parts.AsSpan(1))
        {
            if (address is null && part.StartsWith(QemuHost, StringComparison.Ordinal))
            {
                address = part[QemuHost.Length..];
                continue;
            }

            string key = part.Split('=')[0];
            if (key != "reset")
                throw new BadInputException($"{subject}: unknown '{part}'; {name} takes {Shape}");
            if (reset is not null)
                throw new BadInputException($"{subject}: reset is given twice");
            reset = SwitchText.TryParse(part[Math.Min(part.Length, key.Length + 1)..], out bool on)
                ? on
                : throw new BadInputException($"{subject}: '{part}': {SwitchText.Problem}");
        }

        if (address is null)
            throw new BadInputException($"{subject}: {QemuHost}ADDRESS is missing; minivmm devices lists addresses");
        return HostPciAddress.TryParse(address, out HostPciAddress host)
            ? new PassthroughOptions(host) { IsNet = name == OptionName.Net, Reset = reset ?? true }
            : throw new BadInputException(
                $"{subject}: '{address}' is not the address of a PCI device, such as 0000:01:00.0; minivmm devices lists them");
    }
}
