namespace MiniVmm.Tests.Network.User;

/// <summary>Frames of a hostile guest's from a fixed seed: each kind that libslirp reads, then a few bytes changed.</summary>
/// <param name="seed">The same frames for the same seed.</param>
/// <param name="port">The host's port that TCP and UDP go to; <see cref="AnyPort"/> for all.</param>
internal sealed class FrameFuzzer(int seed, ushort port)
{
    public const ushort AnyPort = 0;
    private const int Ip6 = GuestWire.Ethernet + 40;
    private static readonly ushort[] Services = [53, 67, 68, 69, 547, 546, 22, 80];
    private static readonly byte[] Host6 = [0xfe, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

    private readonly Random _random = new(seed);
    private uint _sequence = 1000;

    /// <param name="everywhere">
    /// Whether addresses and ports may be any; else no frame goes further than to the one port of the host's.
    /// </param>
    public byte[] Next(bool everywhere)
    {
        byte[] frame = _random.Next(10) switch
        {
            0 => GuestWire.ArpFrame((ushort)_random.Next(4), Address(), Bytes(6), Address()),
            1 => GuestWire.PingFrame(GuestWire.Host, (ushort)_random.Next(4), Bytes(_random.Next(2000))),
            2 => GuestWire.UdpFrame(Address(), Port(), Address(), Port(), Bytes(_random.Next(2000))),
            3 => GuestWire.UdpFrame(0, 68, uint.MaxValue, 67, Dhcp()),
            4 or 5 => GuestWire.TcpFrame(
                (ushort)_random.Next(40000, 40008),
                Port(),
                _sequence += (uint)_random.Next(3),
                (uint)_random.Next(),
                _random.Next(3) == 0 ? GuestTcp.Syn : (byte)_random.Next(64),
                Bytes(_random.Next(200))),
            6 => GuestWire.IpFrame(Address(), Address(), (byte)_random.Next(20), Bytes(_random.Next(100))),
            7 or 8 => Version6(),
            _ => Bytes(_random.Next(100)),
        };
        if (_random.Next(3) == 0 && GuestWire.Ip <= frame.Length && GuestWire.EtherType(frame) == 0x0800)
            Fragment(frame);
        for (int changes = _random.Next(4) - 1; changes > 0 && frame.Length != 0; changes--)
            frame[_random.Next(Math.Min(frame.Length, 80))] = OddByte();
        if (_random.Next(8) == 0)
            frame = frame[.._random.Next(frame.Length + 1)];
        if (frame.Length >= 20 && GuestWire.EtherType(frame) == 0x88f8)
            frame[16] = (byte)_random.Next(0x20);
        if (!everywhere)
            Confine(frame);
        if (_random.Next(8) != 0)
            MendChecksum(frame);
        return frame;
    }

    private uint Address() => _random.Next(8) switch
    {
        0 => 0,
        1 => uint.MaxValue,
        2 => 0x0a00_02ff,
        3 => 0x0a00_0203,
        4 => (uint)_random.NextInt64(1L << 32),
        5 => GuestWire.Guest,
        _ => GuestWire.Host,
    };

    private ushort Port() => _random.Next(2) == 0 ? Services[_random.Next(Services.Length)]
        : port != AnyPort ? port : (ushort)_random.Next(65536);

    private byte OddByte() => _random.Next(4) switch
    {
        0 => 0,
        1 => 255,
        2 => (byte)(1 << _random.Next(8)),
        _ => (byte)_random.Next(256),
    };

    private byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        _random.NextBytes(bytes);
        if (count > 20 && _random.Next(4) == 0)
            (bytes[12], bytes[13]) = (0x88, 0xf8);
        return bytes;
    }

    private byte[] Dhcp()
    {
        byte[] message = new byte[240 + _random.Next(400)];
        _random.NextBytes(message.AsSpan(240));
        byte[] head = [1, 1, 6, 0];
        head.CopyTo(message, 0);
        GuestWire.GuestMac.CopyTo(message, 28);
        message[33] = OddByte();
        byte[] cookie = [99, 130, 83, 99, 53, 1, (byte)_random.Next(9)];
        cookie.AsSpan(0, Math.Min(cookie.Length, message.Length - 236)).CopyTo(message.AsSpan(236));
        return message;
    }

    private byte[] Version6()
    {
        byte[] next = [58, 58, 58, 17, 6, (byte)_random.Next(256)];
        byte[] payload = Bytes(8 + _random.Next(120));
        byte protocol = next[_random.Next(next.Length)];
        if (protocol == 58)
            (payload[0], payload[1]) = ((byte)_random.Next(126, 140), 0);
        byte[] frame = new byte[Ip6 + payload.Length];
        GuestWire.HostMac.CopyTo(frame, 0);
        GuestWire.GuestMac.CopyTo(frame, 6);
        (frame[12], frame[13], frame[14]) = (0x86, 0xdd, 0x60);
        GuestWire.Write16(frame, 18, (ushort)payload.Length);
        (frame[20], frame[21]) = (protocol, 255);
        Address6().CopyTo(frame, 22);
        Address6().CopyTo(frame, 38);
        payload.CopyTo(frame, Ip6);
        if (protocol is 17 or 6)
        {
            GuestWire.Write16(frame, Ip6 + 2, Port());
            GuestWire.Write16(frame, Ip6 + 4, (ushort)payload.Length);
        }

        return frame;
    }

    private byte[] Address6() => _random.Next(6) switch
    {
        0 => new byte[16],
        1 => [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, (byte)_random.Next(3)],
        2 => [0xfe, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte)_random.Next(16)],
        3 => [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte)_random.Next(4)],
        4 => Bytes(16),
        _ => (byte[])Host6.Clone(),
    };

    private void Fragment(byte[] frame) =>
        GuestWire.Write16(
            frame, 20, (ushort)((_random.Next(2) << 13) | (_random.Next(2) == 0 ? 0 : _random.Next(8192))));

    private void Confine(byte[] frame)
    {
        if (frame.Length < GuestWire.Ip)
            return;
        if (GuestWire.EtherType(frame) == 0x0800)
        {
            GuestWire.Write32(frame, 30, GuestWire.Host);
            int payload = GuestWire.Ethernet + ((frame[14] & 15) * 4);
            if (frame[23] != GuestWire.Icmp && payload + 4 <= frame.Length)
                GuestWire.Write16(frame, payload + 2, port);
        }
        else if (GuestWire.EtherType(frame) == 0x86dd && frame.Length >= Ip6)
        {
            Host6.CopyTo(frame, 38);
            if (Ip6 + 4 <= frame.Length && frame[20] != 58)
                GuestWire.Write16(frame, Ip6 + 2, port);
        }
    }

    /// <summary>libslirp looks no further into a packet whose sum is wrong.</summary>
    private static void MendChecksum(byte[] frame)
    {
        if (frame.Length < GuestWire.Ip)
            return;
        if (GuestWire.EtherType(frame) == 0x0800)
        {
            int header = Math.Min(Math.Max(20, (frame[14] & 15) * 4), frame.Length - GuestWire.Ethernet);
            GuestWire.Write16(frame, 24, 0);
            GuestWire.Write16(frame, 24, GuestWire.Checksum(frame.AsSpan(GuestWire.Ethernet, header), 0));
            MendTransport(frame, GuestWire.Ethernet + header, frame[23], frame.AsSpan(26, 8));
        }
        else if (GuestWire.EtherType(frame) == 0x86dd && frame.Length >= Ip6 + 8)
        {
            MendTransport(frame, Ip6, frame[20], frame.AsSpan(22, 32));
        }
    }

    private static void MendTransport(byte[] frame, int start, byte protocol, ReadOnlySpan<byte> addresses)
    {
        int field = protocol switch
        {
            GuestWire.Icmp or 58 => start + 2,
            GuestWire.Tcp => start + 16,
            GuestWire.Udp => start + 6,
            _ => frame.Length,
        };
        if (field + 2 > frame.Length)
            return;
        uint pseudo = protocol == GuestWire.Icmp
            ? 0
            : (ushort)~GuestWire.Checksum(addresses, 0) + (uint)protocol + (uint)(frame.Length - start);
        GuestWire.Write16(frame, field, 0);
        GuestWire.Write16(frame, field, GuestWire.Checksum(frame.AsSpan(start), pseudo));
    }
}
