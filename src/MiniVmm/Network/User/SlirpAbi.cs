using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace MiniVmm.Network.User;

/// <summary>An IPv6 address in network order; four-byte alignment, as netinet/in.h has it.</summary>
[InlineArray(4)]
internal struct in6_addr
{
    private uint _word;
}

/// <summary>
/// struct SlirpConfig of libslirp.h, up to the fields of its version 1: every libslirp from 4.1 on takes that version, and
/// reads no further.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SlirpConfig
{
    public const uint Version1 = 1;

    public uint version;
    public int restricted;
    public byte in_enabled;
    public uint vnetwork;
    public uint vnetmask;
    public uint vhost;
    public byte in6_enabled;
    public in6_addr vprefix_addr6;
    public byte vprefix_len;
    public in6_addr vhost6;
    public byte* vhostname;
    public byte* tftp_server_name;
    public byte* tftp_path;
    public byte* bootfile;
    public uint vdhcp_start;
    public uint vnameserver;
    public in6_addr vnameserver6;
    public byte** vdnssearch;
    public byte* vdomainname;
    public nuint if_mtu;
    public nuint if_mru;
    public byte disable_host_loopback;
    public byte enable_emu;
}

/// <summary>
/// struct SlirpCb of libslirp.h, up to what a configuration of version 1 has called. The last argument of each is the
/// opaque pointer of slirp_new.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SlirpCb
{
    public delegate* unmanaged<byte*, nuint, nint, nint> send_packet;
    public delegate* unmanaged<byte*, nint, void> guest_error;
    public delegate* unmanaged<nint, long> clock_get_ns;
    public delegate* unmanaged<delegate* unmanaged<nint, void>, nint, nint, nint> timer_new;
    public delegate* unmanaged<nint, nint, void> timer_free;
    public delegate* unmanaged<nint, long, nint, void> timer_mod;
    public delegate* unmanaged<int, nint, void> register_poll_fd;
    public delegate* unmanaged<int, nint, void> unregister_poll_fd;
    public delegate* unmanaged<nint, void> notify;
}

/// <summary>SLIRP_POLL_* of libslirp.h.</summary>
internal static class SlirpPoll
{
    public const int In = 1;
    public const int Out = 2;
    public const int Pri = 4;
    public const int Err = 8;
    public const int Hup = 16;
}
