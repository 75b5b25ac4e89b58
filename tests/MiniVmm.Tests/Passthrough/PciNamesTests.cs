using MiniVmm.Passthrough;

namespace MiniVmm.Tests.Passthrough;

public sealed class PciNamesTests
{
    internal const string Text =
        "# a comment\n"
        + "1b36  Red Hat, Inc.\n"
        + "\t0010  QEMU NVM Express Controller\n"
        + "\t\t1af4 1100  a subsystem\n"
        + "8086  Intel Corporation\n"
        + "\t0010  Another device\n"
        + "\n"
        + "C 01  Mass storage controller\n"
        + "\t08  Non-Volatile memory controller\n"
        + "\t\t02  NVM Express\n"
        + "C 02  Network controller\n"
        + "\t00  Ethernet controller\n";

    private readonly PciNames _names = new(Text);

    [Fact]
    public void A_device_is_named_among_those_of_its_vendor()
    {
        Assert.Equal("Red Hat, Inc.", _names.Vendor(0x1b36));
        Assert.Equal("QEMU NVM Express Controller", _names.Device(0x1b36, 0x0010));
        Assert.Equal("Another device", _names.Device(0x8086, 0x0010));
        Assert.Null(_names.Device(0x8086, 0x0011));
        Assert.Null(_names.Vendor(0x1234));
    }

    [Fact]
    public void A_class_has_the_name_of_its_subclass_or_its_own()
    {
        Assert.Equal("Non-Volatile memory controller", _names.Class(0x010802));
        Assert.Equal("Network controller", _names.Class(0x028000));
        Assert.Null(_names.Class(0x030000));
    }

    [Theory]
    [InlineData("")]
    [InlineData("\t0010  No vendor above\n")]
    [InlineData("1b36\n\t0010\n")]
    public void A_file_of_another_form_names_nothing(string text)
    {
        PciNames names = new(text);

        Assert.Null(names.Vendor(0x1b36));
        Assert.Null(names.Device(0x1b36, 0x0010));
    }

    [Fact]
    public void The_hosts_own_file_is_found()
    {
        using HostPciTree host = new HostPciTree().AddFile("/usr/share/misc/pci.ids", Text);

        Assert.Equal("Intel Corporation", new PciNames(host.Files).Vendor(0x8086));
    }
}
