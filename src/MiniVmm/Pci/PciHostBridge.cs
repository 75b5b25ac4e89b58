namespace MiniVmm.Pci;

/// <summary>The host bridge as the first function of its own bus: no registers, no commands.</summary>
internal static class PciHostBridge
{
    /// <summary>Red Hat's generic one, as in QEMU's machines that have no chipset; class: host bridge.</summary>
    private static readonly PciIdentity Identity = new(0x1b36, 0x0008, 0x060000);

    public static PciSlot Slot => default;

    public static PciEndpoint Create(PciDecoding decoding) => new("host bridge", Identity, decoding);
}
