using MiniVmm.Network;
using MiniVmm.Virtio.Net;
using Tmds.Linux;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>Two pairs of a card on sockets that hold a few frames only, with the host's ends.</summary>
internal sealed unsafe class FuzzEndpoint : NetEndpoint
{
    private const int SeqPacket = 5;
    private const int Header = 12;
    private readonly FuzzHost _host;
    private readonly int[] _own = new int[2];
    private readonly int[] _peers = new int[2];
    private readonly byte[] _frame = new byte[20_000];

    private FuzzEndpoint(FuzzHost host)
    {
        _host = host;
        HasVnetHeader = host.Input.Chance(128);
        int* ends = stackalloc int[2];
        for (int i = 0; i < _own.Length; i++)
        {
            Assert.Equal(0, LibC.socketpair(LibC.AF_UNIX, SeqPacket | LibC.SOCK_NONBLOCK | LibC.SOCK_CLOEXEC, 0, ends));
            (_own[i], _peers[i]) = (ends[0], ends[1]);
            int room = 8 * 1024;
            Assert.Equal(0, LibC.setsockopt(_own[i], LibC.SOL_SOCKET, LibC.SO_SNDBUF, &room, sizeof(int)));
        }

        for (int i = 0; i < _frame.Length; i++)
            _frame[i] = (byte)(i >= Header ? i : 0);
    }

    public override IReadOnlyList<int> Descriptors => _own;

    public override bool HasVnetHeader { get; }

    public override NetOffloads Offloads => HasVnetHeader ? NetOffloads.All : NetOffloads.None;

    public override ushort Mtu => 1500;

    public override string Description => "fuzz";

    public static Func<VirtioNet> Plug(FuzzHost host)
    {
        FuzzEndpoint endpoint = new(host);
        host.Stir = endpoint.Stir;
        host.Relax = endpoint.Drain;
        host.Unplug = endpoint.Close;
        host.MayKeep = queue =>
        {
            NetFeatures features = (NetFeatures)host.Features;
            int pairs = features.HasFlag(NetFeatures.Mq) ? 2 : 1;
            return queue < 2 * pairs ? queue % 2 == 0 : queue != 2 * pairs || !features.HasFlag(NetFeatures.CtrlVq);
        };
        return () => new VirtioNet(endpoint, new MacAddress(0x0242_0000_0001));
    }

    public override void SetGuestOffloads(NetOffloads offloads)
    {
        if ((offloads & ~Offloads) != 0)
            _host.Fail($"the device wants offloads {offloads} of an endpoint that has {Offloads}");
    }

    public override void SetPairActive(int pair, bool active)
    {
        if ((uint)pair >= _own.Length)
            _host.Fail($"the device uses pair {pair}");
    }

    protected override void Dispose(bool disposing)
    {
        // Another card may come.
    }

    private void Close()
    {
        foreach (int fd in _own.Concat(_peers).Where(fd => fd >= 0))
            _ = LibC.close(fd);
    }

    private void Stir()
    {
        int pair = _host.Input.Pick(0, 0, 0, 1);
        switch (_host.Input.Below(8))
        {
            case 0:
                Drain();
                break;
            case 1 when _host.Input.Chance(16):
                _ = LibC.shutdown(_peers[pair], LibC.SHUT_RDWR); // a process that another test starts may hold it, too
                _ = LibC.close(_peers[pair]);
                _peers[pair] = -1;
                break;
            default:
                int length = _host.Input.Pick(60, 1514, 14, 590, 1, 1518, 4000, 3, 18_000, 1000);
                if (length > 1518 && !HasVnetHeader)
                    length = 1518;
                fixed (byte* frame = _frame)
                {
                    int skip = HasVnetHeader && length != 3 ? 0 : Header;
                    _ = LibC.write(_peers[pair], frame + skip, length + Header - skip);
                }

                break;
        }
    }

    private void Drain()
    {
        byte* frame = stackalloc byte[1];
        int header = HasVnetHeader ? Header : 0;
        foreach (int peer in _peers)
        {
            // MSG_TRUNC: the frame's length, however little of it is taken.
            long length;
            while ((length = (long)LibC.recv(peer, frame, 1, LibC.MSG_TRUNC)) > 0)
            {
                if (length < header + 14 || (!HasVnetHeader && length > 1518))
                    _host.Fail($"the device sent a frame of {length - header} bytes");
            }
        }
    }
}
