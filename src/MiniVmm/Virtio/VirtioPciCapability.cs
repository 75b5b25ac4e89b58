using System.Buffers.Binary;
using MiniVmm.Pci;

namespace MiniVmm.Virtio;

/// <summary>What a region of a virtio function is (virtio 1.2, 4.1.4).</summary>
internal enum VirtioPciRegion : byte
{
    Common = 1,
    Notify = 2,
    Isr = 3,
    Device = 4,
    ConfigurationAccess = 5,
}

/// <summary>Tells the driver where a region lies (virtio 1.2, 4.1.4): struct virtio_pci_cap.</summary>
/// <param name="region">Which.</param>
/// <param name="bar">The BAR.</param>
/// <param name="offset">In the BAR.</param>
/// <param name="length">Bytes.</param>
/// <param name="extra">Bytes behind the structure.</param>
internal class VirtioPciCapability(VirtioPciRegion region, int bar, uint offset, uint length, int extra = 0)
    : PciCapability(0x09, StructureLength + extra)
{
    /// <summary>Bytes of struct virtio_pci_cap; what some regions need besides is behind it.</summary>
    protected const int StructureLength = 16;

    protected const int BarOffset = 4;
    protected const int OffsetOffset = 8;
    protected const int LengthOffset = 12;

    public override void Initialize(Span<byte> bytes, Span<byte> writable)
    {
        bytes[2] = (byte)Length;
        bytes[3] = (byte)region;
        bytes[BarOffset] = (byte)bar;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[OffsetOffset..], offset);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[LengthOffset..], length);
    }
}

/// <summary>The region of doorbells, one every so many bytes (4.1.4.4): struct virtio_pci_notify_cap.</summary>
internal sealed class VirtioPciNotifyCapability(int bar, uint offset, uint length, uint multiplier)
    : VirtioPciCapability(VirtioPciRegion.Notify, bar, offset, length, sizeof(uint))
{
    public override void Initialize(Span<byte> bytes, Span<byte> writable)
    {
        base.Initialize(bytes, writable);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[StructureLength..], multiplier);
    }
}

/// <summary>
/// A window in configuration space on the BAR, for drivers that cannot map it (4.1.4.9): struct virtio_pci_cfg_cap.
/// </summary>
/// <param name="bar">The one BAR that it reaches.</param>
/// <param name="registers">What is behind that.</param>
internal sealed class VirtioPciAccessCapability(int bar, Devices.IBusDevice registers)
    : VirtioPciCapability(VirtioPciRegion.ConfigurationAccess, bar, 0, 0, sizeof(uint))
{
    private readonly byte _bar = (byte)bar;

    public override void Initialize(Span<byte> bytes, Span<byte> writable)
    {
        base.Initialize(bytes, writable);
        writable[BarOffset] = 0xff;
        writable[OffsetOffset..].Fill(0xff);
    }

    public override void Reading(Span<byte> bytes, int first, int end)
    {
        if (end > StructureLength && TryAim(bytes, out uint offset, out int length))
            registers.Read(offset, bytes.Slice(StructureLength, length));
    }

    public override void Written(ReadOnlySpan<byte> bytes, int first, int end)
    {
        if (end > StructureLength && TryAim(bytes, out uint offset, out int length))
            registers.Write(offset, bytes.Slice(StructureLength, length));
    }

    /// <summary>Where the driver aims the window; false where that is none of the BAR's registers.</summary>
    private bool TryAim(ReadOnlySpan<byte> bytes, out uint offset, out int length)
    {
        offset = BinaryPrimitives.ReadUInt32LittleEndian(bytes[OffsetOffset..]);
        uint wanted = BinaryPrimitives.ReadUInt32LittleEndian(bytes[LengthOffset..]);
        length = (int)Math.Min(wanted, sizeof(uint));
        return bytes[BarOffset] == _bar && wanted is 1 or 2 or 4 && offset % wanted == 0
            && offset <= VirtioPci.Length - sizeof(uint);
    }
}
