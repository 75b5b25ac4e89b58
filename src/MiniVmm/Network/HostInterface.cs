using System.Runtime.InteropServices;
using System.Text;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Network;

/// <summary>
/// An interface of the host's by its name, set up by the ioctls of netdevice(7) and of linux/if_bridge.h.
/// </summary>
/// <param name="name">As <c>ip link</c> shows it, at most 15 bytes.</param>
/// <param name="option">What errors start with, as in <c>bridge=br0</c>.</param>
internal sealed unsafe class HostInterface(string name, NamedOption option)
{
    private const uint SIOCGIFFLAGS = 0x8913;
    private const uint SIOCSIFFLAGS = 0x8914;
    private const uint SIOCSIFADDR = 0x8916;
    private const uint SIOCSIFBRDADDR = 0x891a;
    private const uint SIOCSIFNETMASK = 0x891c;
    private const uint SIOCGIFMTU = 0x8921;
    private const uint SIOCSIFMTU = 0x8922;
    private const uint SIOCSIFHWADDR = 0x8924;
    private const uint SIOCGIFHWADDR = 0x8927;
    private const uint SIOCGIFINDEX = 0x8933;
    private const uint SIOCBRADDBR = 0x89a0;
    private const uint SIOCBRDELBR = 0x89a1;
    private const uint SIOCBRADDIF = 0x89a2;
    private const short IFF_UP = 1;
    private const ushort ARPHRD_ETHER = 1;

    public string Name => name;

    /// <summary>As the kernel reports it: /sys may show another network namespace.</summary>
    public bool Exists
    {
        get
        {
            InterfaceRequest request = default;
            WriteName(request.Name);
            int error = Ioctl(SIOCGIFINDEX, &request);
            if (error != Errno.ENODEV)
                Check(error, "ask for its number");
            return error == 0;
        }
    }

    /// <exception cref="HostLimitException">It is in no /sys that this process sees.</exception>
    public bool IsBridge
    {
        get
        {
            CheckSys();
            return Directory.Exists($"{SysPath}/bridge");
        }
    }

    /// <summary>The tap's flags (IFF_* of linux/if_tun.h); null if it is not a tap.</summary>
    /// <exception cref="HostLimitException">It is in no /sys that this process sees.</exception>
    public int? TunFlags
    {
        get
        {
            CheckSys();
            try
            {
                string text = File.ReadAllText($"{SysPath}/tun_flags").Trim();
                return Convert.ToInt32(text, 16);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
            {
                return null;
            }
        }
    }

    public bool IsUp
    {
        get
        {
            InterfaceRequest request = default;
            Call(SIOCGIFFLAGS, ref request, "ask for its flags");
            return (request.Flags & IFF_UP) != 0;
        }
    }

    /// <summary>In bytes, without the Ethernet header.</summary>
    public int Mtu
    {
        get
        {
            InterfaceRequest request = default;
            Call(SIOCGIFMTU, ref request, "ask for its MTU");
            return request.Number;
        }

        set
        {
            InterfaceRequest request = default;
            request.Number = value;
            Call(SIOCSIFMTU, ref request, $"set its MTU to {value}");
        }
    }

    public MacAddress Mac
    {
        get
        {
            InterfaceRequest request = default;
            Call(SIOCGIFHWADDR, ref request, "ask for its address");
            ulong value = 0;
            for (int i = 0; i < MacAddress.Length; i++)
                value = (value << 8) | request.Data[2 + i];
            return new MacAddress(value);
        }

        set
        {
            InterfaceRequest request = default;
            request.Family = ARPHRD_ETHER;
            value.CopyTo(new Span<byte>(request.Data + 2, MacAddress.Length));
            Call(SIOCSIFHWADDR, ref request, $"give it the address {value}");
        }
    }

    public void SetUp(bool up)
    {
        InterfaceRequest request = default;
        Call(SIOCGIFFLAGS, ref request, "ask for its flags");
        request.Flags = (short)(up ? request.Flags | IFF_UP : request.Flags & ~IFF_UP);
        Call(SIOCSIFFLAGS, ref request, up ? "bring it up" : "take it down");
    }

    public void SetAddress(Ipv4Address address, Ipv4Network network)
    {
        Set(SIOCSIFADDR, address, $"give it the address {address}");
        Set(SIOCSIFNETMASK, network.Mask, $"give it the netmask {network.Mask}");
        Set(SIOCSIFBRDADDR, network.Broadcast, $"give it the broadcast address {network.Broadcast}");
    }

    /// <summary>Keeps the host from having an IPv6 address there. Without IPv6, nothing to do.</summary>
    public void DisableIpv6()
    {
        try
        {
            File.WriteAllText($"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Only for tidiness: nobody uses that address.
        }
    }

    /// <summary>Makes another interface a port of this bridge.</summary>
    public void AddPort(HostInterface port)
    {
        // A bridge without an address of its own takes its lowest port's, and has none after the last one left. What it
        // has now is made its own, so that the guests' neighbour keeps its address and the host sees no change.
        if (!Directory.EnumerateFileSystemEntries($"{SysPath}/brif").Any() && Mac is { IsUnicast: true } mac)
            Mac = mac;
        InterfaceRequest request = default;
        port.Call(SIOCGIFINDEX, ref request, "ask for its number");
        int index = request.Number;
        request = default;
        request.Number = index;
        Call(SIOCBRADDIF, ref request, $"make {port.Name} a port of it");
    }

    public void CreateBridge()
    {
        byte* bytes = stackalloc byte[16];
        WriteName(bytes);
        Check(Ioctl(SIOCBRADDBR, bytes), "make this bridge");
    }

    /// <summary>Removes the bridge; no error if it does not exist.</summary>
    public void DeleteBridge()
    {
        if (!Exists)
            return;
        SetUp(false);
        byte* bytes = stackalloc byte[16];
        WriteName(bytes);
        int error = Ioctl(SIOCBRDELBR, bytes);
        if (error != Errno.ENXIO)
            Check(error, "remove this bridge");
    }

    private string SysPath => $"/sys/class/net/{name}";

    /// <summary>/sys shows the namespace it was mounted in: after `unshare -n` alone, that is the old one.</summary>
    private void CheckSys()
    {
        if (!Directory.Exists(SysPath))
        {
            throw new HostLimitException($"{option}: {name} is not in /sys/class/net, which shows another network "
                + $"namespace, or is not mounted; mount sysfs again, as `ip netns exec` does");
        }
    }

    private void Set(uint request, Ipv4Address address, string doing)
    {
        InterfaceRequest argument = default;
        argument.Family = (ushort)LibC.AF_INET;
        for (int i = 0; i < 4; i++)
            argument.Data[4 + i] = (byte)(address.Value >> (24 - (8 * i)));
        Call(request, ref argument, doing);
    }

    private void Call(uint request, ref InterfaceRequest argument, string doing)
    {
        fixed (InterfaceRequest* pointer = &argument)
        {
            WriteName(pointer->Name);
            Check(Ioctl(request, pointer), doing);
        }
    }

    private void WriteName(byte* bytes)
    {
        Span<byte> target = new(bytes, 16);
        target.Clear();
        Encoding.UTF8.GetBytes(name.AsSpan(0, Math.Min(name.Length, NetOptions.LongestInterfaceName)), target);
    }

    private static int Ioctl(uint request, void* argument)
    {
        int fd = LibC.socket(LibC.AF_INET, LibC.SOCK_DGRAM | LibC.SOCK_CLOEXEC, 0);
        if (fd < 0)
            return Marshal.GetLastPInvokeError();
        int result = Linux.Ioctl(fd, request, (nuint)argument);
        int error = result < 0 ? Marshal.GetLastPInvokeError() : 0;
        _ = LibC.close(fd);
        return error;
    }

    private void Check(int error, string doing)
    {
        if (error == 0)
            return;
        OptionMessage hint = "";
        if (error is Errno.EPERM or Errno.EACCES)
        {
            hint = $"; run minivmm as root (CAP_NET_ADMIN), or use {OptionName.Net.With("user")}, which needs no "
                + $"privileges";
        }

        throw new HostLimitException($"{option}: {name}: cannot {doing}: {Errno.Explain(error)}{hint}");
    }

    // struct ifreq of linux/if.h: 16 bytes of name, 24 of whatever the request takes.
    [StructLayout(LayoutKind.Explicit, Size = 40)]
    private struct InterfaceRequest
    {
        [FieldOffset(0)]
        public fixed byte Name[16];

        [FieldOffset(16)]
        public short Flags;

        [FieldOffset(16)]
        public int Number;

        [FieldOffset(16)]
        public ushort Family;

        [FieldOffset(16)]
        public fixed byte Data[24];
    }
}
