using MiniVmm.Network.User;

namespace MiniVmm.Tests.Network.User;

public sealed class FrameFilterTests
{
    private const int Segment = GuestWire.Ip;

    [Fact]
    public void Lets_pass_what_guests_say_unchanged()
    {
        byte[][] frames =
        [
            GuestWire.ArpFrame(1, GuestWire.Guest, [], GuestWire.Host),
            GuestWire.PingFrame(GuestWire.Host, 1, [1, 2, 3]),
            GuestWire.UdpFrame(GuestWire.Guest, 777, GuestWire.Host, 53, [1, 2, 3]),
            GuestWire.TcpFrame(777, 80, 1, 2, GuestTcp.Ack, [1, 2, 3]),
        ];
        foreach (byte[] frame in frames)
        {
            byte[] before = [.. frame];
            Assert.True(FrameFilter.Admits(frame));
            Assert.Equal(before, frame);
        }
    }

    [Fact]
    public void Knows_what_may_open_a_socket()
    {
        byte[] reply = GuestWire.TcpFrame(80, 777, 1, 2, GuestTcp.Syn | GuestTcp.Ack, []);

        Assert.True(FrameFilter.MayOpenSocket(GuestWire.PingFrame(GuestWire.Host, 1, [1, 2, 3])));
        Assert.True(FrameFilter.MayOpenSocket(GuestWire.UdpFrame(GuestWire.Guest, 777, GuestWire.Host, 53, [1, 2, 3])));
        Assert.True(FrameFilter.MayOpenSocket(GuestWire.TcpFrame(777, 80, 1, 0, GuestTcp.Syn, [])));
        Assert.False(FrameFilter.MayOpenSocket(reply));
        Assert.False(FrameFilter.MayOpenSocket(GuestWire.TcpFrame(777, 80, 1, 2, GuestTcp.Ack, [1, 2, 3])));
        Assert.False(FrameFilter.MayOpenSocket(GuestWire.UdpFrame(0, 68, uint.MaxValue, 67, new byte[300])));
        Assert.False(FrameFilter.MayOpenSocket(GuestWire.ArpFrame(1, GuestWire.Guest, [], GuestWire.Host)));
    }

    [Theory]
    [InlineData(0x2000, false)]
    [InlineData(0x0001, false)]
    [InlineData(0x3fff, false)]
    [InlineData(0x4000, true)]
    public void Parts_of_a_packet_stay_outside(ushort flagsAndOffset, bool admitted)
    {
        byte[] frame = GuestWire.UdpFrame(GuestWire.Guest, 777, GuestWire.Host, 53, [1, 2, 3]);
        GuestWire.Write16(frame, 20, flagsAndOffset);

        Assert.Equal(admitted, FrameFilter.Admits(frame));
    }

    [Fact]
    public void Requests_for_files_and_to_controllers_stay_outside()
    {
        byte[] file = GuestWire.UdpFrame(GuestWire.Guest, 777, GuestWire.Host, 69, [0, 1]);
        byte[] controller = new byte[60];
        GuestWire.Write16(controller, 12, 0x88f8);

        Assert.False(FrameFilter.Admits(file));
        Assert.False(FrameFilter.Admits(controller));
    }

    [Theory]
    [InlineData(0x44)]
    [InlineData(0x4f)]
    public void A_header_that_cannot_be_stays_outside(byte versionAndLength)
    {
        byte[] frame = GuestWire.UdpFrame(GuestWire.Guest, 777, GuestWire.Host, 53, [1, 2, 3]);
        frame[GuestWire.Ethernet] = versionAndLength;

        Assert.False(FrameFilter.Admits(frame));
    }

    [Fact]
    public void Any_first_bytes_of_a_frame_can_be_looked_at()
    {
        byte[][] frames =
        [
            GuestWire.TcpFrame(777, 80, 1, 2, 0x3f, [1, 2, 3]),
            GuestWire.UdpFrame(GuestWire.Guest, 777, GuestWire.Host, 53, [1, 2, 3]),
            new byte[80],
        ];
        GuestWire.Write16(frames[2], 12, 0x86dd);
        (frames[2][20], frames[2][67]) = (GuestWire.Tcp, 0x20);
        foreach (byte[] frame in frames)
        {
            for (int length = GuestPort.SmallestFrame; length <= frame.Length; length++)
                FrameFilter.Admits([.. frame[..length]]);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(0xffff)]
    public void Urgent_data_become_plain_data_of_a_right_checksum(ushort pointer)
    {
        byte[] plain = GuestWire.TcpFrame(777, 80, 1, 2, GuestTcp.Ack, [1, 2, 3]);
        byte[] urgent = GuestWire.TcpFrame(777, 80, 1, 2, GuestTcp.Ack, [1, 2, 3]);
        urgent[Segment + 13] |= 0x20;
        GuestWire.Write16(urgent, Segment + 18, pointer);
        GuestWire.Write16(urgent, Segment + 16, 0);
        uint pseudo = 0x0a00 + 0x020f + 0x0a00 + 0x0202 + GuestWire.Tcp + (uint)(urgent.Length - Segment);
        GuestWire.Write16(urgent, Segment + 16, GuestWire.Checksum(urgent.AsSpan(Segment), pseudo));

        Assert.True(FrameFilter.Admits(urgent));

        Assert.Equal(plain, urgent);
    }
}
