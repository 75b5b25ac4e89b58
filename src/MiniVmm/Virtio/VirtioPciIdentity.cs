using MiniVmm.Pci;

namespace MiniVmm.Virtio;

/// <summary>What a virtio function says it is (virtio 1.2, 4.1.2).</summary>
internal static class VirtioPciIdentity
{
    private const ushort Vendor = 0x1af4;
    private const ushort FirstModernDevice = 0x1040;

    /// <summary>From 1: a driver of the legacy interface has nothing to look for here.</summary>
    private const byte Revision = 1;

    /// <summary>The identity of a device type; its class is QEMU's.</summary>
    public static PciIdentity Of(uint deviceType) => new(Vendor, (ushort)(FirstModernDevice + deviceType), ClassOf(deviceType))
    {
        Revision = Revision,
        SubsystemVendor = Vendor,
        Subsystem = (ushort)(FirstModernDevice + deviceType), // 0x40 and above: not a legacy device's
    };

    private static uint ClassOf(uint deviceType) => deviceType switch
    {
        1 => 0x020000, // network controller: Ethernet
        2 => 0x010000, // mass storage: SCSI
        3 => 0x078000, // communication: other
        _ => 0x00ff00, // unclassified
    };
}
