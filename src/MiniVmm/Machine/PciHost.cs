using MiniVmm.Firmware;
using MiniVmm.Pci;

namespace MiniVmm.Machine;

/// <summary>
/// A machine's PCI bus: the host bridge, which answers at the configuration ports of every machine, and where the guest is
/// told of the bus, its configuration space in memory and the functions.
/// </summary>
internal sealed class PciHost
{
    private readonly List<PciEndpoint> _endpoints = [];
    private readonly bool _leavesToFirmware;

    /// <param name="core">Where the registers go.</param>
    /// <param name="root">What the guest is told of the bus; null for nothing.</param>
    public PciHost(MachineCore core, PciRoot? root)
    {
        PciWindows windows = root is null ? PciWindows.None : new(root.Ports, root.Memory, root.HighMemory);
        Bus = new PciBus(new PciDecoding(windows));
        _leavesToFirmware = root is { ConfigurationSpace: null };
        if (_leavesToFirmware)
            return; // its chipset brings the host bridge
        Bus.Add(PciHostBridge.Slot, PciHostBridge.Create(Bus.Decoding));
        if (root?.ConfigurationSpace is { } space)
            core.Mmio.Add(new PciEcam(Bus), "PCI configuration space", space.Start, space.Length);
    }

    public PciBus Bus { get; }

    /// <summary>Puts a function on the bus.</summary>
    /// <param name="slot">Its place.</param>
    /// <param name="function">What the bus sees.</param>
    /// <param name="endpoint">Its BARs, to be assigned.</param>
    public void Add(PciSlot slot, IPciFunction function, PciEndpoint endpoint)
    {
        Bus.Add(slot, function);
        _endpoints.Add(endpoint);
    }

    /// <summary>Gives all BARs their addresses, once all functions are there, unless the guest's firmware does.</summary>
    /// <exception cref="BadInputException">They do not fit.</exception>
    /// <exception cref="Kvm.KvmException">KVM refuses one.</exception>
    public void Assign()
    {
        if (_endpoints.Count > 0 && !_leavesToFirmware)
            PciAssignment.Assign(Bus.Decoding.Windows, _endpoints);
    }
}
