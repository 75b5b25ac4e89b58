using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Network;
using Tmds.Linux;

namespace MiniVmm.Tests.Virtio.Net;

/// <summary>An endpoint of socket pairs: the test has the other ends.</summary>
internal sealed unsafe class SocketEndpoint : NetEndpoint
{
    private const int SeqPacket = 5;
    private readonly int[] _own;
    private readonly int[] _peers;

    public SocketEndpoint(bool hasHeader, int pairs = 1, NetOffloads offloads = NetOffloads.None)
    {
        HasVnetHeader = hasHeader;
        Offloads = offloads;
        _own = new int[pairs];
        _peers = new int[pairs];
        Active = new bool[pairs];
        int* fds = stackalloc int[2];
        for (int i = 0; i < pairs; i++)
        {
            Assert.Equal(0, LibC.socketpair(LibC.AF_UNIX, SeqPacket | LibC.SOCK_NONBLOCK | LibC.SOCK_CLOEXEC, 0, fds));
            (_own[i], _peers[i]) = (fds[0], fds[1]);
        }
    }

    public override IReadOnlyList<int> Descriptors => _own;

    public override bool HasVnetHeader { get; }

    public override NetOffloads Offloads { get; }

    public override ushort Mtu => 1500;

    public override string Description => "sockets";

    /// <summary>The last that was asked for.</summary>
    public NetOffloads GuestOffloads { get; private set; }

    /// <summary>Which of the pairs were turned on.</summary>
    public bool[] Active { get; }

    public bool IsDisposed { get; private set; }

    public override void SetGuestOffloads(NetOffloads offloads) => GuestOffloads = offloads;

    public override void SetPairActive(int pair, bool active) => Active[pair] = active;

    /// <summary>Sends a frame to the card, with its header if the endpoint has one.</summary>
    public bool Send(ReadOnlySpan<byte> frame, int pair = 0)
    {
        fixed (byte* bytes = frame)
            return (long)LibC.write(_peers[pair], bytes, frame.Length) == frame.Length;
    }

    /// <summary>A frame that the card sent; null where there is none.</summary>
    public byte[]? Receive(int pair = 0)
    {
        byte[] frame = new byte[100_000];
        fixed (byte* bytes = frame)
        {
            long length = (long)LibC.read(_peers[pair], bytes, frame.Length);
            if (length < 0)
                Assert.Equal(Errno.EAGAIN, Marshal.GetLastPInvokeError());
            return length < 0 ? null : frame[..(int)length];
        }
    }

    /// <summary>Closes the test's end, also in a process that another test is about to start.</summary>
    public void HangUp(int pair = 0)
    {
        _ = LibC.shutdown(_peers[pair], LibC.SHUT_RDWR);
        _ = LibC.close(_peers[pair]);
        _peers[pair] = -1;
    }

    protected override void Dispose(bool disposing)
    {
        IsDisposed = true;
        foreach (int fd in _own.Concat(_peers).Where(fd => fd >= 0))
            _ = LibC.close(fd);
    }
}
