using System.Net;
using System.Net.Sockets;
using MiniVmm.Network;
using MiniVmm.Network.User;

namespace MiniVmm.Tests.Network.User;

public sealed class SocketLimitTests
{
    [Fact]
    public void Is_reached_by_number_and_not_any_more_when_one_has_gone()
    {
        SocketLimit limit = new(most: 2, firstReserved: 1000);

        limit.Add(-1);
        limit.Add(500);
        limit.Add(500);
        Assert.False(limit.IsReached);
        limit.Add(501);
        Assert.True(limit.IsReached);
        limit.Remove(7);
        limit.Remove(500);
        limit.Remove(500);
        Assert.False(limit.IsReached);
    }

    [Fact]
    public void Is_reached_while_a_descriptor_is_open_that_is_kept_for_others()
    {
        SocketLimit limit = new(most: 100, firstReserved: 1000);

        limit.Add(1000);
        limit.Add(3);
        Assert.True(limit.IsReached);
        limit.Remove(3);
        Assert.True(limit.IsReached);
        limit.Remove(1000);
        Assert.False(limit.IsReached);
    }

    [Fact]
    public void A_guest_has_so_many_connections_and_no_more()
    {
        using TcpListener server = new(IPAddress.Loopback, 0);
        server.Start();
        ushort port = (ushort)((IPEndPoint)server.LocalEndpoint).Port;
        using Served served = new(new UserNetOptions(), new SocketLimit(most: 2, firstReserved: int.MaxValue));
        GuestTcp first = new(served.Wire, 5001, port);
        first.Connect();
        new GuestTcp(served.Wire, 5002, port).Connect();
        using Socket firstServed = server.AcceptSocket();
        using Socket secondServed = server.AcceptSocket();

        served.Wire.Send(GuestWire.TcpFrame(5003, port, 1, 0, GuestTcp.Syn, []));
        served.Wire.Send(GuestWire.PingFrame(0x7f00_0001, 1, [1]));
        served.AwaitTurn();
        Assert.False(server.Pending());

        first.Abort();
        served.AwaitTurn();
        new GuestTcp(served.Wire, 5003, port).Connect();
        using Socket third = server.AcceptSocket();
    }

    [Fact]
    public void A_forwarded_port_waits_until_there_is_room()
    {
        ushort port;
        using (TcpListener free = new(IPAddress.Loopback, 0))
        {
            free.Start();
            port = (ushort)((IPEndPoint)free.LocalEndpoint).Port;
        }

        // The socket that listens does not count.
        using Served served = new(new UserNetOptions(), new SocketLimit(most: 1, firstReserved: int.MaxValue));
        Assert.Equal(0, served.Forward(port));
        using Socket firstClient = new(SocketType.Stream, ProtocolType.Tcp);
        firstClient.Connect(IPAddress.Loopback, port);
        byte[] syn = served.Wire.ReceiveIp("SYN", GuestWire.Tcp, 22);
        GuestTcp guest = new(served.Wire, 22, GuestWire.Read16(syn, GuestWire.Ip));
        guest.Accept(syn);
        served.AwaitTurn();

        using Socket secondClient = new(SocketType.Stream, ProtocolType.Tcp);
        secondClient.Connect(IPAddress.Loopback, port);
        ushort source = (ushort)((IPEndPoint)secondClient.LocalEndPoint!).Port;
        Assert.False(served.AwaitTurn(frame => IsSyn(frame, source)));

        guest.Abort();
        served.Wire.Receive("SYN", frame => IsSyn(frame, source));
    }

    private static bool IsSyn(byte[] frame, ushort sourcePort) =>
        GuestWire.EtherType(frame) == 0x0800 && frame[23] == GuestWire.Tcp
        && GuestWire.Read16(frame, GuestWire.Ip) == sourcePort && GuestTcp.Flags(frame) == GuestTcp.Syn;

    /// <summary>A network with a limit of its own.</summary>
    private sealed class Served : IDisposable
    {
        private readonly CardOnly _card = new();
        private readonly SlirpStack _stack;
        private readonly Thread _thread;

        public Served(UserNetOptions options, SocketLimit limit)
        {
            _stack = UserNetwork.MakeStack(SlirpLibrary.Load(), _card.Port, options, 1500, limit);
            Wire = new GuestWire(_card);
            _thread = new Thread(_stack.Run);
        }

        public GuestWire Wire
        {
            get
            {
                if (_thread.ThreadState == ThreadState.Unstarted)
                    _thread.Start();
                return field;
            }
        }

        public int Forward(ushort port) => _stack.AddHostForward(
            new HostForward(false, new Ipv4Address(0x7f00_0001), port, new Ipv4Address(GuestWire.Guest), 22));

        /// <summary>Waits until all frames so far have been dealt with, and the sockets looked at twice.</summary>
        /// <returns>Whether such a frame came meanwhile.</returns>
        public bool AwaitTurn(Func<byte[], bool>? wanted = null)
        {
            bool came = false;
            for (int i = 0; i < 3; i++)
            {
                Wire.Send(GuestWire.ArpFrame(1, GuestWire.Guest, [], GuestWire.Host));
                Wire.Receive("ARP answer", frame =>
                {
                    came |= wanted?.Invoke(frame) ?? false;
                    return GuestWire.EtherType(frame) == GuestWire.Arp && frame[21] == 2;
                });
            }

            return came;
        }

        public void Dispose()
        {
            _card.Port.Stop();
            if (_thread.IsAlive)
                _thread.Join();
            _stack.Dispose();
            _card.Dispose();
        }
    }
}
