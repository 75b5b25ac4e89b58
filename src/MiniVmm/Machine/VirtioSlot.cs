using System.Globalization;
using MiniVmm.Firmware;
using MiniVmm.Memory;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>Where a virtio device is found: its window, its interrupt line, and what tells the guest of both.</summary>
/// <param name="Index">0 for the first device.</param>
/// <param name="Name">For people: "disk0", "net1".</param>
public sealed record VirtioSlot(int Index, string Name)
{
    /// <summary>As many devices as there are interrupt lines.</summary>
    public static int Most => InterruptWiring.FreeLines.Count;

    /// <summary>First address of its registers.</summary>
    public ulong Address => MemoryLayout.VirtioMmio + ((ulong)Index * VirtioMmio.Length);

    /// <summary>Its interrupt line, edge-triggered.</summary>
    public byte Gsi => InterruptWiring.FreeLines[Index];

    /// <summary>For the DSDT: the ID that Linux gave to virtio-mmio.</summary>
    public AmlDevice Aml => new(string.Create(CultureInfo.InvariantCulture, $"VI{Index:D2}"), "LNRO0005", (uint)Index)
    {
        Resources = new ResourceTemplate()
            .Memory32((uint)Address, VirtioMmio.Length)
            .Interrupt(Gsi, TriggerMode.Edge),
    };

    /// <summary>For kernels without ACPI: the parameter of Linux' virtio_mmio module.</summary>
    public string Parameter =>
        string.Create(CultureInfo.InvariantCulture, $"virtio_mmio.device=4K@0x{Address:x}:{Gsi}:{Index}");
}
