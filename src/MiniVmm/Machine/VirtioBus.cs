namespace MiniVmm.Machine;

/// <summary>How a guest finds its virtio devices.</summary>
public enum VirtioBus
{
    /// <summary>Registers in memory that ACPI, or the kernel's command line, tells of (virtio 1.2, 4.2): the faster start.</summary>
    Mmio,

    /// <summary>Functions of a PCI bus (virtio 1.2, 4.1), with MSI-X.</summary>
    Pci,
}
