using MiniVmm.Devices;

namespace MiniVmm.Pci;

/// <summary>Registers of a function that a bus decodes wherever its BAR is.</summary>
/// <param name="bus">That of ports or of memory.</param>
/// <param name="device">The registers.</param>
/// <param name="name">For people.</param>
/// <param name="length">Ports or bytes.</param>
internal sealed class BusWindow(Bus bus, IBusDevice device, string name, ulong length) : IPciBarTarget
{
    public void Map(ulong address) => bus.Add(device, name, address, length);

    public void Unmap(ulong address) => bus.Remove(address);
}
