using System.Buffers.Binary;

namespace MiniVmm.Network.User;

/// <summary>
/// Which of a guest's frames libslirp gets to see. It runs in this process, and guests are hostile: what is known to
/// harm it, and no guest needs, is kept out. Debian 12's libslirp is 4.7.0, without the fixes of later versions.
/// </summary>
internal static class FrameFilter
{
    private const int Ethernet = 14;
    private const int Ip6 = Ethernet + 40;
    private const ushort Ip4Type = 0x0800;
    private const ushort ArpType = 0x0806;
    private const ushort Ip6Type = 0x86dd;
    private const byte Icmp = 1;
    private const byte Tcp = 6;
    private const byte Udp = 17;
    private const ushort Dhcp = 67;
    private const ushort Tftp = 69;
    private const byte Syn = 0x02;
    private const byte Ack = 0x10;
    private const byte Urgent = 0x20;

    /// <summary>Whether libslirp may have the frame, which this may change.</summary>
    /// <param name="frame">At least an Ethernet header.</param>
    public static bool Admits(Span<byte> frame) => BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) switch
    {
        ArpType => true,
        Ip4Type => AdmitsIp4(frame),
        Ip6Type => AdmitsIp6(frame),

        // It also speaks to network controllers (NC-SI, 0x88f8), which no guest has there, and knows no others.
        _ => false,
    };

    /// <summary>
    /// Whether libslirp may open a socket for the frame: the first of a connection, or any datagram.
    /// </summary>
    /// <param name="frame">One that it admits.</param>
    public static bool MayOpenSocket(Span<byte> frame) => BinaryPrimitives.ReadUInt16BigEndian(frame[12..]) switch
    {
        Ip4Type => MayOpenSocket(frame[23], frame[(Ethernet + ((frame[Ethernet] & 15) * 4))..]),
        Ip6Type => MayOpenSocket(frame[20], frame[Ip6..]),
        _ => false,
    };

    private static bool MayOpenSocket(byte protocol, Span<byte> segment) => protocol switch
    {
        Icmp => true, // a ping
        Tcp => segment.Length >= 20 && (segment[13] & (Syn | Ack)) == Syn,
        Udp => segment.Length >= 4 && BinaryPrimitives.ReadUInt16BigEndian(segment[2..]) != Dhcp,
        _ => false,
    };

    private static bool AdmitsIp4(Span<byte> frame)
    {
        int transport = Ethernet + ((frame.Length > Ethernet ? frame[Ethernet] & 15 : 0) * 4);
        if (transport < Ethernet + 20 || transport > frame.Length)
            return false;

        // Its reassembly writes where a guest says (fixed in 4.8.0, "Fix testing for last fragment", and in 4.9.4).
        if ((BinaryPrimitives.ReadUInt16BigEndian(frame[20..]) & 0x3fff) != 0)
            return false;
        return AdmitsTransport(frame[23], frame[transport..]);
    }

    private static bool AdmitsIp6(Span<byte> frame) =>
        frame.Length >= Ip6 && AdmitsTransport(frame[20], frame[Ip6..]);

    private static bool AdmitsTransport(byte protocol, Span<byte> segment)
    {
        // There are no files to serve, and its server has a use after free (fixed in 4.8.0).
        if (protocol == Udp)
            return segment.Length < 4 || BinaryPrimitives.ReadUInt16BigEndian(segment[2..]) != Tftp;

        // Urgent data are passed as plain data: it reads past the end of them (CVE-2026-9539, fixed in 4.9.2).
        if (protocol == Tcp && segment.Length >= 20 && (segment[13] & Urgent) != 0)
            ClearUrgent(segment);
        return true;
    }

    /// <summary>Takes flag and pointer out of the segment, and out of its checksum (RFC 1624).</summary>
    private static void ClearUrgent(Span<byte> segment)
    {
        int pointer = BinaryPrimitives.ReadUInt16BigEndian(segment[18..]);
        int sum = BinaryPrimitives.ReadUInt16BigEndian(segment[16..]) ^ 0xffff;
        sum += (Urgent ^ 0xffff) + (pointer ^ 0xffff);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        BinaryPrimitives.WriteUInt16BigEndian(segment[16..], (ushort)~sum);
        segment[13] &= unchecked((byte)~Urgent);
        BinaryPrimitives.WriteUInt16BigEndian(segment[18..], 0);
    }
}
