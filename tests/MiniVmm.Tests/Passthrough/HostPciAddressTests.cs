using MiniVmm.Passthrough;

namespace MiniVmm.Tests.Passthrough;

public sealed class HostPciAddressTests
{
    [Theory]
    [InlineData("0000:01:00.0", "0000:01:00.0")]
    [InlineData("01:00.0", "0000:01:00.0")]
    [InlineData("ffff:FF:1f.7", "ffff:ff:1f.7")]
    [InlineData("1:2:3.4", "0001:02:03.4")]
    public void An_address_is_read_with_its_domain_or_without(string text, string address)
    {
        Assert.True(HostPciAddress.TryParse(text, out HostPciAddress parsed));
        Assert.Equal(address, parsed.ToString());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("01:00")]
    [InlineData("01.0")]
    [InlineData("01:20.0")]
    [InlineData("01:00.8")]
    [InlineData("01:00.0.0")]
    [InlineData("100:00.0")]
    [InlineData("0:0000:01:00.0")]
    [InlineData("10000:01:00.0")]
    [InlineData("0000: 1:00.0")]
    [InlineData("0x00:01:00.0")]
    [InlineData("../..:00:00.0")]
    public void What_is_no_address_is_refused(string? text) => Assert.False(HostPciAddress.TryParse(text, out _));

    [Fact]
    public void Addresses_are_in_the_order_of_domain_bus_device_and_function()
    {
        HostPciAddress[] ordered = [new(0, 0, 31, 7), new(0, 1, 0, 0), new(0, 1, 0, 1), new(0, 1, 1, 0), new(1, 0, 0, 0)];

        Assert.Equal(ordered, ordered.Reverse().Order());
        Assert.True(ordered[0] < ordered[1] && ordered[1] > ordered[0] && ordered[1] >= ordered[1] && ordered[1] <= ordered[1]);
    }
}
