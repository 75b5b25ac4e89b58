using CsCheck;
using MiniVmm.Configuration;
using MiniVmm.Network;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Configuration;

public sealed class NetTextTests
{
    [Theory]
    [InlineData("none", NetMode.None, null)]
    [InlineData("user", NetMode.User, null)]
    [InlineData("tap=tap0", NetMode.Tap, "tap0")]
    [InlineData("bridge=br-lan", NetMode.Bridge, "br-lan")]
    [InlineData("nat", NetMode.Nat, null)]
    public void Each_mode_has_its_defaults(string text, NetMode mode, string? name)
    {
        NetOptions options = NetText.Parse(text);

        Assert.Equal(mode, options.Mode);
        Assert.Equal(name, options.Interface);
        Assert.Null(options.Subnet);
        Assert.Null(options.Mac);
        Assert.Null(options.Mtu);
        Assert.Null(options.Bandwidth);
        Assert.Equal(1, options.Queues);
        Assert.Equal("10.0.2.0/24", options.User.Network.ToString());
        Assert.Empty(options.User.HostForwards);
        Assert.False(options.User.Restrict);
    }

    [Fact]
    public void Every_key_is_read()
    {
        NetOptions tap = NetText.Parse("tap=tap0,mac=52:54:00:AB:cd:ef,mtu=9000,queues=4,bw=10M");

        Assert.Equal("52:54:00:ab:cd:ef", tap.Mac.ToString());
        Assert.Equal((ushort)9000, tap.Mtu);
        Assert.Equal(4, tap.Queues);
        Assert.Equal(10ul << 20, tap.Bandwidth);

        Assert.Equal("192.168.77.0/24", NetText.Parse("nat=192.168.77.1/24").Subnet.ToString());
    }

    [Fact]
    public void A_network_in_user_mode_has_keys_of_its_own()
    {
        UserNetOptions user = NetText.Parse(
            "user,hostfwd=tcp::2222-:22,net=10.9.0.0/16,hostname=box-1,restrict=on,dns=10.9.0.3,"
            + "hostfwd=udp:127.0.0.1:5353-10.9.0.15:53,hostfwd=::80-:8080").User;

        Assert.Equal("10.9.0.0/16", user.Network.ToString());
        Assert.Equal("box-1", user.Hostname);
        Assert.Equal("10.9.0.3", user.Dns.ToString());
        Assert.True(user.Restrict);
        Assert.Equal(
            [
                new HostForward(false, default, 2222, default, 22),
                new HostForward(true, new Ipv4Address(0x7f00_0001), 5353, new Ipv4Address(0x0a09_000f), 53),
                new HostForward(false, default, 80, default, 8080),
            ],
            user.HostForwards);
    }

    [Theory]
    [InlineData("", "use user, tap=NAME")]
    [InlineData("usr", "did you mean user?")]
    [InlineData("user=x", "takes no value")]
    [InlineData("none,mtu=1500", "none takes no keys")]
    [InlineData("tap", "tap has no name")]
    [InlineData("tap=", "tap has no name")]
    [InlineData("tap=sixteen-letters-", "at most 15 characters")]
    [InlineData("tap=a/b", "not the name of an interface")]
    [InlineData("tap=..", "not the name of an interface")]
    [InlineData("bridge=mvm%d", "not the name of an interface")]
    [InlineData("nat=192.168.1.0", "is not a network")]
    [InlineData("nat=192.168.1.0/33", "is not a network")]
    [InlineData("nat=192.168.1.0/30", "/8 to /29")]
    [InlineData("nat=0.0.0.0/0", "/8 to /29")]
    [InlineData("nat=0.0.0.0/8", "machines cannot have such addresses")]
    [InlineData("nat=127.1.0.0/16", "machines cannot have such addresses")]
    [InlineData("nat=224.0.0.0/8", "machines cannot have such addresses")]
    [InlineData("user,net=127.0.0.0/8", "machines cannot have such addresses")]
    [InlineData("user,net=240.0.0.0/8", "machines cannot have such addresses")]
    [InlineData("user,", "an empty part")]
    [InlineData("user,,mtu=1500", "an empty part")]
    [InlineData("user,hostfw=tcp::1-:1", "did you mean hostfwd?")]
    [InlineData("tap=t,hostname=x", "tap has no key 'hostname'")]
    [InlineData("user,queues=2", "user has one pair")]
    [InlineData("tap=t,queues=0", "from 1 to 64")]
    [InlineData("tap=t,queues=65", "from 1 to 64")]
    [InlineData("nat,mtu=67", "from 68 to 65521")]
    [InlineData("nat,mtu=65522", "from 68 to 65521")]
    [InlineData("nat,mtu=99999999999999999999", "from 68 to 65521")]
    [InlineData("nat,mtu", "mtu has no value")]
    [InlineData("nat,mtu=1500,mtu=1500", "given twice")]
    [InlineData("nat,mac=52:54:00:12:34", "is not an address")]
    [InlineData("nat,mac=52:54:00:12:34-56", "is not an address")]
    [InlineData("nat,mac=53:54:00:12:34:56", "first byte must be even")]
    [InlineData("nat,mac=00:00:00:00:00:00", "first byte must be even")]
    [InlineData("nat,bw=0K", "would let nothing through")]
    [InlineData("nat,bw=100", "has no unit")]
    [InlineData("nat,bw=xM", "not a size")]
    [InlineData("user,restrict=maybe", "restrict=maybe: use on or off")]
    [InlineData("user,hostname=a b", "not a host name")]
    [InlineData("user,hostname=a-name-of-thirty-three-letters-xx", "at most 32")]
    [InlineData("user,net=10.0.2.0/28", "/8 to /27")]
    [InlineData("user,dns=8.8.8.8", "not an address in the guest's network")]
    [InlineData("user,hostfwd=tcp::22", "not a forwarding rule")]
    [InlineData("user,hostfwd=sctp::22-:22", "not a forwarding rule")]
    [InlineData("user,hostfwd=tcp::0-:22", "from 1 to 65535")]
    [InlineData("user,hostfwd=tcp::22-:", "from 1 to 65535")]
    [InlineData("user,hostfwd=tcp:localhost:22-:22", "not an IPv4 address")]
    [InlineData("user,hostfwd=tcp::22-1.2.3.4:22", "not an address in the guest's network")]
    [InlineData("user,hostfwd=tcp::22-:22,hostfwd=tcp::22-:23", "already forwarded")]
    public void What_is_wrong_is_said_in_a_line(string text, string part)
    {
        BadInputException error = Assert.Throws<BadInputException>(() => NetText.Parse(text));

        Assert.StartsWith($"--net {text}: ", error.OnCommandLine(), StringComparison.Ordinal);
        Assert.Contains(part, error.OnCommandLine(), StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.OnCommandLine());
    }

    [Fact]
    public void Any_text_is_read_or_refused() =>
        Gen.String[Gen.Char["usertapnbidgo=,:-./0123456789hf"], 0, 40].Sample(
            text =>
            {
                try
                {
                    NetText.Parse(text);
                }
                catch (BadInputException)
                {
                }
            },
            iter: 20_000, seed: "0000KOIq3kB2", threads: 1);
}
