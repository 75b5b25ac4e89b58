using System.Text;
using MiniVmm.Host;

namespace MiniVmm.Network.User;

/// <summary>
/// <c>--net user</c>: a private network of the guest, by libslirp, in which sockets of this process stand for the
/// guest's connections. Needs no privileges and leaves nothing behind. Runs a thread from construction to disposal.
/// </summary>
internal sealed unsafe class UserNetwork : NetEndpoint
{
    /// <summary>QEMU's, and Ethernet's.</summary>
    public const ushort DefaultMtu = 1500;

    /// <summary>IF_MTU_MAX of libslirp: 64 KiB less the Ethernet header.</summary>
    public const ushort MostMtu = 65521;

    // IPv6 needs that much on every link (RFC 8200, 5), and so do libslirp's own packets.
    private const ushort LeastIp6Mtu = 1280;

    private const int EADDRINUSE = 98;
    private const int EADDRNOTAVAIL = 99;

    private readonly GuestPort _port;
    private readonly SlirpStack _stack;
    private readonly Thread _thread;
    private bool _disposed;

    /// <summary>What errors about it start with.</summary>
    internal static NamedOption Subject => OptionName.Net.With("user");

    /// <param name="options">What it was given beyond what every network has.</param>
    /// <param name="mtu">In bytes, <see cref="NetOptions.LeastMtu"/> to <see cref="MostMtu"/>; null is
    /// <see cref="DefaultMtu"/>.</param>
    /// <exception cref="BadInputException">A port is taken, an address is not the host's, or the MTU is too
    /// large.</exception>
    /// <exception cref="HostLimitException">No libslirp, no permission for a port, or no more files or
    /// threads.</exception>
    public UserNetwork(UserNetOptions options, ushort? mtu = null)
        : this(options, mtu, SlirpLibrary.FileName)
    {
    }

    internal UserNetwork(UserNetOptions options, ushort? mtu, string libraryFile)
    {
        ArgumentNullException.ThrowIfNull(options);
        Mtu = mtu ?? DefaultMtu;
        if (Mtu > MostMtu)
            throw new BadInputException($"{Subject}: mtu={Mtu} is more than libslirp's {MostMtu}; use a smaller one");
        if (DnsOf(options) == HostOf(options))
        {
            throw new BadInputException(
                $"{Subject}: dns={DnsOf(options)} is the host's own address in the guest's network; use another");
        }

        var library = SlirpLibrary.Load(libraryFile);
        try
        {
            _port = new GuestPort();
        }
        catch (SystemCallException e)
        {
            throw new HostLimitException($"{Subject}: {e.Message}", e);
        }

        try
        {
            _stack = MakeStack(library, _port, options, Mtu);
            foreach (HostForward forward in options.HostForwards)
                Forward(forward);
            _thread = new Thread(_stack.Run, maxStackSize: 512 * 1024) { IsBackground = true, Name = "net-user" };
            Start(_thread);
        }
        catch
        {
            _stack?.Dispose();
            _port.Dispose();
            throw;
        }

        Descriptors = [_port.Card];
        Description = $"user mode, {options.Network}, libslirp {library.Version}";
    }

    public override IReadOnlyList<int> Descriptors { get; }

    public override bool HasVnetHeader => false;

    public override ushort Mtu { get; }

    public override string Description { get; }

    protected override void Dispose(bool disposing)
    {
        if (_disposed || !disposing)
            return;
        _disposed = true;
        _port.Stop();
        _thread.Join();
        _stack.Dispose();
        _port.Dispose();
    }

    private static Ipv4Address HostOf(UserNetOptions options) => options.Network.Host(2);

    private static Ipv4Address DnsOf(UserNetOptions options) => options.Dns ?? options.Network.Host(3);

    internal static SlirpStack MakeStack(
        SlirpLibrary library, GuestPort port, UserNetOptions options, ushort mtu, SocketLimit? limit = null)
    {
        byte[]? hostname = options.Hostname is null ? null : Encoding.UTF8.GetBytes(options.Hostname + '\0');
        fixed (byte* name = hostname)
        {
            SlirpConfig configuration = new()
            {
                version = SlirpConfig.Version1,
                restricted = options.Restrict ? 1 : 0,
                in_enabled = 1,
                vnetwork = SlirpStack.Wire(options.Network.Address),
                vnetmask = SlirpStack.Wire(options.Network.Mask),
                vhost = SlirpStack.Wire(HostOf(options)),
                in6_enabled = (byte)(mtu >= LeastIp6Mtu ? 1 : 0),
                vprefix_addr6 = SiteLocal(0),
                vprefix_len = 64,
                vhost6 = SiteLocal(2),
                vhostname = name,
                vdhcp_start = SlirpStack.Wire(options.Network.Host(15)),
                vnameserver = SlirpStack.Wire(DnsOf(options)),
                vnameserver6 = SiteLocal(3),
                if_mtu = mtu,
                if_mru = mtu,
            };
            return new SlirpStack(library, port, &configuration, limit ?? SocketLimit.OfProcess(port.Network));
        }
    }

    /// <summary>fec0::<paramref name="host"/>, as in QEMU's network.</summary>
    private static in6_addr SiteLocal(byte host)
    {
        in6_addr address = default;
        address[0] = 0xc0fe;
        address[3] = (uint)host << 24;
        return address;
    }

    private void Forward(HostForward forward)
    {
        int error = _stack.AddHostForward(forward);
        if (error == 0)
            return;
        OptionMessage port = $"{Subject}: hostfwd: {(forward.IsUdp ? "UDP" : "TCP")} port {forward.HostPort} of the host";
        string address = forward.HostAddress.ToString();
        throw error switch
        {
            EADDRINUSE => new BadInputException($"{port} at {address} is in use; choose another, or end its user"),
            EADDRNOTAVAIL => new BadInputException($"{port}: {address} is not one of the host's addresses; leave it out"),
            Errno.EACCES => new HostLimitException($"{port} at {address} needs privileges; choose one above 1023"),
            _ => new HostLimitException($"{port} at {address}: {Errno.Explain(error)}"),
        };
    }

    private static void Start(Thread thread)
    {
        try
        {
            thread.Start();
        }
        catch (Exception e) when (e is ThreadStartException or OutOfMemoryException)
        {
            throw new HostLimitException($"{Subject}: the host has no thread left for it");
        }
    }
}
