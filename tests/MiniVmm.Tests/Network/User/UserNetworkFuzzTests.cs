using System.Net;
using System.Net.Sockets;
using MiniVmm.Network;
using MiniVmm.Network.User;

namespace MiniVmm.Tests.Network.User;

/// <summary>
/// Frames of a hostile guest's, mostly valid: libslirp runs in this process, so that a crash of its is the end of the
/// test run. A guest that is not restricted speaks to this test's own servers only.
/// </summary>
public sealed class UserNetworkFuzzTests
{
    private static readonly int Frames =
        int.TryParse(Environment.GetEnvironmentVariable("MINIVMM_FUZZ_FRAMES"), out int frames) ? frames : 5000;

    [Theory]
    [InlineData(1, 68)]
    [InlineData(2, 1500)]
    [InlineData(3, 65521)]
    public void Any_bytes_leave_a_restricted_network_alive(int seed, ushort mtu)
    {
        using UserNetwork network = new(new UserNetOptions { Restrict = true, Hostname = "fuzz" }, mtu);
        GuestWire wire = new(network);
        FrameFuzzer fuzzer = new(seed, FrameFuzzer.AnyPort);

        for (int i = 0; i < Frames; i++)
            Exchange(wire, fuzzer.Next(everywhere: true));

        AssertAlive(wire);
    }

    [Theory]
    [InlineData(4, 1500)]
    [InlineData(5, 65521)]
    public void Any_bytes_to_a_server_of_the_hosts_leave_the_network_alive(int seed, ushort mtu)
    {
        using TcpListener stream = new(IPAddress.Loopback, 0);
        stream.Start();
        int port = ((IPEndPoint)stream.LocalEndpoint).Port;
        using UdpClient datagrams = new(new IPEndPoint(IPAddress.Loopback, port));
        using UserNetwork network = new(new UserNetOptions(), mtu);
        GuestWire wire = new(network);
        FrameFuzzer fuzzer = new(seed, (ushort)port);
        byte[] data = new byte[3000];
        List<Socket> connections = [];

        for (int i = 0; i < Frames; i++)
        {
            Exchange(wire, fuzzer.Next(everywhere: false));
            while (stream.Pending())
            {
                Socket connection = stream.AcceptSocket();
                connections.Add(connection);
                connection.Blocking = false;
                _ = connection.Send(data, SocketFlags.None, out _);
            }

            if (connections.Count > 8)
            {
                connections[0].Dispose();
                connections.RemoveAt(0);
            }

            if (datagrams.Available > 0)
            {
                IPEndPoint from = new(IPAddress.Any, 0);
                byte[] said = datagrams.Receive(ref from);
                datagrams.Send(said, said.Length, from);
            }
        }

        connections.ForEach(connection => connection.Dispose());
        AssertAlive(wire);
    }

    private static void Exchange(GuestWire wire, byte[] frame)
    {
        wire.Send(frame);
        while (wire.Receive(0) is { } answer)
        {
            // A connection gets further than its SYN if it is answered.
            if (answer.Length >= GuestWire.Ip + 20 && GuestWire.EtherType(answer) == 0x0800
                && answer[23] == GuestWire.Tcp && GuestTcp.Flags(answer) == (GuestTcp.Syn | GuestTcp.Ack))
            {
                wire.TrySend(GuestWire.TcpFrame(
                    GuestWire.Read16(answer, GuestWire.Ip + 2),
                    GuestWire.Read16(answer, GuestWire.Ip),
                    GuestWire.Read32(answer, GuestWire.Ip + 8),
                    GuestWire.Read32(answer, GuestWire.Ip + 4) + 1,
                    GuestTcp.Ack,
                    "well?"u8));
            }
        }
    }

    private static void AssertAlive(GuestWire wire)
    {
        // Not a card's address: the fuzzer may have told libslirp another for the guest's.
        const uint Prober = 0x0a00_02c8;
        wire.Send(GuestWire.ArpFrame(1, Prober, [], GuestWire.Host));
        wire.Receive("ARP answer", frame => frame.Length >= 42 && GuestWire.EtherType(frame) == GuestWire.Arp
            && GuestWire.Read16(frame, 20) == 2 && GuestWire.Read32(frame, 38) == Prober);
    }
}
