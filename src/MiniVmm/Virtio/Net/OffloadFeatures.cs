using MiniVmm.Network;

namespace MiniVmm.Virtio.Net;

/// <summary>An endpoint's offloads as feature bits (virtio 1.2, 5.1.3), and back.</summary>
internal static class OffloadFeatures
{
    private static readonly (NetOffloads Offload, NetFeatures ByHost, NetFeatures ByGuest)[] Pairs =
    [
        (NetOffloads.Checksum, NetFeatures.Csum, NetFeatures.GuestCsum),
        (NetOffloads.Tso4, NetFeatures.HostTso4, NetFeatures.GuestTso4),
        (NetOffloads.Tso6, NetFeatures.HostTso6, NetFeatures.GuestTso6),
        (NetOffloads.TsoEcn, NetFeatures.HostEcn, NetFeatures.GuestEcn),
    ];

    /// <summary>What a device offers on an endpoint that has these.</summary>
    public static NetFeatures Offered(NetOffloads offloads)
    {
        NetFeatures features = NetFeatures.None;
        foreach ((NetOffloads offload, NetFeatures byHost, NetFeatures byGuest) in Pairs)
        {
            if (offloads.HasFlag(offload))
                features |= byHost | byGuest;
        }

        return features;
    }

    /// <summary>What the endpoint may leave undone for a driver that has these features.</summary>
    public static NetOffloads OfGuest(NetFeatures features)
    {
        NetOffloads offloads = NetOffloads.None;
        foreach ((NetOffloads offload, _, NetFeatures byGuest) in Pairs)
        {
            if (features.HasFlag(byGuest))
                offloads |= offload;
        }

        return offloads;
    }
}
