using System.Globalization;
using System.Runtime.ExceptionServices;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Network;

/// <summary>
/// A network behind address translation: a bridge with the first address of a subnet, an nft table, and dnsmasq for
/// DHCP and DNS. All machines that ask for the same network share it; the last one to leave removes it.
/// </summary>
/// <remarks>
/// What is created is recorded first, in a directory under /run/minivmm-nat, in which each machine keeps the file
/// "users" locked. The kernel unlocks it with the process: a directory that nobody locks was left by a killed machine,
/// and the next machine removes everything recorded there before it does anything else.
/// </remarks>
internal sealed class NatNetwork : IDisposable
{
    private const string DefaultFolder = "/run/minivmm-nat";
    private const string Prefix = "nat-";
    private const string ForwardingSwitch = "/proc/sys/net/ipv4/ip_forward";

    /// <summary>How long dnsmasq may take to end.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private static readonly HostProgram Nft = new("nft", "nftables");
    private static readonly HostProgram Dnsmasq = new("dnsmasq", "dnsmasq-base");

    private readonly string _root;
    private readonly NamedOption _option;
    private readonly HostInterface _bridge;
    private FileLock? _use;

    private NatNetwork(string root, string bridge, NamedOption option)
    {
        _root = root;
        _option = option;
        _bridge = new HostInterface(bridge, option);
    }

    /// <summary>The bridge's name.</summary>
    public string Bridge => _bridge.Name;

    public Ipv4Network Subnet { get; private set; }

    private string Folder => Path.Combine(_root, Prefix + Bridge);

    private string Users => Path.Combine(Folder, "users");

    private string SubnetFile => Path.Combine(Folder, "subnet");

    private string PidFile => Path.Combine(Folder, "dnsmasq.pid");

    // Whether the host forwarded packets before, in a file that exists as long as any of the networks is in use.
    private string ForwardingFile => Path.Combine(_root, "ip_forward");

    /// <summary>Joins a network, and creates it if it does not exist.</summary>
    /// <param name="subnet">Null for the one shared by all machines that name none.</param>
    /// <param name="option">What errors start with.</param>
    /// <exception cref="BadInputException">The host has such addresses elsewhere.</exception>
    /// <exception cref="HostLimitException">Not root, or nft or dnsmasq is missing or refuses.</exception>
    public static NatNetwork Join(Ipv4Network? subnet, NamedOption option)
    {
        string root = FolderOfNamespace();
        Nft.Find(option);
        Dnsmasq.Find(option);
        NatNetwork network = new(root, BridgeName(subnet), option);
        try
        {
            Directory.CreateDirectory(root);
            using FileLock all = LockAll(root);
            Sweep(root, option);
            if (Directory.Exists(network.Folder))
                network.Enter();
            else
                network.Make(subnet);
            return network;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HostLimitException($"{option}: {e.Message}; run minivmm as root, or use {OptionName.Net.With("user")}", e);
        }
    }

    /// <summary>Leaves the network; the last one removes it.</summary>
    public void Dispose()
    {
        if (_use is null)
            return;
        try
        {
            using FileLock all = LockAll(_root);
            _use.Dispose();
            TrySweep();
        }
        catch (IOException)
        {
            _use.Dispose(); // no lock, no removal: as if the machine had been killed
        }

        _use = null;
    }

    /// <summary>Bridges are named after the subnet given: mvn-c0a84d00-18 is 192.168.77.0/24.</summary>
    internal static string BridgeName(Ipv4Network? subnet) =>
        subnet is { } given ? $"mvn-{given.Address.Value:x8}-{given.PrefixLength:x2}" : "mvnat";

    /// <summary>The rules: guests may connect outwards, and only replies come in.</summary>
    internal static string Rules(string bridge, Ipv4Network subnet) => $$"""
        table ip minivmm-{{bridge}} {
            chain postrouting {
                type nat hook postrouting priority srcnat; policy accept;
                ip saddr {{subnet}} ip daddr 224.0.0.0/4 return
                ip saddr {{subnet}} oifname != "{{bridge}}" masquerade
            }
            chain forward {
                type filter hook forward priority filter; policy accept;
                iifname != "{{bridge}}" oifname "{{bridge}}" ct state established,related accept
                iifname != "{{bridge}}" oifname "{{bridge}}" reject
            }
        }

        """;

    /// <summary>
    /// Where the networks of this network namespace are recorded. Other namespaces share /run, but have bridges, rules
    /// and a forwarding switch of their own.
    /// </summary>
    private static string FolderOfNamespace()
    {
        string? own = new FileInfo("/proc/thread-self/ns/net").LinkTarget;
        string? hosts = new FileInfo("/proc/1/ns/net").LinkTarget; // null where somebody else's, as in a container
        return own is null || own == hosts
            ? DefaultFolder
            : $"{DefaultFolder}-{string.Concat(own.Where(char.IsAsciiDigit))}";
    }

    private static FileLock LockAll(string root) => FileLock.Take(Path.Combine(root, "lock"));

    /// <summary>
    /// Removes what nobody uses any more. Called under the lock of all networks. One that cannot be removed keeps no
    /// other, nor the host's forwarding, from being as before; what prevents it is thrown at the end.
    /// </summary>
    private static void Sweep(string root, NamedOption option)
    {
        Undoing undoing = new();
        bool any = false;
        foreach (string folder in Directory.GetDirectories(root, Prefix + "*"))
        {
            bool isUsed = true; // where that cannot be told, too
            NatNetwork network = new(root, Path.GetFileName(folder)[Prefix.Length..], option);
            undoing.Try(() =>
            {
                using FileLock? unused = FileLock.TryTake(network.Users);
                isUsed = unused is null;
                if (!isUsed)
                    network.Remove();
            });
            any |= isUsed;
        }

        if (!any)
            undoing.Try(new NatNetwork(root, "", option).RestoreForwarding);
        undoing.ThrowFirst();
    }

    /// <summary>Removes what it can; the next start tries again, and reports what prevents it.</summary>
    private void TrySweep()
    {
        try
        {
            Sweep(_root, _option);
        }
        catch (Exception e) when (Undoing.IsOfHost(e))
        {
            // The end of a machine must not fail because of this, nor hide an earlier failure.
        }
    }

    private void Enter()
    {
        _use = FileLock.Share(Users);
        try
        {
            Subnet = Ipv4Network.TryParse(File.ReadAllText(SubnetFile).Trim(), out Ipv4Network subnet)
                ? subnet
                : throw new HostLimitException($"{_option}: {SubnetFile} holds no network; end all machines on it");
        }
        catch
        {
            _use.Dispose();
            _use = null;
            throw;
        }
    }

    private void Make(Ipv4Network? wanted)
    {
        RouteTable routes = RouteTable.OfHost();
        if (_bridge.Exists)
        {
            throw new HostLimitException(
                $"{_option}: the interface {Bridge} belongs to no machine; remove it with `ip link del {Bridge}`");
        }

        if (wanted is { } given && routes.Conflict(given) is { } conflict)
            throw new BadInputException($"{_option}: the host has {conflict}; choose another network");
        Subnet = wanted ?? routes.FindFree()
            ?? throw new HostLimitException(
                $"{_option}: no 192.168.x.0/24 is free; choose a network, as in nat=10.77.0.0/24");

        Directory.CreateDirectory(Folder);
        _use = FileLock.Share(Users);
        try
        {
            File.WriteAllText(SubnetFile, Subnet.ToString());
            _bridge.CreateBridge();

            // While it is down still, and nothing is forwarded: not a packet passes without them.
            Nft.Run(_option, ["-f", "-"], Rules(Bridge, Subnet));
            _bridge.Mac = MacAddress.Default(null, Bridge, 0, HostNetwork.Identity());
            _bridge.SetAddress(Subnet.Host(1), Subnet);
            _bridge.SetUp(true);
            EnableForwarding();
            Dnsmasq.Run(_option, DnsmasqArguments(), "");
        }
        catch
        {
            _use.Dispose();
            _use = null;
            TrySweep();
            throw;
        }
    }

    private IEnumerable<string> DnsmasqArguments()
    {
        Ipv4Address last = new(Subnet.Broadcast.Value - 1);
        string[] options =
        [
            // Independent of the host's own dnsmasq, and on this interface only. It goes to the background once it is
            // ready, and outlives this machine if others stay.
            "conf-file=/dev/null",
            $"pid-file={PidFile}",
            $"dhcp-leasefile={Path.Combine(Folder, "leases")}",
            $"interface={Bridge}",
            "except-interface=lo",
            "bind-interfaces",
            $"dhcp-range={Subnet.Host(2)},{last},{Subnet.Mask},1h",
            "dhcp-authoritative",
            "dhcp-no-override",
            "no-ping",
            "no-hosts",
            "domain-needed",
            "bogus-priv",
        ];
        return options.Select(option => $"--{option}");
    }

    /// <summary>
    /// Undoes <see cref="Make"/>, as far as it got. Where a step fails the others are done, and the record stays for the
    /// next start to try again.
    /// </summary>
    private void Remove()
    {
        Undoing undoing = new();
        undoing.Try(StopDnsmasq);

        // Added first, so that deleting a table that does not exist succeeds.
        undoing.Try(() => Nft.Run(
            _option, ["-f", "-"], $"add table ip minivmm-{Bridge}\ndelete table ip minivmm-{Bridge}\n"));
        undoing.Try(_bridge.DeleteBridge);
        undoing.ThrowFirst();
        Directory.Delete(Folder, recursive: true);
    }

    private void StopDnsmasq()
    {
        if (!File.Exists(PidFile) || !int.TryParse(
            File.ReadAllText(PidFile).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out int pid))
            return;
        using ProcessHandle? dnsmasq = ProcessHandle.TryOpen(pid);
        if (!IsOurs(pid))
            return;
        if (dnsmasq is null)
        {
            _ = LibC.kill(pid, LibC.SIGTERM); // an older kernel: nothing to wait by
            return;
        }

        if (dnsmasq.TrySignal(LibC.SIGTERM) && !dnsmasq.WaitForEnd(Patience) && dnsmasq.TrySignal(LibC.SIGKILL))
            _ = dnsmasq.WaitForEnd(Patience);
    }

    /// <summary>Whether the process is this network's dnsmasq, not another that got its process id.</summary>
    private bool IsOurs(int pid)
    {
        try
        {
            string commandLine = File.ReadAllText($"/proc/{pid.ToString(CultureInfo.InvariantCulture)}/cmdline");
            return commandLine.Contains(PidFile, StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private void EnableForwarding()
    {
        string before = File.ReadAllText(ForwardingSwitch).Trim();
        if (before == "1")
            return;
        File.WriteAllText(ForwardingFile, before);
        File.WriteAllText(ForwardingSwitch, "1");
    }

    private void RestoreForwarding()
    {
        if (!File.Exists(ForwardingFile))
            return;
        File.WriteAllText(ForwardingSwitch, File.ReadAllText(ForwardingFile));
        File.Delete(ForwardingFile);
    }

    /// <summary>Steps that are all tried, whichever of them fail.</summary>
    private sealed class Undoing
    {
        private Exception? _first;

        /// <summary>Whether it says what the host does not have or allow, and is no mistake of the program's.</summary>
        public static bool IsOfHost(Exception e) =>
            e is IOException or UnauthorizedAccessException or HostLimitException;

        public void Try(Action step)
        {
            try
            {
                step();
            }
            catch (Exception e) when (IsOfHost(e))
            {
                _first ??= e;
            }
        }

        public void ThrowFirst()
        {
            if (_first is not null)
                ExceptionDispatchInfo.Throw(_first);
        }
    }
}
