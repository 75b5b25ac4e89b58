using System.Globalization;

namespace MiniVmm.Network;

/// <summary>An IPv4 address, in host byte order: 10.0.2.15 is 0x0a00020f.</summary>
public readonly record struct Ipv4Address(uint Value)
{
    /// <summary>0.0.0.0: any address, or none given.</summary>
    public static Ipv4Address Any => default;

    /// <summary>Reads four decimal numbers with dots; none of inet_aton(3)'s shorter or octal spellings.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Ipv4Address address)
    {
        address = default;
        uint value = 0;
        for (int i = 0; i < 4; i++)
        {
            int dot = text.IndexOf('.');
            if (dot < 0 != (i == 3))
                return false;
            ReadOnlySpan<char> part = i == 3 ? text : text[..dot];
            if (part.Length > 3 || (part.Length > 1 && part[0] == '0')
                || !byte.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out byte number))
                return false;
            value = (value << 8) | number;
            text = i == 3 ? default : text[(dot + 1)..];
        }

        address = new Ipv4Address(value);
        return true;
    }

    public override string ToString() => $"{Value >> 24}.{(byte)(Value >> 16)}.{(byte)(Value >> 8)}.{(byte)Value}";
}

/// <summary>All addresses whose first <see cref="PrefixLength"/> bits are those of <see cref="Address"/>.</summary>
/// <param name="Address">Its lowest address; the other bits are 0.</param>
/// <param name="PrefixLength">0 to 32.</param>
public readonly record struct Ipv4Network(Ipv4Address Address, int PrefixLength)
{
    /// <summary>255.255.255.0 for a length of 24.</summary>
    public Ipv4Address Mask => new(MaskOf(PrefixLength));

    /// <summary>The highest address.</summary>
    public Ipv4Address Broadcast => new(Address.Value | ~MaskOf(PrefixLength));

    /// <summary>Reads 192.168.7.0/24. Bits of a host, as in 192.168.7.1/24, are cleared.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out Ipv4Network network)
    {
        network = default;
        int slash = text.IndexOf('/');
        if (slash < 0 || !Ipv4Address.TryParse(text[..slash], out Ipv4Address address)
            || text.Length - slash > 3
            || !int.TryParse(text[(slash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int length)
            || length > 32)
            return false;
        network = new Ipv4Network(new Ipv4Address(address.Value & MaskOf(length)), length);
        return true;
    }

    /// <summary>The address at an offset from the lowest one.</summary>
    public Ipv4Address Host(uint number) => new(Address.Value + number);

    public bool Contains(Ipv4Address address) => (address.Value & MaskOf(PrefixLength)) == Address.Value;

    public bool Overlaps(Ipv4Network other) => Contains(other.Address) || other.Contains(Address);

    public override string ToString() => $"{Address}/{PrefixLength}";

    // C# shifts by the low five bits only.
    private static uint MaskOf(int length) => length == 0 ? 0 : uint.MaxValue << (32 - length);
}
