using System.Net;
using System.Net.Sockets;
using System.Text;
using MiniVmm.Network;
using MiniVmm.Network.User;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Network.User;

/// <summary>Needs libslirp (apt-get install libslirp0); every test here fails with that line if it is not there.</summary>
public sealed class UserNetworkTests
{
    private static readonly Ipv4Address Loopback = new(0x7f00_0001);

    [Fact]
    public void Answers_for_the_hosts_address()
    {
        using UserNetwork network = new(new UserNetOptions());
        GuestWire wire = new(network);

        wire.Send(GuestWire.ArpFrame(1, GuestWire.Guest, [], GuestWire.Host));

        byte[] answer = wire.Receive("ARP answer", frame => GuestWire.EtherType(frame) == GuestWire.Arp);
        Assert.Equal(2, GuestWire.Read16(answer, 20));
        Assert.Equal(GuestWire.HostMac, answer[22..28]);
        Assert.Equal(GuestWire.Host, GuestWire.Read32(answer, 28));
        Assert.Equal(GuestWire.GuestMac, answer[..6]);
    }

    [Fact]
    public void Answers_a_ping_of_the_host()
    {
        using UserNetwork network = new(new UserNetOptions());
        GuestWire wire = new(network);

        wire.Send(GuestWire.ArpFrame(1, GuestWire.Guest, [], GuestWire.Host));
        wire.Send(GuestWire.PingFrame(GuestWire.Host, 0x1234, "are you there?"u8.ToArray()));

        byte[] answer = wire.Receive(
            "echo reply", frame => GuestWire.EtherType(frame) == 0x0800 && frame[23] == GuestWire.Icmp);
        Assert.Equal(0, answer[GuestWire.Ip]);
        Assert.Equal(0x1234, GuestWire.Read16(answer, GuestWire.Ip + 4));
        Assert.Equal("are you there?", Encoding.ASCII.GetString(answer, GuestWire.Ip + 8, 14));
    }

    [Fact]
    public void Gives_the_guest_its_address_by_DHCP()
    {
        using UserNetwork network = new(new UserNetOptions { Hostname = "guest7" });
        GuestWire wire = new(network);

        (uint address, Dictionary<byte, byte[]> offer) = AskDhcp(wire, [53, 1, 1, 55, 3, 1, 3, 6]);
        (uint leased, Dictionary<byte, byte[]> lease) = AskDhcp(wire, [53, 1, 3, 50, 4, 10, 0, 2, 15]);

        Assert.Equal((GuestWire.Guest, GuestWire.Guest), (address, leased));
        Assert.Equal([2], offer[53]);
        Assert.Equal([5], lease[53]);
        Assert.Equal([255, 255, 255, 0], lease[1]);
        Assert.Equal([10, 0, 2, 2], lease[3]);
        Assert.Equal([10, 0, 2, 3], lease[6]);
        Assert.Equal("guest7", Encoding.ASCII.GetString(lease[12]));
    }

    [Fact]
    public void Gives_addresses_of_the_network_that_was_asked_for()
    {
        using UserNetwork network = new(new UserNetOptions
        {
            Network = new Ipv4Network(new Ipv4Address(0xc0a8_4d00), 24),
            Dns = new Ipv4Address(0xc0a8_4d09),
        });
        GuestWire wire = new(network);

        (uint address, Dictionary<byte, byte[]> offer) = AskDhcp(wire, [53, 1, 1, 55, 3, 1, 3, 6]);

        Assert.Equal(0xc0a8_4d0f, address);
        Assert.Equal([192, 168, 77, 2], offer[3]);
        Assert.Equal([192, 168, 77, 9], offer[6]);
        Assert.StartsWith("user mode, 192.168.77.0/24, libslirp 4.", network.Description);
    }

    [Fact]
    public void Carries_datagrams_to_the_host_and_back()
    {
        using UserNetwork network = new(new UserNetOptions());
        using UdpClient server = new(new IPEndPoint(IPAddress.Loopback, 0));
        GuestWire wire = new(network);
        ushort port = (ushort)((IPEndPoint)server.Client.LocalEndPoint!).Port;
        server.Client.ReceiveTimeout = 10_000;

        wire.Send(GuestWire.UdpFrame(GuestWire.Guest, 777, GuestWire.Host, port, "question"u8.ToArray()));
        IPEndPoint from = new(IPAddress.Any, 0);
        byte[] question = server.Receive(ref from);
        server.Send("answer"u8, from);
        byte[] answer = wire.ReceiveIp("datagram", GuestWire.Udp, 777);

        Assert.Equal("question", Encoding.ASCII.GetString(question));
        Assert.Equal("answer", Encoding.ASCII.GetString(answer, GuestWire.Ip + 8, 6));
        Assert.Equal(GuestWire.Host, GuestWire.Read32(answer, 26));
    }

    [Fact]
    public void Carries_a_connection_to_the_host()
    {
        using UserNetwork network = new(new UserNetOptions());
        using TcpListener server = new(IPAddress.Loopback, 0);
        server.Start();
        GuestWire wire = new(network);
        GuestTcp guest = new(wire, 5000, (ushort)((IPEndPoint)server.LocalEndpoint).Port);

        guest.Connect();
        using Socket connection = server.AcceptSocket();
        connection.ReceiveTimeout = 10_000;
        guest.Send("hello, host"u8.ToArray());
        byte[] heard = new byte[64];
        int length = connection.Receive(heard);
        connection.Send("hello, guest"u8);

        Assert.Equal("hello, host", Encoding.ASCII.GetString(heard, 0, length));
        Assert.Equal("hello, guest", Encoding.ASCII.GetString(guest.Receive(12)));

        guest.Close();
        Assert.Equal(0, connection.Receive(heard));
    }

    [Fact]
    public async Task A_guest_that_reads_slowly_loses_nothing()
    {
        using UserNetwork network = new(new UserNetOptions());
        using TcpListener server = new(IPAddress.Loopback, 0);
        server.Start();
        GuestWire wire = new(network);
        GuestTcp guest = new(wire, 5001, (ushort)((IPEndPoint)server.LocalEndpoint).Port);
        byte[] file = new byte[2 << 20];
        new Random(4).NextBytes(file);

        guest.Connect();
        using Socket connection = server.AcceptSocket();
        Task sending = Task.Run(() => connection.Send(file));
        byte[] received = guest.Receive(file.Length);
        await sending;

        Assert.True(file.AsSpan().SequenceEqual(received));
        Assert.Equal(0, guest.Gaps);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_forwarded_port_leads_to_the_guest(bool restricted)
    {
        ushort port = FreePort();
        using UserNetwork network = new(Forwarding(port) with { Restrict = restricted });
        GuestWire wire = new(network);

        using Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        client.Connect(IPAddress.Loopback, port);
        byte[] syn = wire.ReceiveIp("SYN", GuestWire.Tcp, 22);
        Assert.Equal(GuestTcp.Syn, GuestTcp.Flags(syn));
        Assert.Equal(GuestWire.Guest, GuestWire.Read32(syn, 30));
        GuestTcp guest = new(wire, 22, GuestWire.Read16(syn, GuestWire.Ip));
        guest.Accept(syn);
        client.Send("who is there?"u8);

        Assert.Equal("who is there?", Encoding.ASCII.GetString(guest.Receive(13)));
    }

    [Fact]
    public void A_restricted_guest_reaches_no_server_of_the_hosts()
    {
        using UserNetwork network = new(new UserNetOptions { Restrict = true });
        using UdpClient server = new(new IPEndPoint(IPAddress.Loopback, 0));
        GuestWire wire = new(network);
        ushort port = (ushort)((IPEndPoint)server.Client.LocalEndPoint!).Port;

        wire.Send(GuestWire.UdpFrame(GuestWire.Guest, 777, GuestWire.Host, port, "question"u8.ToArray()));
        wire.Send(GuestWire.ArpFrame(1, GuestWire.Guest, [], GuestWire.Host));

        // The frames are taken in order: with the second answered, the first has been dealt with.
        wire.Receive("ARP answer", frame => GuestWire.EtherType(frame) == GuestWire.Arp);
        Assert.Equal(0, server.Available);
    }

    [Fact]
    public void A_card_that_reads_nothing_does_not_hold_up_its_network_for_ever()
    {
        using UserNetwork network = new(new UserNetOptions());
        GuestWire wire = new(network);
        byte[] question = GuestWire.PingFrame(GuestWire.Host, 1, new byte[1400]);
        wire.Send(GuestWire.ArpFrame(1, GuestWire.Guest, [], GuestWire.Host));

        // More answers than the socket can hold: some are dropped, after a wait that ends.
        const int Questions = 5000;
        for (int i = 0; i < Questions; i++)
            wire.Send(question);
        int answers = 0;
        while (wire.Receive(300) is not null)
            answers++;
        wire.Send(question);

        Assert.InRange(answers, 100, Questions - 1);
        Assert.NotNull(wire.Receive());
    }

    [Fact]
    public void A_card_that_reads_nothing_does_not_hold_up_another_network()
    {
        using CardOnly card = new(patience: 60_000);
        using SlirpStack stack = UserNetwork.MakeStack(SlirpLibrary.Load(), card.Port, new UserNetOptions(), 1500);
        using UserNetwork other = new(new UserNetOptions());
        Thread loop = new(stack.Run);
        loop.Start();
        try
        {
            // Until the one network's thread waits for room for an answer, and takes no more questions.
            GuestWire wire = new(card);
            wire.Send(GuestWire.ArpFrame(1, GuestWire.Guest, [], GuestWire.Host));
            byte[] question = GuestWire.PingFrame(GuestWire.Host, 1, new byte[1400]);
            for (int failures = 0; failures < 100;)
            {
                bool sent = wire.TrySend(question);
                failures = sent ? 0 : failures + 1;
                if (!sent)
                    Thread.Sleep(2);
            }

            GuestWire otherWire = new(other);
            otherWire.Send(GuestWire.ArpFrame(1, GuestWire.Guest, [], GuestWire.Host));

            Assert.NotNull(otherWire.Receive());
        }
        finally
        {
            card.Port.Stop();
            loop.Join();
        }
    }

    [Fact]
    public void Frames_that_are_none_are_passed_over()
    {
        using UserNetwork network = new(new UserNetOptions());
        GuestWire wire = new(network);

        wire.Send([]);
        wire.Send([1]);
        wire.Send(new byte[13]);
        wire.Send(new byte[GuestPort.LargestFrame + 1]);
        wire.Send(GuestWire.ArpFrame(1, GuestWire.Guest, [], GuestWire.Host));

        Assert.NotNull(wire.Receive());
    }

    [Fact]
    public void Frames_allocate_nothing()
    {
        // The least of several rounds: what the runtime allocates once can fall into any of them.
        long few = Enumerable.Range(0, 5).Min(_ => AllocatedFor(frames: 200));
        long many = Enumerable.Range(0, 5).Min(_ => AllocatedFor(frames: 5200));

        Assert.Equal(few, many);
    }

    [Fact]
    public void Two_networks_do_not_meet()
    {
        using UserNetwork one = new(new UserNetOptions());
        using UserNetwork other = new(new UserNetOptions());
        GuestWire oneWire = new(one);
        GuestWire otherWire = new(other);

        oneWire.Send(GuestWire.ArpFrame(1, GuestWire.Guest, [], GuestWire.Host));

        Assert.NotNull(oneWire.Receive());
        Assert.Null(otherWire.Receive(0));
    }

    [Fact]
    public void Disposed_of_it_listens_no_more()
    {
        ushort port = FreePort();
        UserNetwork network = new(Forwarding(port));
        network.Dispose();
        network.Dispose();

        using TcpListener listener = new(IPAddress.Loopback, port) { ExclusiveAddressUse = true };
        listener.Start();
    }

    [Fact]
    public void A_forwarded_port_in_use_is_named()
    {
        using TcpListener other = new(IPAddress.Loopback, 0);
        other.Start();
        ushort port = (ushort)((IPEndPoint)other.LocalEndpoint).Port;

        BadInputException refused = Assert.Throws<BadInputException>(() => new UserNetwork(Forwarding(port)));

        Assert.Equal(
            $"--net user: hostfwd: TCP port {port} of the host at 127.0.0.1 is in use; choose another, or end its user",
            refused.OnCommandLine());
    }

    [Fact]
    public void A_forwarded_address_that_the_host_has_not_is_named()
    {
        UserNetOptions options = new()
        {
            HostForwards = [new HostForward(true, new Ipv4Address(0xc000_0201), FreePort(), Ipv4Address.Any, 53)],
        };

        BadInputException refused = Assert.Throws<BadInputException>(() => new UserNetwork(options));

        Assert.Contains("192.0.2.1 is not one of the host's addresses", refused.OnCommandLine());
    }

    [Fact]
    public void A_name_server_at_the_hosts_address_is_refused()
    {
        BadInputException refused = Assert.Throws<BadInputException>(
            () => new UserNetwork(new UserNetOptions { Dns = new Ipv4Address(GuestWire.Host) }));

        Assert.StartsWith("--net user: dns=10.0.2.2 is the host's own address", refused.OnCommandLine());
    }

    [Fact]
    public void An_MTU_beyond_libslirps_is_refused()
    {
        BadInputException refused = Assert.Throws<BadInputException>(() => new UserNetwork(new UserNetOptions(), 65522));

        Assert.StartsWith("--net user: mtu=65522 is more than libslirp's 65521", refused.OnCommandLine());
    }

    [Theory]
    [InlineData(NetOptions.LeastMtu)]
    [InlineData(UserNetwork.MostMtu)]
    public void Takes_the_smallest_and_the_largest_MTU(ushort mtu)
    {
        using UserNetwork network = new(new UserNetOptions(), mtu);

        Assert.Equal(mtu, network.Mtu);
    }

    [Fact]
    public void A_host_without_libslirp_is_told_what_to_install()
    {
        HostLimitException refused = Assert.Throws<HostLimitException>(
            () => new UserNetwork(new UserNetOptions(), null, "libslirp-that-is-not-there.so.0"));

        Assert.Equal(
            "--net user: libslirp-that-is-not-there.so.0 is not installed; apt-get install libslirp0", refused.OnCommandLine());
    }

    [Fact]
    public void A_library_without_its_functions_is_too_old()
    {
        HostLimitException refused = Assert.Throws<HostLimitException>(
            () => new UserNetwork(new UserNetOptions(), null, "libc.so.6"));

        Assert.Equal(
            "--net user: the installed libslirp has no slirp_new; MiniVmm needs libslirp 4.1 or newer", refused.OnCommandLine());
    }

    /// <returns>Bytes that the network's loop allocated while it answered so many pings.</returns>
    private static long AllocatedFor(int frames)
    {
        using CardOnly card = new();
        GuestWire wire = new(card);
        using SlirpStack stack = UserNetwork.MakeStack(SlirpLibrary.Load(), card.Port, new UserNetOptions(), 1500);
        long allocated = 0;
        Thread loop = new(() =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            stack.Run();
            allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        });
        loop.Start();
        wire.Send(GuestWire.ArpFrame(1, GuestWire.Guest, [], GuestWire.Host));
        Assert.NotNull(wire.Receive());
        for (int i = 0; i < frames; i++)
        {
            wire.Send(GuestWire.PingFrame(GuestWire.Host, 1, new byte[100]));
            Assert.NotNull(wire.Receive());
        }

        card.Port.Stop();
        loop.Join();
        return allocated;
    }

    private static UserNetOptions Forwarding(ushort port) => new()
    {
        HostForwards = [new HostForward(false, Loopback, port, Ipv4Address.Any, 22)],
    };

    private static ushort FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return (ushort)((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <returns>The address for the guest, and the answer's options.</returns>
    private static (uint Address, Dictionary<byte, byte[]> Options) AskDhcp(GuestWire wire, byte[] options)
    {
        byte[] message = new byte[300];
        byte[] head = [1, 1, 6, 0, 0xca, 0xfe, 0xf0, 0x0d];
        head.CopyTo(message, 0);
        GuestWire.GuestMac.CopyTo(message, 28);
        byte[] cookie = [99, 130, 83, 99, .. options, 255];
        cookie.CopyTo(message, 236);
        wire.Send(GuestWire.UdpFrame(0, 68, uint.MaxValue, 67, message));

        byte[] answer = wire.ReceiveIp("DHCP answer", GuestWire.Udp, 68);
        const int Start = GuestWire.Ip + 8;
        Assert.Equal(0xcafef00d, GuestWire.Read32(answer, Start + 4));
        Dictionary<byte, byte[]> found = [];
        for (int i = Start + 240; answer[i] != 255; i += 2 + answer[i + 1])
            found.Add(answer[i], answer[(i + 2)..(i + 2 + answer[i + 1])]);
        return (GuestWire.Read32(answer, Start + 16), found);
    }
}
