using MiniVmm.Devices;

namespace MiniVmm.Firmware;

/// <summary>A device that a guest finds through ACPI alone, because no bus can be asked for it.</summary>
/// <param name="Name">Up to four capitals, digits and underscores; one of its kind in \_SB.</param>
/// <param name="HardwareId">What drivers look for, _HID: "PNP0501", "LNRO0005".</param>
/// <param name="UniqueId">Tells devices of one hardware ID apart, _UID.</param>
public sealed record AmlDevice(string Name, string HardwareId, uint UniqueId)
{
    /// <summary>A PS/2 keyboard.</summary>
    public const string KeyboardId = "PNP0303";

    /// <summary>A PS/2 mouse; its ports are the keyboard's.</summary>
    public const string MouseId = "PNP0F13";

    /// <summary>What it occupies, _CRS; null for nothing.</summary>
    public ResourceTemplate? Resources { get; init; }

    /// <summary>What the guest is told of a device; null where that is nothing.</summary>
    public static AmlDevice? Of(DeviceDescription device)
    {
        ArgumentNullException.ThrowIfNull(device);
        if (device.Acpi is not { } identity)
            return null;
        ResourceTemplate resources = new();
        foreach (DeviceWindow window in (DeviceWindow[])[.. identity.Windows ?? [device.Window], .. identity.Reserved])
        {
            if (window.IsPort)
                resources.Io((ushort)window.Start, (byte)window.Length);
            else
                resources.Memory32((uint)window.Start, (uint)window.Length);
        }

        if (identity.ListsInterrupt && device.Interrupt is { } gsi)
        {
            if (device is { Window.IsPort: true, IsLevelTriggered: false } && gsi < InterruptWiring.IsaIrqs)
                resources.Irq(gsi);
            else
                resources.Interrupt(gsi, device.IsLevelTriggered ? TriggerMode.Level : TriggerMode.Edge);
        }

        return new(identity.Name, identity.HardwareId, identity.UniqueId) { Resources = resources };
    }

    /// <param name="aml">Where to.</param>
    /// <param name="more">Writes further objects of the device; null for none.</param>
    internal void Write(AmlWriter aml, Action<AmlWriter>? more = null) => aml.Device(Name, device =>
    {
        device.Name("_HID").HardwareId(HardwareId);
        device.Name("_UID").Integer(UniqueId);
        if (Resources is not null)
            device.Name("_CRS").Buffer(Resources.ToArray());
        more?.Invoke(device);
    });
}
