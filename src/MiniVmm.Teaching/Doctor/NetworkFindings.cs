using System.Globalization;
using MiniVmm.Network.User;
using static MiniVmm.Teaching.Doctor.FindingState;

namespace MiniVmm.Teaching.Doctor;

/// <summary>Which networks guests can have.</summary>
internal static class NetworkFindings
{
    private const string Tun = "/dev/net/tun";
    private const string Interfaces = "/sys/class/net";
    private const int NetAdmin = 12; // CAP_NET_ADMIN (linux/capability.h)

    public static FindingGroup Of(DoctorHost host) => new("networks", [User(host), Taps(host), Bridges(host)]);

    private static Finding User(DoctorHost host) => host.HasLibrary(SlirpLibrary.FileName)
        ? new("--net user", Good, $"{SlirpLibrary.FileName} is installed; no privileges needed")
        : new("--net user", Lacking, $"{SlirpLibrary.FileName} is not installed", "install libslirp", $"{host.Sudo}apt-get install libslirp0");

    private static Finding Taps(DoctorHost host)
    {
        const string name = "taps";
        if (!host.Files.Exists(Tun))
        {
            return new(name, Lacking, $"there is no {Tun}", "for --net tap=, bridge= and nat, load the driver; a container needs --device /dev/net/tun",
                $"{host.Sudo}modprobe tun");
        }

        if (!host.MayOpen(Tun))
            return new(name, Lacking, $"{host.User} may not open {Tun}", "for --net tap=, bridge= and nat", $"sudo chmod a+rw {Tun}");
        return MayConfigure(host)
            ? new(name, Good, $"{Tun} can be opened, and interfaces be made")
            : new(name, Lacking, $"{Tun} can be opened, but interfaces not be made (CAP_NET_ADMIN)", "for --net tap=tap0, have root make one for this user",
                $"sudo ip tuntap add tap0 mode tap user {host.User}", "sudo ip link set tap0 up");
    }

    private static Finding Bridges(DoctorHost host)
    {
        string[] bridges = [.. (host.Files.List(Interfaces) ?? []).Where(name => host.Files.Exists($"{Interfaces}/{name}/bridge"))];
        return bridges.Length > 0
            ? new("bridges", Good, string.Join(", ", bridges))
            : new("bridges", Lacking, "none", "for --net bridge=br0", $"{host.Sudo}ip link add br0 type bridge", $"{host.Sudo}ip link set br0 up");
    }

    /// <summary>The effective capabilities of this process (proc_pid_status(5)).</summary>
    private static bool MayConfigure(DoctorHost host)
    {
        const string key = "CapEff:";
        foreach (string line in (host.Files.ReadAllText("/proc/self/status") ?? "").Split('\n'))
        {
            if (line.StartsWith(key, StringComparison.Ordinal)
                && ulong.TryParse(line.AsSpan(key.Length).Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong set))
                return (set >> NetAdmin & 1) != 0;
        }

        return false;
    }
}
