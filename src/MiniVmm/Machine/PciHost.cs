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

    /// <param name="core">Where the registers go.</param>
    /// <param name="root">What the guest is told of the bus; null for nothing.</param>
    public PciHost(MachineCore core, PciRoot? root)
    {
        PciWindows windows = root is null ? PciWindows.None : new(root.Ports, root.Memory, root.HighMemory);
        Bus = new PciBus(new PciDecoding(windows));
        Bus.Add(PciHostBridge.Slot, PciHostBridge.Create(Bus.Decoding));
        if (root is not null)
            core.Mmio.Add(new PciEcam(Bus), "PCI configuration space", root.ConfigurationSpace.Start, root.ConfigurationSpace.Length);
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

    /// <summary>Gives all BARs their addresses, once all functions are there.</summary>
    /// <exception cref="BadInputException">They do not fit.</exception>
    /// <exception cref="Kvm.KvmException">KVM refuses one.</exception>
    public void Assign()
    {
        if (_endpoints.Count > 0)
            PciAssignment.Assign(Bus.Decoding.Windows, _endpoints);
    }
}
