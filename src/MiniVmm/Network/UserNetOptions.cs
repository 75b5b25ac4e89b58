namespace MiniVmm.Network;

/// <summary>What <c>--net user</c> was given beyond what every network has.</summary>
public sealed record UserNetOptions
{
    /// <summary><c>net=</c>: the guest's network; the host is its .2, the name server .3, DHCP starts at .15.</summary>
    public Ipv4Network Network { get; init; } = new(new Ipv4Address(0x0a00_0200), 24);

    /// <summary><c>hostfwd=</c>, in the order given.</summary>
    public IReadOnlyList<HostForward> HostForwards { get; init; } = [];

    /// <summary><c>hostname=</c>: the name that DHCP tells the guest.</summary>
    public string? Hostname { get; init; }

    /// <summary><c>dns=</c>: the address in the guest's network at which names are looked up; else .3.</summary>
    public Ipv4Address? Dns { get; init; }

    /// <summary><c>restrict=on</c>: the guest reaches nothing but what is forwarded to it.</summary>
    public bool Restrict { get; init; }
}

/// <summary>A port of the host that is forwarded to one of the guest.</summary>
/// <param name="IsUdp">UDP rather than TCP.</param>
/// <param name="HostAddress">Where the host listens; <see cref="Ipv4Address.Any"/> is everywhere.</param>
/// <param name="HostPort">1 to 65535.</param>
/// <param name="GuestAddress"><see cref="Ipv4Address.Any"/> is the first address that DHCP gives.</param>
/// <param name="GuestPort">1 to 65535.</param>
public readonly record struct HostForward(
    bool IsUdp, Ipv4Address HostAddress, ushort HostPort, Ipv4Address GuestAddress, ushort GuestPort);
