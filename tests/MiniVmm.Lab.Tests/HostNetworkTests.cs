using System.Net;
using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace MiniVmm.Lab.Tests;

/// <summary>
/// Two guests side by side, each with two cards: one by a tap that was made for it and one by a bridge that it joins by
/// itself, and both behind address translation. Then what is left of it after every way out.
/// </summary>
public sealed partial class HostNetworks : IAsyncLifetime
{
    private const string Bridge = "br-lab";
    private const string Tap = "tap-lab";
    private const string HostAddress = "10.77.0.1";

    /// <summary>Of a namespace that knows only the lab's address there: what else comes gets no answer.</summary>
    private const string Outside = "192.0.2.2";

    /// <summary>Who pinged whom, at full size, and what ping said.</summary>
    public Dictionary<string, (int Status, string Output)> Pings { get; } = [];

    /// <summary>Packets that the guests cut up, or put together again.</summary>
    public List<string> Fragments { get; } = [];

    public List<string> Mtus { get; } = [];

    public List<string> HardwareAddresses { get; } = [];

    /// <summary>The guests' own addresses behind address translation, as DHCP gave them.</summary>
    public string[] NatAddresses { get; private set; } = [];

    /// <summary>Checksums of files that went over TCP: what was sent, and what arrived.</summary>
    public List<(string Way, string Sent, string Received)> Transfers { get; } = [];

    /// <summary>Interfaces, rules and daemons of the host, before all and after each way out.</summary>
    public string Before { get; private set; } = "";

    public string AfterPowerOffAndSigterm { get; private set; } = "";

    public string AfterKill { get; private set; } = "";

    public string AfterKillAndNextStart { get; private set; } = "";

    public int StatusAfterSigterm { get; private set; }

    public int StatusOfNextStart { get; private set; }

    public async ValueTask InitializeAsync()
    {
        await LabHost.ShellAsync($"""
            ip link add {Bridge} type bridge && ip address add {HostAddress}/24 dev {Bridge} && ip link set {Bridge} up
            ip tuntap add dev {Tap} mode tap && ip link set {Tap} master {Bridge} up
            ip netns add outside && ip link add veth-lab type veth peer name eth0 netns outside
            ip address add 192.0.2.1/24 dev veth-lab && ip link set veth-lab up
            ip -n outside address add {Outside}/24 dev eth0 && ip -n outside link set eth0 up
            nft list ruleset
            """);
        Before = await SnapshotAsync();

        await using (GuestShell first = GuestShell.Start("net-tap-nat", "", Options($"tap={Tap}")))
        await using (GuestShell second = GuestShell.Start(
            "net-bridge-nat", "", [.. Options($"bridge={Bridge}"), "--name", "lab-net"]))
        {
            await first.ReadyAsync();
            await second.ReadyAsync();
            await TalkAsync(first, second);
            await first.PowerOffAsync();
            second.Vmm.Signal(VmmProcess.SIGTERM);
            StatusAfterSigterm = await second.Vmm.WaitForExitAsync();
        }

        AfterPowerOffAndSigterm = await SnapshotAsync();

        await using (VmmProcess killed = VmmProcess.Run("net-killed",
            "--net", $"bridge={Bridge}", "--net", "nat", Lab.Guest("crash.elf"), "--append", "hlt"))
        {
            await killed.WaitForAsync("\n");
            killed.Signal(VmmProcess.SIGKILL);
            await killed.WaitForExitAsync();
        }

        AfterKill = await SnapshotAsync();
        await using (VmmProcess next = VmmProcess.Run("net-next",
            "--net", $"bridge={Bridge}", "--net", "nat", Lab.Guest("hello.elf")))
        {
            StatusOfNextStart = await next.WaitForExitAsync();
        }

        AfterKillAndNextStart = await SnapshotAsync();
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static string[] Options(string network) => ["--mem", "192M", "--net", network, "--net", "nat"];

    internal static Task<string> SnapshotAsync() => LabHost.ShellAsync("""
        for i in /sys/class/net/*; do echo "${i##*/} $(basename "$(readlink "$i/master")")"; done
        ip -o -4 address show | awk '{ print $2, $4 }'
        nft list ruleset
        pgrep -a dnsmasq || true
        echo "forwarding $(cat /proc/sys/net/ipv4/ip_forward)"
        """);

    private async Task TalkAsync(GuestShell first, GuestShell second)
    {
        List<string> addresses = [];
        foreach ((GuestShell guest, string address) in new[] { (first, "10.77.0.11"), (second, "10.77.0.12") })
        {
            HardwareAddresses.AddRange((await guest.RunAsync("cat /sys/class/net/eth[01]/address")).Split('\n'));
            Mtus.AddRange((await guest.RunAsync("cat /sys/class/net/eth[01]/mtu")).Split('\n'));
            await guest.RunAsync($"ip address add {address}/24 dev eth0 && ip link set eth0 up && ip link set lo up");
            await guest.RunAsync("udhcpc -i eth1 -n -q -t 10 -s /lease");
            string leased = await guest.RunAsync("ip -4 address show dev eth1");
            addresses.Add(InetAddress().Match(leased).Groups[1].Value);
        }

        NatAddresses = [.. addresses];
        await PingAsync(first, "tap to bridge", "10.77.0.12");
        await PingAsync(second, "bridge to tap", "10.77.0.11");
        await PingAsync(first, "tap to host", HostAddress);
        await PingAsync(second, "bridge to host", HostAddress);
        await PingAsync(first, "nat to nat", NatAddresses[1]);
        await PingAsync(second, "nat to nat, back", NatAddresses[0]);
        await PingAsync(first, "nat to its gateway", "$(ip route | sed -n 's/^default via \\([^ ]*\\).*/\\1/p')");
        await PingAsync(first, "nat to the outside", Outside);
        await PingAsync(second, "nat to the outside, the other", Outside);
        foreach ((string name, string address) in
            new[] { ("host to tap", "10.77.0.11"), ("host to bridge", "10.77.0.12"), ("host to nat", NatAddresses[0]) })
        {
            (int status, string output, string errors) =
                await LabHost.TryShellAsync($"ping -M do -c 2 -i 0.3 -W 10 -s 1472 {address}");
            Pings[name] = (status, output + errors);
        }

        // TCP, with checksums and segments left to whoever is last: from guest to guest, to the host and back.
        await second.RunAsync("dd if=/dev/urandom of=/www/file bs=1M count=4 && httpd -p 80 -h /www");
        string sent = await second.RunAsync("sha256sum </www/file");
        Transfers.Add(("bridge to tap", sent, await FetchAsync(first, "http://10.77.0.12/file")));
        Transfers.Add(("nat to nat", sent, await FetchAsync(first, $"http://{NatAddresses[1]}/file")));
        using HttpClient client = new() { Timeout = TimeSpan.FromMinutes(5) };
        byte[] file = await client.GetByteArrayAsync(new Uri("http://10.77.0.12/file"));
        Transfers.Add((
            "bridge to host", sent, $"{Convert.ToHexStringLower(SHA256.HashData(file))}  -"));
        await File.WriteAllBytesAsync("/tmp/net-file", file);
        // It goes to the background once it listens.
        await LabHost.ShellAsync("ip netns exec outside busybox httpd -p 80 -h /tmp >/dev/null 2>&1");
        Transfers.Add(("outside to nat", sent, await FetchAsync(first, $"http://{Outside}/net-file")));

        foreach (GuestShell guest in new[] { first, second })
        {
            // Of the second line of Ip: ReasmReqds and FragCreates (RFC 1213).
            Fragments.Add(await guest.RunAsync("awk '/^Ip:/ && n++ { print $15 + $20 }' /proc/net/snmp"));
        }
    }

    private async Task PingAsync(GuestShell guest, string name, string address) =>
        Pings[name] = await guest.TryAsync($"ping -c 2 -W 10 -s 1472 {address}");

    private static async Task<string> FetchAsync(GuestShell guest, string address) =>
        await guest.RunAsync($"wget -q -O /tmp/fetched {address} && sha256sum </tmp/fetched");

    [GeneratedRegex(@"inet ([0-9.]+)/")]
    private static partial Regex InetAddress();
}

[Trait(LabKind.Trait, LabKind.Kvm)]
public sealed class HostNetworkTests(HostNetworks networks) : IClassFixture<HostNetworks>
{
    [Fact]
    public void Guests_on_a_tap_and_on_a_bridge_reach_each_other_and_the_host_with_packets_of_full_size() =>
        AssertReached(
            "tap to bridge", "bridge to tap", "tap to host", "bridge to host", "host to tap", "host to bridge");

    [Fact]
    public void Guests_behind_address_translation_reach_each_other_the_host_and_what_is_beyond_it() =>
        AssertReached("nat to nat", "nat to nat, back", "nat to its gateway", "nat to the outside",
            "nat to the outside, the other", "host to nat");

    [Fact]
    public void Each_guest_gets_an_address_of_its_own_by_DHCP()
    {
        Assert.All(networks.NatAddresses, address => Assert.True(IPAddress.TryParse(address, out _), address));
        Assert.Equal(2, networks.NatAddresses.Distinct().Count());
    }

    [Fact]
    public void Each_card_has_a_hardware_address_of_its_own() =>
        Assert.Equal(4, networks.HardwareAddresses.Distinct().Count());

    [Fact]
    public void No_packet_was_cut_up_on_the_way()
    {
        Assert.All(networks.Mtus, mtu => Assert.Equal("1500", mtu));
        Assert.All(networks.Fragments, count => Assert.Equal("0", count));
    }

    [Fact]
    public void What_is_sent_over_TCP_arrives_as_it_was() =>
        Assert.All(networks.Transfers, transfer =>
            Assert.True(transfer.Sent == transfer.Received, $"{transfer.Way}: {transfer.Sent}, {transfer.Received}"));

    [Fact]
    public void Interfaces_rules_and_daemons_are_as_before_after_a_power_off_and_a_SIGTERM()
    {
        Assert.Equal(ExitStatus.Interrupted, networks.StatusAfterSigterm);
        Assert.Equal(networks.Before, networks.AfterPowerOffAndSigterm);
    }

    [Fact]
    public async Task A_SIGTERM_while_the_machine_is_being_built_ends_it_as_it_does_later()
    {
        string before = await HostNetworks.SnapshotAsync();
        VmmProcess vmm;
        using (new FileStream("/run/minivmm-nat/lock", FileMode.Open, FileAccess.ReadWrite, FileShare.None))
        {
            vmm = VmmProcess.Run("net-early", "--net", "nat", Lab.Guest("crash.elf"), "--append", "hlt");
            long waits = await LabHost.UntilAsync(
                () => File.ReadAllText("/proc/locks").Contains("-> FLOCK", StringComparison.Ordinal) ? 1 : 0,
                seen => seen == 1);
            Assert.Equal(1, waits);
            vmm.Signal(VmmProcess.SIGTERM);
        }

        await using (vmm)
            Assert.Equal(ExitStatus.Interrupted, await vmm.WaitForExitAsync());
        Assert.Equal(before, await HostNetworks.SnapshotAsync());
    }

    [Fact]
    public void What_a_SIGKILL_left_the_next_start_takes_away()
    {
        Assert.NotEqual(networks.Before, networks.AfterKill);
        Assert.Equal(ExitStatus.Success, networks.StatusOfNextStart);
        Assert.Equal(networks.Before, networks.AfterKillAndNextStart);
    }

    private void AssertReached(params string[] ways) =>
        Assert.All(ways, way =>
        {
            (int status, string output) = networks.Pings[way];
            Assert.True(
                status == 0 && output.Contains(" 0% packet loss", StringComparison.Ordinal), $"{way}: {output}");
        });
}
