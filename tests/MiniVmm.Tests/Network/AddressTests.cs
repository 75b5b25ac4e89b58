using CsCheck;
using MiniVmm.Network;

namespace MiniVmm.Tests.Network;

public sealed class AddressTests
{
    [Theory]
    [InlineData("0.0.0.0", 0u)]
    [InlineData("10.0.2.15", 0x0a00_020fu)]
    [InlineData("255.255.255.255", uint.MaxValue)]
    public void Four_numbers_are_an_address(string text, uint value)
    {
        Assert.True(Ipv4Address.TryParse(text, out Ipv4Address address));
        Assert.Equal(value, address.Value);
        Assert.Equal(text, address.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("1.2.3")]
    [InlineData("1.2.3.4.5")]
    [InlineData("1.2.3.256")]
    [InlineData("1.2.3.04")]
    [InlineData("1.2..4")]
    [InlineData("1.2.3. 4")]
    [InlineData("0x7f.0.0.1")]
    public void Other_spellings_are_none(string text) => Assert.False(Ipv4Address.TryParse(text, out _));

    [Theory]
    [InlineData("192.168.7.9/24", "192.168.7.0/24", "255.255.255.0", "192.168.7.255")]
    [InlineData("10.255.255.255/8", "10.0.0.0/8", "255.0.0.0", "10.255.255.255")]
    [InlineData("1.2.3.4/32", "1.2.3.4/32", "255.255.255.255", "1.2.3.4")]
    [InlineData("1.2.3.4/0", "0.0.0.0/0", "0.0.0.0", "255.255.255.255")]
    public void A_network_has_a_mask_and_an_end(string text, string network, string mask, string broadcast)
    {
        Assert.True(Ipv4Network.TryParse(text, out Ipv4Network parsed));
        Assert.Equal(
            (network, mask, broadcast), (parsed.ToString(), parsed.Mask.ToString(), parsed.Broadcast.ToString()));
    }

    [Theory]
    [InlineData("10.0.0.0")]
    [InlineData("10.0.0.0/")]
    [InlineData("10.0.0.0/33")]
    [InlineData("10.0.0.0/-1")]
    [InlineData("10.0.0.0/024")]
    public void What_is_no_network_is_refused(string text) => Assert.False(Ipv4Network.TryParse(text, out _));

    [Fact]
    public void Networks_overlap_as_their_addresses_do() =>
        Gen.Select(Gen.UInt, Gen.Int[0, 32], Gen.UInt, Gen.Int[0, 32]).Sample(
            (a, n, b, m) =>
            {
                Assert.True(Ipv4Network.TryParse($"{new Ipv4Address(a)}/{n}", out Ipv4Network first));
                Assert.True(Ipv4Network.TryParse($"{new Ipv4Address(b & 0xff00_ffff)}/{m}", out Ipv4Network second));
                bool expected = first.Address.Value <= second.Broadcast.Value
                    && second.Address.Value <= first.Broadcast.Value;
                Assert.Equal(expected, first.Overlaps(second));
                Assert.Equal(expected, second.Overlaps(first));
            },
            iter: 2000, seed: "0000KOIq3kB2", threads: 1);

    [Fact]
    public void Cards_in_user_mode_have_the_addresses_that_everybody_knows()
    {
        Assert.Equal("52:54:00:12:34:56", MacAddress.Default("vm", null, 0, "host").ToString());
        Assert.Equal("52:54:00:12:34:57", MacAddress.Default(null, null, 1, "other").ToString());
    }

    [Fact]
    public void On_a_shared_network_every_card_has_an_address_of_its_own_and_keeps_it()
    {
        List<MacAddress> all = [];
        foreach (string host in (string[])["host-1", "host-2"])
        {
            for (int i = 0; i < 100; i++)
            {
                all.Add(MacAddress.Default(null, $"mvm{i}", 0, host));
                all.Add(MacAddress.Default($"vm{i}", $"mvm{i}", 0, host));
                all.Add(MacAddress.Default($"vm{i}", $"mvm{i}", 1, host));
            }
        }

        Assert.Equal(all.Count, all.Distinct().Count());
        Assert.All(all, mac => Assert.True(mac.IsUnicast && mac.Value >> 32 == 0x5254));

        // A machine with a name has its address wherever its tap is.
        Assert.Equal(MacAddress.Default("vm", "mvm0", 0, "h"), MacAddress.Default("vm", "mvm7", 0, "h"));
        Assert.Equal("52:54:cb:01:bd:fa", MacAddress.Default("vm", "mvm0", 0, "h").ToString());
    }

    [Fact]
    public void An_address_goes_over_the_wire_first_byte_first()
    {
        Assert.True(MacAddress.TryParse("52-54-00-12-34-56", out MacAddress mac));
        byte[] bytes = new byte[6];
        mac.CopyTo(bytes);
        Assert.Equal([0x52, 0x54, 0, 0x12, 0x34, 0x56], bytes);
    }
}
