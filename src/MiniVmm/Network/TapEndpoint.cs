using System.Globalization;

namespace MiniVmm.Network;

/// <summary>
/// A tap of the host: an existing one, or a new one on a bridge, which the kernel removes with its last descriptor,
/// however the process ends.
/// </summary>
internal sealed class TapEndpoint : NetEndpoint
{
    // mvm0, mvm1, …: the kernel takes the first that is free.
    private const string OwnName = "mvm%d";

    private readonly TapDevice _tap;
    private readonly Action? _putBack;
    private readonly IDisposable? _network;

    private TapEndpoint(
        TapDevice tap, ushort mtu, string description, Action? putBack = null, IDisposable? network = null)
    {
        _tap = tap;
        Mtu = mtu;
        Description = description;
        _putBack = putBack;
        _network = network;
    }

    public override IReadOnlyList<int> Descriptors => _tap.Descriptors;

    public override bool HasVnetHeader => true;

    public override NetOffloads Offloads => NetOffloads.All;

    public override ushort Mtu { get; }

    public override string InterfaceName => _tap.Name;

    public override string Description { get; }

    /// <summary>Opens an existing tap; while it is in use it is up, and has the MTU asked for.</summary>
    /// <exception cref="BadInputException">There is none of that name, or not for so many queues.</exception>
    /// <exception cref="HostLimitException">No permission, or another process has it.</exception>
    public static TapEndpoint Open(string name, int queues, ushort? mtu)
    {
        NamedOption option = OptionName.Net.With($"tap={name}");
        HostInterface link = new(name, option);
        if (!link.Exists)
        {
            throw new BadInputException($"{option}: no such interface; create it with "
                + $"`ip tuntap add dev {name} mode tap user $USER` and `ip link set {name} up`, "
                + $"or use {OptionName.Net.With("bridge=")}");
        }

        if (link.TunFlags is not { } flags || (flags & TapDevice.IFF_TAP) == 0)
            throw new BadInputException($"{option}: this interface is not a tap; to put guests on it, make it a port of "
                + $"a bridge and use {OptionName.Net.With("bridge=")}");
        bool multiQueue = (flags & TapDevice.IFF_MULTI_QUEUE) != 0;
        if (queues > 1 && !multiQueue)
        {
            throw new BadInputException($"{option}: queues={queues.ToString(CultureInfo.InvariantCulture)}, "
                + $"but this tap has one; create it with `ip tuntap add dev {name} mode tap multi_queue`");
        }

        TapDevice tap = TapDevice.Open(name, queues, multiQueue, option);
        try
        {
            int mtuBefore = link.Mtu;
            if (mtu is { } wanted && wanted != mtuBefore)
                link.Mtu = wanted;
            return new TapEndpoint(tap, Whole(link.Mtu), $"tap {name}", BringUp(link, mtuBefore));
        }
        catch
        {
            tap.Dispose();
            throw;
        }
    }

    /// <summary>Creates a tap as a port of a bridge.</summary>
    /// <param name="bridge">Its name.</param>
    /// <param name="queues">Pairs.</param>
    /// <param name="mtu">Null is the bridge's.</param>
    /// <param name="option">What errors start with.</param>
    /// <param name="network">What to dispose of after the tap.</param>
    /// <param name="description">For people, if the bridge's name does not say enough.</param>
    /// <exception cref="BadInputException">There is no such bridge.</exception>
    /// <exception cref="HostLimitException">No permission.</exception>
    public static TapEndpoint OpenOnBridge(
        string bridge,
        int queues,
        ushort? mtu,
        NamedOption option,
        IDisposable? network = null,
        string? description = null)
    {
        HostInterface host = new(bridge, option);
        if (!host.Exists)
        {
            throw new BadInputException($"{option}: no such interface; create a bridge with "
                + $"`ip link add {bridge} type bridge` and `ip link set {bridge} up`, or use {OptionName.Net.With("nat")}");
        }

        if (!host.IsBridge)
            throw new BadInputException($"{option}: it is not a bridge; `ip link show type bridge` lists them");
        TapDevice tap = TapDevice.Open(OwnName, queues, queues > 1, option);
        try
        {
            HostInterface port = new(tap.Name, option);
            port.DisableIpv6();

            // A bridge may take the lowest address of its ports: one of fe:… does not change it.
            port.Mac = new MacAddress((port.Mac.Value & 0x00ff_ffff_ffff) | 0xfe00_0000_0000);
            port.Mtu = mtu ?? host.Mtu;
            host.AddPort(port);
            port.SetUp(true);
            return new TapEndpoint(tap, Whole(port.Mtu), Describe(), network: network);

            string Describe() => $"tap {tap.Name} on bridge {bridge}{(description is null ? "" : $", {description}")}";
        }
        catch
        {
            tap.Dispose();
            throw;
        }
    }

    public override void SetGuestOffloads(NetOffloads offloads) => _tap.SetOffloads(offloads);

    public override void SetPairActive(int pair, bool active)
    {
        if (pair > 0)
            _tap.SetQueueAttached(pair, active);
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing)
            return;
        try
        {
            _putBack?.Invoke();
        }
        catch (HostLimitException)
        {
            // Somebody removed it in the meantime.
        }

        _tap.Dispose();
        _network?.Dispose();
    }

    /// <returns>What restores the interface.</returns>
    private static Action BringUp(HostInterface link, int mtuBefore)
    {
        int mtu = link.Mtu;
        try
        {
            bool down = !link.IsUp;
            if (down)
                link.SetUp(true);
            return () =>
            {
                PutMtuBack();
                if (down)
                    link.SetUp(false);
            };
        }
        catch
        {
            PutMtuBack();
            throw;
        }

        // Unless somebody else has changed it since.
        void PutMtuBack()
        {
            if (mtu != mtuBefore && link.Mtu == mtu)
                link.Mtu = mtuBefore;
        }
    }

    private static ushort Whole(int mtu) => (ushort)Math.Clamp(mtu, NetOptions.LeastMtu, ushort.MaxValue);
}
