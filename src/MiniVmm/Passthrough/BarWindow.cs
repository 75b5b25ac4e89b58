using MiniVmm.Devices;
using MiniVmm.Pci;

namespace MiniVmm.Passthrough;

/// <summary>
/// A BAR of a passed device as far as the guest does not reach it itself: MSI-X's structures are made up, which is why
/// their pages are left out of what is mapped; all else is the device's.
/// </summary>
/// <param name="device">The device.</param>
/// <param name="region">The BAR.</param>
/// <param name="layout">Where MSI-X is; null for a device without.</param>
/// <param name="table">The guest's MSI-X; with <paramref name="layout"/>.</param>
internal sealed class BarWindow(VfioDevice device, VfioRegion region, MsixLayout? layout, MsixTable? table) : IBusDevice
{
    private readonly RegionArea _table = layout is not null && layout.TableBar == region.Index ? layout.Table : default;
    private readonly RegionArea _pending = layout is not null && layout.PendingBar == region.Index ? layout.Pending : default;

    public void Read(ulong offset, Span<byte> data)
    {
        if (Holds(_table, offset, data.Length))
            table!.Read(offset - _table.Offset, data);
        else if (Holds(_pending, offset, data.Length))
            table!.Read(table.PendingOffset + (offset - _pending.Offset), data);
        else
            device.Read(region, offset, data);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        if (Holds(_table, offset, data.Length))
            table!.Write(offset - _table.Offset, data);
        else if (!Holds(_pending, offset, data.Length))
            device.Write(region, offset, data);
    }

    // An access that is only partly there is the device's, whose own structures VFIO guards.
    private static bool Holds(RegionArea area, ulong offset, int length) =>
        offset >= area.Offset && offset < area.End && (ulong)length <= area.End - offset;
}
