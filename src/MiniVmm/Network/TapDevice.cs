using System.Runtime.InteropServices;
using System.Text;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Network;

/// <summary>The descriptors of a tap, one a queue (linux/if_tun.h, networking/tuntap.rst of the kernel).</summary>
internal sealed unsafe class TapDevice : IDisposable
{
    public const int IFF_TAP = 0x2;
    public const int IFF_MULTI_QUEUE = 0x100;

    private const int IFF_ATTACH_QUEUE = 0x200;
    private const int IFF_DETACH_QUEUE = 0x400;
    private const int IFF_NO_PI = 0x1000;
    private const int IFF_VNET_HDR = 0x4000;
    private const uint TUNSETIFF = 0x4004_54ca;
    private const uint TUNSETOFFLOAD = 0x4004_54d0;
    private const uint TUNSETVNETHDRSZ = 0x4004_54d8;
    private const uint TUNSETQUEUE = 0x4004_54d9;
    private const uint TUN_F_CSUM = 1;
    private const uint TUN_F_TSO4 = 2;
    private const uint TUN_F_TSO6 = 4;
    private const uint TUN_F_TSO_ECN = 8;

    private readonly int[] _fds;

    private TapDevice(int[] fds, string name)
    {
        _fds = fds;
        Name = name;
    }

    public IReadOnlyList<int> Descriptors => _fds;

    public string Name { get; }

    /// <summary>Opens an existing tap, or creates one that goes away with its last descriptor.</summary>
    /// <param name="name">Of the tap; with %d in it, the kernel puts the first free number there.</param>
    /// <param name="queues">Of the descriptors, frames come to the first only until others are attached.</param>
    /// <param name="multiQueue">Whether the tap is one for several queues.</param>
    /// <param name="option">What errors start with.</param>
    /// <exception cref="HostLimitException">No tun module, no permission, or the tap is in use.</exception>
    public static TapDevice Open(string name, int queues, bool multiQueue, NamedOption option)
    {
        int[] fds = new int[queues];
        Array.Fill(fds, -1);
        try
        {
            for (int i = 0; i < queues; i++)
            {
                fds[i] = OpenQueue(ref name, multiQueue, option);
                if (i > 0 && SetQueue(fds[i], IFF_DETACH_QUEUE) is not 0 and int error)
                    throw new HostLimitException($"{option}: {name}: TUNSETQUEUE: {Errno.Explain(error)}");
            }

            return new TapDevice(fds, name);
        }
        catch
        {
            Close(fds);
            throw;
        }
    }

    public void SetQueueAttached(int queue, bool attached) =>
        _ = SetQueue(_fds[queue], attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE);

    /// <summary>Sets what may be left undone on frames that are read.</summary>
    public void SetOffloads(NetOffloads offloads)
    {
        // Cutting segments requires finishing their checksums, too.
        uint flags = 0;
        if (offloads.HasFlag(NetOffloads.Checksum))
        {
            flags = TUN_F_CSUM
                | (offloads.HasFlag(NetOffloads.Tso4) ? TUN_F_TSO4 : 0)
                | (offloads.HasFlag(NetOffloads.Tso6) ? TUN_F_TSO6 : 0)
                | (offloads.HasFlag(NetOffloads.TsoEcn) ? TUN_F_TSO_ECN : 0);
        }

        // For the tap, not the queue. A kernel that refuses segments by itself: only time is lost.
        _ = Linux.Ioctl(_fds[0], TUNSETOFFLOAD, flags);
    }

    public void Dispose() => Close(_fds);

    private static int OpenQueue(ref string name, bool multiQueue, NamedOption option)
    {
        int fd = Open("/dev/net/tun"u8, out int error);
        if (fd < 0)
            throw NotOpened(error, option);

        InterfaceRequest request = default;
        Encoding.ASCII.GetBytes(name, new Span<byte>(request.Name, 15));
        request.Flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multiQueue ? IFF_MULTI_QUEUE : 0));
        int header = NetEndpoint.VnetHeaderLength;
        if (Linux.Ioctl(fd, TUNSETIFF, (nuint)(&request)) < 0
            || Linux.Ioctl(fd, TUNSETVNETHDRSZ, (nuint)(&header)) < 0)
        {
            error = Marshal.GetLastPInvokeError();
            _ = LibC.close(fd);
            throw new HostLimitException($"{option}: {name}: {Explain(error)}");
        }

        name = Encoding.ASCII.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(request.Name));
        return fd;
    }

    /// <summary>Why there is no descriptor, and what to do about it.</summary>
    /// <param name="error">Of open("/dev/net/tun").</param>
    /// <param name="option">What it starts with.</param>
    internal static HostLimitException NotOpened(int error, NamedOption option)
    {
        string reason = $"/dev/net/tun: {Errno.Explain(error)}";
        string? limit = error switch
        {
            Errno.EMFILE => "raise the limit of open files (ulimit -n)",
            Errno.ENFILE => "raise the host's limit of open files (sysctl fs.file-max)",
            _ => null,
        };
        if (limit is not null)
            return new HostLimitException($"{option}: {reason}; {limit}");
        string why = error switch
        {
            Errno.ENOENT or Errno.ENODEV or Errno.ENXIO => "no /dev/net/tun; load the module with `modprobe tun`, or",
            Errno.EPERM or Errno.EACCES => $"{reason}; run minivmm as root, or",
            _ => $"{reason};",
        };
        return new HostLimitException($"{option}: {why} use {OptionName.Net.With("user")}");
    }

    private static string Explain(int error) => error switch
    {
        Errno.EPERM or Errno.EACCES => $"{Errno.Explain(error)}; the tap must be yours (ip tuntap add … user NAME), "
            + $"or minivmm run as root (CAP_NET_ADMIN)",
        Errno.EBUSY => $"{Errno.Explain(error)}; another process uses this tap; give each machine its own",
        Errno.E2BIG => $"{Errno.Explain(error)}; the tap has no more queues",
        _ => Errno.Explain(error),
    };

    private static int Open(ReadOnlySpan<byte> path, out int error)
    {
        fixed (byte* text = path)
        {
            int fd = LibC.open(text, LibC.O_RDWR | LibC.O_NONBLOCK | LibC.O_CLOEXEC);
            error = fd < 0 ? Marshal.GetLastPInvokeError() : 0;
            return fd;
        }
    }

    private static int SetQueue(int fd, int flag)
    {
        InterfaceRequest request = default;
        request.Flags = (short)flag;
        return Linux.Ioctl(fd, TUNSETQUEUE, (nuint)(&request)) < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    private static void Close(int[] fds)
    {
        for (int i = 0; i < fds.Length; i++)
        {
            if (fds[i] >= 0)
                _ = LibC.close(fds[i]);
            fds[i] = -1;
        }
    }

    // The part of struct ifreq (linux/if.h) that a tap looks at.
    [StructLayout(LayoutKind.Sequential, Size = 40)]
    private struct InterfaceRequest
    {
        public fixed byte Name[16];
        public short Flags;
    }
}
