using System.Globalization;

namespace MiniVmm.Network;

/// <summary>The networks that the host has routes to, except for the default route, whole or in two halves.</summary>
internal sealed class RouteTable
{
    private const int DestinationColumn = 1;
    private const int MaskColumn = 7;

    // 0.0.0.0/1 and 128.0.0.0/1 are how a VPN takes the default route's place.
    private const int LeastPrefix = 2;

    private readonly List<(Ipv4Network Network, string Interface)> _routes = [];

    /// <param name="text">The contents of /proc/net/route (proc(5)); other lines are left out.</param>
    public RouteTable(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        foreach (string line in text.Split('\n').Skip(1))
        {
            string[] columns = line.Split('\t', StringSplitOptions.TrimEntries);
            if (columns.Length > MaskColumn
                && TryParse(columns[DestinationColumn], out uint destination)
                && TryParse(columns[MaskColumn], out uint mask)
                && int.CreateChecked(uint.PopCount(mask)) is >= LeastPrefix and var length)
            {
                _routes.Add((new Ipv4Network(new Ipv4Address(destination & mask), length), columns[0]));
            }
        }
    }

    public static RouteTable OfHost() => new(File.ReadAllText("/proc/net/route"));

    /// <summary>The route that overlaps a network, as "192.168.0.0/16 on eth0"; null if there is none.</summary>
    public string? Conflict(Ipv4Network network)
    {
        foreach ((Ipv4Network other, string name) in _routes)
        {
            if (other.Overlaps(network))
                return $"{other} on {name}";
        }

        return null;
    }

    /// <summary>The first of 192.168.100.0/24 to 192.168.254.0/24 that is free; null where all are taken.</summary>
    public Ipv4Network? FindFree()
    {
        for (uint i = 100; i < 255; i++)
        {
            Ipv4Network network = new(new Ipv4Address(0xc0a8_0000 | (i << 8)), 24);
            if (Conflict(network) is null)
                return network;
        }

        return null;
    }

    /// <summary>Eight hexadecimal digits of a number in host order whose bytes are in network order.</summary>
    private static bool TryParse(string text, out uint value)
    {
        bool good = uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
        value = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(value);
        return good;
    }
}
