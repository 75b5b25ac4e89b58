namespace MiniVmm.Network;

/// <summary>The kinds of network that a card can be on.</summary>
public enum NetMode
{
    /// <summary>No card.</summary>
    None,

    /// <summary>A network in user mode: no privileges, no set-up.</summary>
    User,

    /// <summary>A tap device that somebody made.</summary>
    Tap,

    /// <summary>A tap device of its own on a bridge that somebody made.</summary>
    Bridge,

    /// <summary>A bridge of its own behind address translation, with DHCP and DNS.</summary>
    Nat,
}

/// <summary>A network card: what was asked for, and nothing of what the host has.</summary>
public sealed record NetOptions
{
    /// <summary>Smallest MTU that virtio allows (virtio 1.2, 5.1.4.1).</summary>
    public const ushort LeastMtu = 68;

    /// <summary>Largest MTU that a tap (64 KiB less 1 and the Ethernet header) or libslirp takes.</summary>
    public const ushort MostMtu = 65521;

    /// <summary>Most <c>queues=</c>; a tap has no more than 256, and each is a thread.</summary>
    public const int MostQueues = 64;

    /// <summary>Longest name of an interface (IFNAMSIZ, with its final 0, is 16).</summary>
    public const int LongestInterfaceName = 15;

    public required NetMode Mode { get; init; }

    /// <summary><c>tap=</c> or <c>bridge=</c>: the host's interface.</summary>
    public string? Interface { get; init; }

    /// <summary><c>nat=</c>: the network, /29 to /8; null where a free one is to be found.</summary>
    public Ipv4Network? Subnet { get; init; }

    /// <summary><c>mac=</c>, else see <see cref="MacAddress.Default"/>.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary><c>mtu=</c>, in bytes; null is what the host's interface has.</summary>
    public ushort? Mtu { get; init; }

    /// <summary><c>queues=</c>: pairs of queues, each with a thread. More than one needs a tap.</summary>
    public int Queues { get; init; } = 1;

    /// <summary><c>bw=</c>: bytes a second in each direction; null is no limit.</summary>
    public ulong? Bandwidth { get; init; }

    /// <summary>With <see cref="NetMode.User"/>; defaults otherwise.</summary>
    public UserNetOptions User { get; init; } = new();
}
