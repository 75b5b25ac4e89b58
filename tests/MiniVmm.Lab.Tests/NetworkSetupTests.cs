using System.Diagnostics;
using System.Runtime.InteropServices;
using MiniVmm.Configuration;
using MiniVmm.Network;

namespace MiniVmm.Lab.Tests;

/// <summary>Taps, bridges and NAT on a real kernel: made as asked, and all gone afterwards.</summary>
[Trait(LabKind.Trait, LabKind.NoKvm)]
public sealed partial class NetworkSetupTests : IDisposable
{
    private const string State = "/run/minivmm-nat";
    private readonly string _before = HostState();
    private readonly Stack<string> _cleanUp = new();

    public void Dispose()
    {
        while (_cleanUp.TryPop(out string? command))
            Shell(command);
        Assert.Equal(_before, HostState());
    }

    [Fact]
    public void A_tap_of_somebody_elses_is_opened_and_stays()
    {
        Make("ip tuntap add dev mvt0 mode tap", "ip tuntap del dev mvt0 mode tap");
        Shell("ip link set mvt0 mtu 1400");
        string before = HostState();

        using (NetEndpoint tap = Open("tap=mvt0"))
        {
            Assert.Equal("mvt0", tap.InterfaceName);
            Assert.Equal(1400, tap.Mtu);
            Assert.True(tap.HasVnetHeader);
            Assert.Single(tap.Descriptors);
            Assert.Contains(",UP", Shell("ip link show mvt0"));
            HostLimitException busy = Assert.Throws<HostLimitException>(() => Open("tap=mvt0"));
            Assert.Contains("another process", busy.Message);
        }

        Assert.Equal(before, HostState());
    }

    [Fact]
    public void A_tap_of_somebody_elses_has_another_MTU_only_while_it_is_in_use()
    {
        const string Facts = "cat /sys/class/net/mvt0/mtu /sys/class/net/mvt0/flags";
        Make("ip tuntap add dev mvt0 mode tap", "ip tuntap del dev mvt0 mode tap");
        string before = Shell(Facts);

        using (NetEndpoint tap = Open("tap=mvt0,mtu=9000"))
        {
            Assert.Equal(9000, tap.Mtu);
            Assert.StartsWith("9000\n", Shell(Facts));
        }

        Assert.Equal(before, Shell(Facts));
    }

    [Fact]
    public void A_tap_of_several_queues_has_a_descriptor_for_each()
    {
        Make("ip tuntap add dev mvt0 mode tap multi_queue", "ip tuntap del dev mvt0 mode tap multi_queue");

        using NetEndpoint tap = Open("tap=mvt0,queues=3");

        Assert.Equal(3, tap.Descriptors.Distinct().Count());
        tap.SetPairActive(1, true);
        tap.SetPairActive(1, false);
    }

    [Theory]
    [InlineData("tap=mvt9", "no such interface")]
    [InlineData("tap=lo", "not a tap")]
    [InlineData("bridge=mvt9", "ip link add mvt9 type bridge")]
    [InlineData("bridge=lo", "not a bridge")]
    public void What_is_not_there_is_said(string text, string part)
    {
        BadInputException error = Assert.Throws<BadInputException>(() => Open(text));

        Assert.Equal(OptionName.Net.With(text), error.Subject);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Two_taps_on_a_bridge_go_with_their_machines_and_leave_it_as_it_was()
    {
        Make("ip link add mvbr0 type bridge", "ip link del mvbr0");
        Shell("ip link set mvbr0 up");
        string address = File.ReadAllText("/sys/class/net/mvbr0/address");

        using (NetEndpoint first = Open("bridge=mvbr0"))
        using (NetEndpoint second = Open("bridge=mvbr0,queues=2,mtu=1400"))
        {
            Assert.NotEqual(first.InterfaceName, second.InterfaceName);
            string[] ports = [.. Directory.GetFileSystemEntries("/sys/class/net/mvbr0/brif").Select(Path.GetFileName)!];
            Assert.Equal([first.InterfaceName!, second.InterfaceName!], ports.Order());
            Assert.Equal((1500, 1400), (first.Mtu, second.Mtu));
            Assert.NotEqual(Mac(first), Mac(second));
        }

        Assert.Empty(Directory.GetFileSystemEntries("/sys/class/net/mvbr0/brif"));
        Assert.Equal(address, File.ReadAllText("/sys/class/net/mvbr0/address"));
    }

    [Fact]
    public void A_nat_is_shared_and_the_last_machine_removes_it()
    {
        NetEndpoint first = Open("nat");
        using (Open("nat"))
        {
            first.Dispose();
            string rules = Shell("nft list ruleset");
            Assert.Contains("masquerade", rules);
            Assert.Contains("192.168.", Shell("ip -4 address show mvnat"));
            Assert.Single(Dnsmasqs());
            Assert.Equal("1", Forwarding());
        }

        Assert.Empty(Dnsmasqs());
    }

    [Fact]
    public void Two_subnets_are_two_networks_and_one_cannot_be_had_twice()
    {
        using NetEndpoint first = Open("nat=192.168.201.0/24");
        using NetEndpoint second = Open("nat=192.168.202.0/24,mtu=9000");

        Assert.Equal(2, Dnsmasqs().Length);
        Assert.Equal(9000, second.Mtu);
        Assert.Contains("192.168.201.1/24", Shell("ip -4 address show mvn-c0a8c900-18"));
        BadInputException error = Assert.Throws<BadInputException>(() => Open("nat=192.168.201.128/25"));
        Assert.Contains("192.168.201.0/24 on mvn-c0a8c900-18", error.Message);
    }

    [Fact]
    public void What_a_killed_machine_left_the_next_one_removes()
    {
        NetEndpoint killed = Open("nat=192.168.203.0/24");
        Abandon(killed);
        Assert.Single(Dnsmasqs());
        Assert.Contains("mvn-c0a8cb00-18", HostState());

        using (Open("nat"))
        {
            Assert.DoesNotContain("mvn-c0a8cb00-18", HostState());
            Assert.Single(Dnsmasqs());
        }
    }

    [Fact]
    public void What_was_made_half_is_removed_when_the_rest_fails()
    {
        // Somebody else's server has the port.
        using Process server = Process.Start("dnsmasq", ["-k", "--conf-file=/dev/null", "--port=53", "--user=root"]);
        try
        {
            SpinWait.SpinUntil(() => Shell("cat /proc/net/udp").Contains(":0035 "), 5000);
            HostLimitException error = Assert.Throws<HostLimitException>(() => Open("nat=192.168.204.0/24"));
            Assert.Contains("dnsmasq", error.Message);
            Assert.Contains("in use", error.Message);
        }
        finally
        {
            server.Kill();
            server.WaitForExit();
        }
    }

    [Fact]
    public void A_sysfs_of_another_namespace_is_told_and_nothing_is_left_there()
    {
        string left = "";
        HostLimitException? error = null;

        InNamespace(mountSys: false, () =>
        {
            error = Assert.Throws<HostLimitException>(() => Open("nat"));
            left = Shell("ip -o link") + Shell("nft list ruleset");
        });

        Assert.Contains("mvnat is not in /sys/class/net", error!.Message);
        Assert.DoesNotContain("mvnat", left);
        Assert.Empty(Dnsmasqs());
    }

    [Fact]
    public void Each_network_namespace_has_networks_of_its_own()
    {
        Abandon(Open("nat"));

        InNamespace(mountSys: true, () =>
        {
            using NetEndpoint other = Open("nat");
            Assert.Equal(2, Dnsmasqs().Length);
            Assert.Contains("192.168.", Shell("ip -4 address show mvnat"));
        });

        // What the killed one left is there for the next machine of its own namespace.
        Assert.Single(Dnsmasqs());
        Assert.Contains("mvnat", HostState());
        Open("nat").Dispose();
    }

    [Fact]
    public void Where_nft_fails_the_host_is_as_before_and_its_complaint_is_told()
    {
        InNamespace(mountSys: true, () =>
        {
            Shell("echo 0 >/proc/sys/net/ipv4/ip_forward; rm -f /tmp/nft-saw");
            string before = HostState();
            HostLimitException? error = null;

            WithoutNft(() => error = Assert.Throws<HostLimitException>(() => Open("nat")));

            Assert.Contains("nft failed with status 1: no rules today", error!.Message);
            Assert.Equal(before, HostState());

            // As long as there are no rules nothing was forwarded, and the bridge was down.
            Assert.DoesNotContain("mvnat", Shell("cat /tmp/nft-saw"));
            Assert.DoesNotContain("forwarding 1", Shell("cat /tmp/nft-saw"));
            using (Open("nat"))
                Assert.Contains("masquerade", Shell("nft list ruleset"));
            Assert.Equal(before, HostState());
        });
    }

    [Fact]
    public void An_end_without_nft_leaves_rules_alone_for_the_next_start_to_remove()
    {
        InNamespace(mountSys: true, () =>
        {
            Shell("echo 0 >/proc/sys/net/ipv4/ip_forward");
            string before = HostState();
            NetEndpoint first = Open("nat=192.168.205.0/24");
            NetEndpoint second = Open("nat=192.168.206.0/24");

            WithoutNft(() =>
            {
                first.Dispose();
                Assert.Equal("1", Forwarding()); // the second's
                Assert.Single(Dnsmasqs());
                second.Dispose();
            });

            Assert.DoesNotContain("mvn-", Shell("ip -o link"));
            Assert.Empty(Dnsmasqs());
            Assert.Equal("0", Forwarding());
            Assert.Contains("minivmm-mvn-c0a8cd00-18", Shell("nft list ruleset"));
            Assert.Contains("minivmm-mvn-c0a8ce00-18", Shell("nft list ruleset"));
            Open("nat").Dispose();
            Assert.Equal(before, HostState());
        });
    }

    /// <summary>Acts while nft is a program that fails; in a namespace of mounts of one's own.</summary>
    private static void WithoutNft(Action act)
    {
        const string Stand = "/tmp/no-nft";
        File.WriteAllText(Stand, """
            #!/bin/sh
            cat >/dev/null
            { echo "forwarding $(cat /proc/sys/net/ipv4/ip_forward)"; PATH=$PATH:/usr/sbin:/sbin ip -o link show up; } >>/tmp/nft-saw
            echo no rules today >&2
            exit 1
            """);
        Shell($"chmod +x {Stand} && mount --bind {Stand} /usr/sbin/nft");
        try
        {
            act();
        }
        finally
        {
            Shell("umount /usr/sbin/nft");
        }
    }

    /// <summary>Runs on a thread with a network, and mounts, of its own.</summary>
    private static void InNamespace(bool mountSys, Action act)
    {
        const int CLONE_NEWNS = 0x0002_0000, CLONE_NEWNET = 0x4000_0000;
        Exception? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                Assert.Equal(0, unshare(CLONE_NEWNS | CLONE_NEWNET));
                Shell("ip link set lo up");
                if (mountSys)
                    Shell("mount --make-rprivate / && mount -t sysfs sysfs /sys");
                act();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null)
            throw new InvalidOperationException("in the namespace", failure);
    }

    [LibraryImport("libc")]
    private static partial int unshare(int flags);

    private static NetEndpoint Open(string text) => HostNetwork.Open(NetText.Parse(text));

    private static MacAddress Mac(NetEndpoint endpoint) =>
        HostNetwork.ChooseMac(NetText.Parse("nat"), endpoint, machine: null, index: 0);

    /// <summary>Closes the descriptors, as the kernel does for a process that is killed, and nothing else.</summary>
    private static void Abandon(NetEndpoint endpoint)
    {
        foreach (int fd in endpoint.Descriptors)
            new Microsoft.Win32.SafeHandles.SafeFileHandle(fd, ownsHandle: true).Dispose();
        foreach (string file in Directory.GetFiles("/proc/self/fd"))
        {
            string? target = new FileInfo(file).LinkTarget;
            if (target?.StartsWith(State, StringComparison.Ordinal) == true)
            {
                int fd = int.Parse(Path.GetFileName(file), System.Globalization.CultureInfo.InvariantCulture);
                new Microsoft.Win32.SafeHandles.SafeFileHandle(fd, ownsHandle: true).Dispose();
            }
        }
    }

    /// <summary>Everything that a network on the host could have changed.</summary>
    private static string HostState()
    {
        string links = string.Join(
            '\n', Directory.GetFileSystemEntries("/sys/class/net").Select(Path.GetFileName).Order());
        string networks = Directory.Exists(State)
            ? string.Join('\n', Directory.GetFileSystemEntries(State).Where(path => Path.GetFileName(path) != "lock"))
            : "";
        return string.Join(
            "\n--\n",
            links,
            Shell("ip address show up"),
            Shell("nft list ruleset"),
            Shell("ip route"),
            Forwarding(),
            networks);
    }

    private static string Forwarding() => File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Trim();

    private static string[] Dnsmasqs() =>
    [
        .. Directory.GetDirectories("/proc").Where(folder =>
        {
            try
            {
                return File.ReadAllText(Path.Combine(folder, "cmdline")).Contains(State, StringComparison.Ordinal);
            }
            catch (IOException)
            {
                return false;
            }
        }),
    ];

    private void Make(string make, string remove)
    {
        Shell(make);
        _cleanUp.Push(remove);
    }

    private static string Shell(string command)
    {
        ProcessStartInfo start = new("/bin/sh", ["-c", "PATH=$PATH:/usr/sbin:/sbin; " + command + " 2>&1"])
        {
            RedirectStandardOutput = true,
        };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{command}: {output}");
        return output;
    }
}
