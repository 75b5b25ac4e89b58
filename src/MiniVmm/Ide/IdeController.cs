using MiniVmm.Devices;
using MiniVmm.Pci;

namespace MiniVmm.Ide;

/// <summary>
/// The IDE function of a PIIX3 (Intel datasheet 290550, 2.3): two channels at the ports of every PC, and the ports of its bus
/// master behind BAR 4.
/// </summary>
internal static class IdeController
{
    private const int BusMasterBar = 4;
    private const int Timing = 0x40;

    /// <summary>Puts both channels where every PC has them.</summary>
    public static void AddPorts(Bus ports, IdeChannel primary, IdeChannel secondary)
    {
        ArgumentNullException.ThrowIfNull(ports);
        ports.Add(primary.CommandPorts, "IDE, primary channel", IoPorts.IdePrimary, IdeChannel.CommandLength);
        ports.Add(primary.ControlPort, "IDE control, primary channel", IoPorts.IdePrimaryControl, 1);
        ports.Add(secondary.CommandPorts, "IDE, secondary channel", IoPorts.IdeSecondary, IdeChannel.CommandLength);
        ports.Add(secondary.ControlPort, "IDE control, secondary channel", IoPorts.IdeSecondaryControl, 1);
    }

    /// <summary>The function on the PCI bus, with the ports of the bus master.</summary>
    /// <param name="ports">Where those go.</param>
    /// <param name="decoding">Of the PCI bus.</param>
    /// <param name="primary">The first channel.</param>
    /// <param name="secondary">The second.</param>
    public static PciEndpoint CreateFunction(Bus ports, PciDecoding decoding, IdeChannel primary, IdeChannel secondary)
    {
        PortBar bar = new(ports, "IDE bus master", new BusMasterPorts(primary, secondary), 2 * BusMaster.Length);
        PciEndpoint function = new("IDE controller", I440Fx.Identity(0x7010, 0x010180), decoding,
            new PciBar(BusMasterBar, PciBarKind.Ports, 2 * BusMaster.Length, bar));
        function.AddRegisters(Timing, [0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff]);
        return function;
    }

    private sealed class BusMasterPorts(IdeChannel primary, IdeChannel secondary) : ByteDevice
    {
        protected override byte ReadByte(uint offset) => Channel(offset).ReadBusMaster((int)offset % BusMaster.Length);

        protected override void WriteByte(uint offset, byte value) =>
            Channel(offset).WriteBusMaster((int)offset % BusMaster.Length, value);

        private IdeChannel Channel(uint offset) => offset < BusMaster.Length ? primary : secondary;
    }

    private sealed class PortBar(Bus ports, string name, IBusDevice device, ulong length) : IPciBarTarget
    {
        public void Map(ulong address) => ports.Add(device, name, address, length);

        public void Unmap(ulong address) => ports.Remove(address);
    }
}
