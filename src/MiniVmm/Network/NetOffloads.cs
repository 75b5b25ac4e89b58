namespace MiniVmm.Network;

/// <summary>
/// Work on frames that one end may leave to the other: an endpoint does it for the guest, and may leave it undone for a
/// guest that says so (virtio 1.2, 5.1.3; TUNSETOFFLOAD in linux/if_tun.h).
/// </summary>
[Flags]
internal enum NetOffloads
{
    None = 0,

    /// <summary>Checksums are finished.</summary>
    Checksum = 1,

    /// <summary>Long TCP segments over IPv4 are cut to the MTU.</summary>
    Tso4 = 2,

    /// <summary>The same over IPv6.</summary>
    Tso6 = 4,

    /// <summary>Segments that carry congestion notifications (ECN) are cut as well.</summary>
    TsoEcn = 8,

    All = Checksum | Tso4 | Tso6 | TsoEcn,
}
