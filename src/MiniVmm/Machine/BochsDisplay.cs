using MiniVmm.Display;
using MiniVmm.Memory;
using MiniVmm.Pci;

namespace MiniVmm.Machine;

/// <summary>
/// QEMU's bochs-display as a PCI function: video memory in BAR 0, the mode registers in BAR 2, and those at ports 0x1ce to 0x1d0
/// too, as a standard VGA has them.
/// </summary>
internal static class BochsDisplay
{
    private const string Name = "bochs-display";

    /// <summary>Makes it and puts it on the bus.</summary>
    /// <param name="core">Where its registers are.</param>
    /// <param name="pci">The bus.</param>
    /// <param name="slot">Its place there.</param>
    /// <param name="memory">Its memory.</param>
    /// <param name="fixedAddress">Where BAR 0 is at first; null for wherever firmware puts it.</param>
    public static (PciEndpoint Endpoint, BochsDispi Registers) Add(
        MachineCore core, PciHost pci, PciSlot slot, VideoMemory memory, ulong? fixedAddress)
    {
        BochsDispi registers = new(memory.Framebuffer, MemoryLayout.FramebufferSize);
        PciEndpoint endpoint = new(
            Name,
            new PciIdentity(0x1234, 0x1111, 0x038000),
            pci.Bus.Decoding,
            new PciBar(0, PciBarKind.Memory32, MemoryLayout.FramebufferSize, memory) { FixedAddress = fixedAddress },
            new PciBar(2, PciBarKind.Memory32, BochsDispi.Length, new BusWindow(core.Mmio, registers, Name, BochsDispi.Length)));
        core.Ports.Add(new BochsDispiPorts(registers), Name, BochsDispiPorts.First, BochsDispiPorts.Length);
        pci.Add(slot, endpoint, endpoint);
        return (endpoint, registers);
    }
}
