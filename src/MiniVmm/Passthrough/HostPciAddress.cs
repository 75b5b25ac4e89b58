using System.Globalization;

namespace MiniVmm.Passthrough;

/// <summary>Where a PCI function is on the host, as Linux names it: 0000:01:00.0.</summary>
/// <param name="Domain">PCI segment; 0 on most hosts.</param>
/// <param name="Bus">Bus of the segment.</param>
/// <param name="Device">Device of the bus, 0 to 31.</param>
/// <param name="Function">Function of the device, 0 to 7.</param>
public readonly record struct HostPciAddress(ushort Domain, byte Bus, byte Device, byte Function)
    : IComparable<HostPciAddress>
{
    private const int MostDevices = 32;
    private const int MostFunctions = 8;

    private ulong Order => ((ulong)Domain << 24) | ((ulong)Bus << 16) | ((ulong)Device << 8) | Function;

    public static bool operator <(HostPciAddress left, HostPciAddress right) => left.CompareTo(right) < 0;

    public static bool operator <=(HostPciAddress left, HostPciAddress right) => left.CompareTo(right) <= 0;

    public static bool operator >(HostPciAddress left, HostPciAddress right) => left.CompareTo(right) > 0;

    public static bool operator >=(HostPciAddress left, HostPciAddress right) => left.CompareTo(right) >= 0;

    /// <summary>Reads <c>0000:01:00.0</c> or, for domain 0, <c>01:00.0</c>; digits are hexadecimal.</summary>
    public static bool TryParse(string? text, out HostPciAddress address)
    {
        address = default;
        string[] parts = (text ?? "").Split(':');
        if (parts.Length is not (2 or 3))
            return false;
        string[] slot = parts[^1].Split('.');
        if (slot.Length != 2
            || !TryNumber(parts.Length == 3 ? parts[0] : "0", 4, ushort.MaxValue, out int domain)
            || !TryNumber(parts[^2], 2, byte.MaxValue, out int bus)
            || !TryNumber(slot[0], 2, MostDevices - 1, out int device)
            || !TryNumber(slot[1], 1, MostFunctions - 1, out int function))
        {
            return false;
        }

        address = new((ushort)domain, (byte)bus, (byte)device, (byte)function);
        return true;
    }

    public int CompareTo(HostPciAddress other) => Order.CompareTo(other.Order);

    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Domain:x4}:{Bus:x2}:{Device:x2}.{Function:x}");

    private static bool TryNumber(string text, int digits, int most, out int value)
    {
        value = 0;
        return text.Length > 0 && text.Length <= digits
            && int.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value)
            && value <= most;
    }
}
