using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Network;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Tests.Network.User;

/// <summary>A guest's card by hand: it makes and takes apart frames of the network 10.0.2.0/24.</summary>
internal sealed unsafe class GuestWire(NetEndpoint network)
{
    public const uint Guest = 0x0a00_020f;
    public const uint Host = 0x0a00_0202;
    public const int Ethernet = 14;
    public const int Ip = Ethernet + 20;
    public const ushort Arp = 0x0806;
    public const byte Icmp = 1;
    public const byte Tcp = 6;
    public const byte Udp = 17;

    public static readonly byte[] GuestMac = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

    // libslirp's addresses are 52:55 and the IPv4 address.
    public static readonly byte[] HostMac = [0x52, 0x55, 10, 0, 2, 2];

    private readonly int _fd = network.Descriptors[0];
    private readonly byte[] _buffer = new byte[70_000];

    /// <returns>Whether there was room.</returns>
    public bool TrySend(ReadOnlySpan<byte> frame)
    {
        fixed (byte* bytes = frame)
            return (long)write(_fd, bytes, frame.Length) == frame.Length;
    }

    public void Send(ReadOnlySpan<byte> frame)
    {
        while (!TrySend(frame))
            Assert.True(Ready(POLLOUT, 10_000), "the network takes no frames");
    }

    /// <summary>The next frame; null if there is none for so long.</summary>
    public byte[]? Receive(int milliseconds = 10_000)
    {
        if (!Ready(POLLIN, milliseconds))
            return null;
        fixed (byte* bytes = _buffer)
        {
            long length = (long)read(_fd, bytes, _buffer.Length);
            Assert.True(length > 0, "the descriptor is ready and has no frame");
            return _buffer[..(int)length];
        }
    }

    /// <summary>The next frame that <paramref name="wanted"/> is true of. Answers questions for the guest's address.</summary>
    public byte[] Receive(string what, Func<byte[], bool> wanted)
    {
        long began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < TimeSpan.FromSeconds(20) && Receive() is { } frame)
        {
            if (EtherType(frame) == Arp && frame[21] == 1 && Read32(frame, 38) == Guest)
                Send(ArpFrame(2, Guest, HostMac, Host));
            if (wanted(frame))
                return frame;
        }

        Assert.Fail($"no {what} came");
        throw new UnreachableException();
    }

    public byte[] ReceiveIp(string what, byte protocol, ushort destinationPort) =>
        Receive(what, frame => EtherType(frame) == 0x0800 && frame[23] == protocol
            && Read16(frame, Ip + 2) == destinationPort);

    public static ushort EtherType(byte[] frame) => Read16(frame, 12);

    public static ushort Read16(byte[] frame, int offset) => BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(offset));

    public static uint Read32(byte[] frame, int offset) => BinaryPrimitives.ReadUInt32BigEndian(frame.AsSpan(offset));

    /// <summary>A question (1) or an answer (2) of the guest's.</summary>
    public static byte[] ArpFrame(ushort operation, uint sender, byte[] targetMac, uint target)
    {
        byte[] frame = new byte[42];
        (operation == 1 ? [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] : targetMac).CopyTo(frame, 0);
        GuestMac.CopyTo(frame, 6);
        byte[] header = [8, 6, 0, 1, 8, 0, 6, 4];
        header.CopyTo(frame, 12);
        Write16(frame, 20, operation);
        GuestMac.CopyTo(frame, 22);
        Write32(frame, 28, sender);
        (operation == 1 ? new byte[6] : targetMac).CopyTo(frame, 32);
        Write32(frame, 38, target);
        return frame;
    }

    public static byte[] UdpFrame(uint source, ushort sourcePort, uint target, ushort targetPort, byte[] data)
    {
        byte[] datagram = new byte[8 + data.Length];
        Write16(datagram, 0, sourcePort);
        Write16(datagram, 2, targetPort);
        Write16(datagram, 4, (ushort)datagram.Length);
        data.CopyTo(datagram, 8);
        return IpFrame(source, target, Udp, datagram);
    }

    public static byte[] PingFrame(uint target, ushort identifier, byte[] data)
    {
        byte[] message = new byte[8 + data.Length];
        message[0] = 8;
        Write16(message, 4, identifier);
        data.CopyTo(message, 8);
        Write16(message, 2, Checksum(message, 0));
        return IpFrame(Guest, target, Icmp, message);
    }

    /// <summary>A segment from the guest to the host.</summary>
    public static byte[] TcpFrame(
        ushort sourcePort, ushort targetPort, uint sequence, uint acknowledged, byte flags, ReadOnlySpan<byte> data)
    {
        byte[] segment = new byte[20 + data.Length];
        Write16(segment, 0, sourcePort);
        Write16(segment, 2, targetPort);
        Write32(segment, 4, sequence);
        Write32(segment, 8, acknowledged);
        segment[12] = 5 << 4;
        segment[13] = flags;
        Write16(segment, 14, 65535);
        data.CopyTo(segment.AsSpan(20));

        uint pseudo = (Guest >> 16) + (Guest & 0xffff) + (Host >> 16) + (Host & 0xffff) + Tcp + (uint)segment.Length;
        Write16(segment, 16, Checksum(segment, pseudo));
        return IpFrame(Guest, Host, Tcp, segment);
    }

    public static byte[] IpFrame(uint source, uint target, byte protocol, byte[] payload)
    {
        byte[] frame = new byte[Ip + payload.Length];
        HostMac.CopyTo(frame, 0);
        GuestMac.CopyTo(frame, 6);
        Write16(frame, 12, 0x0800);
        frame[14] = 0x45;
        Write16(frame, 16, (ushort)(20 + payload.Length));
        frame[22] = 64;
        frame[23] = protocol;
        Write32(frame, 26, source);
        Write32(frame, 30, target);
        Write16(frame, 24, Checksum(frame.AsSpan(Ethernet, 20), 0));
        payload.CopyTo(frame, Ip);
        return frame;
    }

    /// <summary>The Internet checksum (RFC 1071).</summary>
    public static ushort Checksum(ReadOnlySpan<byte> bytes, uint sum)
    {
        for (int i = 0; i < bytes.Length; i++)
            sum += (i & 1) == 0 ? (uint)bytes[i] << 8 : bytes[i];
        while (sum >> 16 != 0)
            sum = (sum & 0xffff) + (sum >> 16);
        return (ushort)~sum;
    }

    public static void Write16(byte[] bytes, int offset, ushort value) =>
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(offset), value);

    public static void Write32(byte[] bytes, int offset, uint value) =>
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(offset), value);

    private bool Ready(short events, int milliseconds)
    {
        pollfd wanted = new() { fd = _fd, events = events };
        int ready = poll(&wanted, 1, milliseconds);
        Assert.True(ready >= 0, $"poll: {Errno.Explain(Marshal.GetLastPInvokeError())}");
        return ready > 0;
    }
}
