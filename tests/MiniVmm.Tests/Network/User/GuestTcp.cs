namespace MiniVmm.Tests.Network.User;

/// <summary>One TCP connection of a guest's by hand: in order only, every segment acknowledged.</summary>
internal sealed class GuestTcp(GuestWire wire, ushort guestPort, ushort hostPort)
{
    public const byte Fin = 1;
    public const byte Syn = 2;
    public const byte Rst = 4;
    public const byte Push = 8;
    public const byte Ack = 16;

    private uint _next = 1_000_000;
    private uint _expected;

    /// <summary>Segments that were not the next expected: a frame was lost.</summary>
    public int Gaps { get; private set; }

    /// <summary>From the guest to the host.</summary>
    public void Connect()
    {
        Segment(Syn, []);
        _next++;
        byte[] answer = Next("SYN and ACK");
        Assert.Equal(Syn | Ack, Flags(answer) & (Syn | Ack | Rst));
        Assert.Equal(_next, GuestWire.Read32(answer, GuestWire.Ip + 8));
        _expected = GuestWire.Read32(answer, GuestWire.Ip + 4) + 1;
        Segment(Ack, []);
    }

    /// <summary>Answers the host's SYN.</summary>
    public void Accept(byte[] syn)
    {
        _expected = GuestWire.Read32(syn, GuestWire.Ip + 4) + 1;
        Segment(Syn | Ack, []);
        _next++;
    }

    public void Send(byte[] data)
    {
        Segment(Push | Ack, data);
        _next += (uint)data.Length;
    }

    /// <summary>Reads so many bytes.</summary>
    public byte[] Receive(int count)
    {
        byte[] data = new byte[count];
        int have = 0;
        while (have < count)
        {
            byte[] segment = Next("data");
            Assert.Equal(0, Flags(segment) & Rst);
            int offset = GuestWire.Ip + ((segment[GuestWire.Ip + 12] >> 4) * 4);
            int length = GuestWire.Ethernet + GuestWire.Read16(segment, 16) - offset;
            if (length == 0)
                continue;
            if (GuestWire.Read32(segment, GuestWire.Ip + 4) == _expected)
            {
                segment.AsSpan(offset, length).CopyTo(data.AsSpan(have));
                have += length;
                _expected += (uint)length;
            }
            else
            {
                Gaps++;
            }

            Segment(Ack, []);
        }

        return data;
    }

    public void Close() => Segment(Fin | Ack, []);

    /// <summary>Ends it at once, both ways.</summary>
    public void Abort() => Segment(Rst | Ack, []);

    public byte[] Next(string what) => wire.ReceiveIp(what, GuestWire.Tcp, guestPort);

    public static byte Flags(byte[] frame) => frame[GuestWire.Ip + 13];

    private void Segment(int flags, byte[] data) =>
        wire.Send(GuestWire.TcpFrame(guestPort, hostPort, _next, _expected, (byte)flags, data));
}
