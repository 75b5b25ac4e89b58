using MiniVmm.Configuration;
using MiniVmm.Passthrough;

namespace MiniVmm.Tests.Configuration;

public sealed class DeviceTextTests
{
    [Theory]
    [InlineData("vfio=0000:01:00.0")]
    [InlineData("vfio=01:00.0")]
    [InlineData("vfio-pci,host=01:00.0")]
    [InlineData("vfio-pci,host=0000:01:00.0,reset=on")]
    public void A_device_is_named_by_its_address_on_the_host(string text) =>
        Assert.Equal(new PassthroughOptions(new HostPciAddress(0, 1, 0, 0)), DeviceText.Parse(text));

    [Fact]
    public void A_device_may_go_without_a_reset() => Assert.False(DeviceText.Parse("vfio=01:00.0,reset=off").Reset);

    [Theory]
    [InlineData("", "no such device; Device takes vfio=ADDRESS[,reset=on|off], as in vfio=0000:01:00.0, isa-debug-exit, isa-debugcon, pc-testdev, pci-testdev, bochs-display or ramfb")]
    [InlineData("virtio-net-pci", "no such device")]
    [InlineData("vfio-pci", "host=ADDRESS is missing")]
    [InlineData("vfio=", "'' is not the address of a PCI device, such as 0000:01:00.0; minivmm devices lists them")]
    [InlineData("vfio=eth0", "'eth0' is not the address")]
    [InlineData("vfio=01:00.0,host=02:00.0", "unknown 'host=02:00.0'")]
    [InlineData("vfio=01:00.0,romfile=x", "unknown 'romfile=x'")]
    [InlineData("vfio=01:00.0,", "unknown ''")]
    [InlineData("vfio=01:00.0,reset", "'reset': ")]
    [InlineData("vfio=01:00.0,reset=maybe", "'reset=maybe': ")]
    [InlineData("vfio=01:00.0,reset=on,reset=off", "reset is given twice")]
    public void What_is_wrong_is_said_with_the_part(string text, string complaint)
    {
        BadInputException e = Assert.Throws<BadInputException>(() => DeviceText.Parse(text));

        Assert.StartsWith($"Device {text}: {complaint}", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_network_card_of_the_hosts_is_a_device_that_errors_name_as_it_was_given()
    {
        Assert.True(DeviceText.IsDevice("vfio=01:00.0"));
        Assert.False(DeviceText.IsDevice("user"));
        Assert.True(DeviceText.Parse("vfio=01:00.0", OptionName.Net).IsNet);
        Assert.StartsWith(
            "Net vfio=01:00.0,mac=1: unknown 'mac=1'; Net takes ",
            Assert.Throws<BadInputException>(() => DeviceText.Parse("vfio=01:00.0,mac=1", OptionName.Net)).Message,
            StringComparison.Ordinal);
    }
}
