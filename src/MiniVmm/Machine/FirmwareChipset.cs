using MiniVmm.Devices;
using MiniVmm.Pci;

namespace MiniVmm.Machine;

/// <summary>The chipset of a machine with firmware, which sets it up as it finds it in QEMU's "pc" machine.</summary>
internal sealed class FirmwareChipset
{
    private readonly Bus _ports;
    private readonly AcpiPm _acpi;
    private ushort? _moved;

    /// <param name="ports">Where registers go.</param>
    /// <param name="pci">The bus, with nothing on it.</param>
    /// <param name="routePci">Wires the lines of the PCI bus to the 8259s.</param>
    /// <param name="acpi">ACPI's registers.</param>
    public FirmwareChipset(Bus ports, PciBus pci, Action<byte[]> routePci, AcpiPm acpi)
    {
        _ports = ports;
        _acpi = acpi;
        PciDecoding decoding = pci.Decoding;
        pci.Add(I440Fx.HostSlot, I440Fx.CreateHost(decoding));
        pci.Add(I440Fx.IsaSlot, I440Fx.CreateIsa(decoding, routes => routePci(ByLine(routes))));
        pci.Add(I440Fx.PowerSlot, I440Fx.CreatePower(decoding, MovePower));

        // Until firmware routes them, the bus' interrupts reach the I/O APIC alone, and IRQ 6 is the floppy's.
        routePci([I440Fx.NoRoute, I440Fx.NoRoute, I440Fx.NoRoute, I440Fx.NoRoute]);
    }

    /// <summary>
    /// INTA of device 1 is PIRQA on a PC with this chipset, and the second line of the bus here: firmware and MiniVmm count
    /// the lines from another device on.
    /// </summary>
    private static byte[] ByLine(byte[] routes) => [routes[3], routes[0], routes[1], routes[2]];

    /// <summary>
    /// ACPI's registers are where the tables say, whatever the guest programs; where it programs them to be, it finds
    /// them too.
    /// </summary>
    private void MovePower(ushort? port)
    {
        if (_moved is { } before && before != port)
        {
            _ports.Remove(before);
            _moved = null;
        }

        if (port is not { } wanted || wanted == IoPorts.AcpiPm || _moved is not null)
            return;
        try
        {
            _ports.Add(_acpi, "ACPI power management, moved", wanted, AcpiPm.Length);
            _moved = wanted;
        }
        catch (ArgumentException)
        {
            // Over another device: on a PC both would answer; here the one that was there first does.
        }
    }
}
