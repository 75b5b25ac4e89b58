using MiniVmm.Network;

namespace MiniVmm.Tests.Network;

public sealed class RouteTableTests
{
    private const string Header =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

    private const string Text = Header
        + "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        + "eth0\t0064A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        + "tun3\t0065A8C0\t00000000\t0001\t0\t0\t0\t00FEFFFF\t0\t0\t0\n"
        + "odd\tnonsense\t\n";

    [Theory]
    [InlineData("192.168.100.128/29", "192.168.100.0/24 on eth0")]
    [InlineData("192.168.0.0/16", "192.168.100.0/24 on eth0")]
    [InlineData("10.1.0.0/16", null)] // the default route has everything
    public void A_network_that_the_host_has_elsewhere_is_a_conflict(string text, string? conflict)
    {
        Assert.True(Ipv4Network.TryParse(text, out Ipv4Network network));
        Assert.Equal(conflict, new RouteTable(Text).Conflict(network));
    }

    [Fact]
    public void The_first_free_network_is_behind_those_that_are_taken() =>
        Assert.Equal("192.168.102.0/24", new RouteTable(Text).FindFree().ToString());

    [Fact]
    public void The_two_halves_that_a_VPN_puts_before_the_default_route_leave_room_for_others()
    {
        RouteTable routes = new(Header
            + "tun0\t00000000\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0\n"
            + "tun0\t00000080\t0100080A\t0003\t0\t0\t0\t00000080\t0\t0\t0\n");

        Assert.Equal("192.168.100.0/24", routes.FindFree().ToString());
    }

    [Fact]
    public void With_all_of_192_168_taken_none_is_free() =>
        Assert.Null(new RouteTable(Header + "eth0\t0000A8C0\t0\t1\t0\t0\t0\t0000FFFF\t0\t0\t0\n").FindFree());

    [Theory]
    [InlineData(null, "mvnat")]
    [InlineData("192.168.77.0/24", "mvn-c0a84d00-18")]
    [InlineData("10.0.0.0/8", "mvn-0a000000-08")]
    public void A_bridges_name_fits_an_interface_and_tells_its_subnet(string? text, string name)
    {
        Ipv4Network? subnet = text is not null && Ipv4Network.TryParse(text, out Ipv4Network network) ? network : null;

        Assert.Equal(name, NatNetwork.BridgeName(subnet));
        Assert.True(name.Length <= NetOptions.LongestInterfaceName);
    }
}
