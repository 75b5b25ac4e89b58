using MiniVmm.Host;
using MiniVmm.Passthrough;

namespace MiniVmm.Tests.Passthrough;

/// <summary>Each thing that can stand in the way of a passed device, as one line that ends in what to do.</summary>
public sealed class PassthroughHostTests
{
    private const string Nvme = "0000:01:00.0";
    private const string Card = "0000:02:00.0";
    private readonly FakeVfio _kernel = new();

    [Fact]
    public void Devices_are_reset_when_they_come_and_when_they_go()
    {
        using HostPciTree host = HostPciTree.Typical("vfio-pci", "vfio-pci", "vfio-pci");
        FakeVfioDevice nvme = Add(Nvme, 2);
        FakeVfioDevice card = Add(Card, 3);

        using (PassthroughHost passed = Open(host, Nvme, Card))
        {
            Assert.Equal([Nvme, Card], passed.Devices.Select(each => each.Options.Host.ToString()));
            Assert.Equal(["reset"], nvme.Log);
        }

        Assert.Equal(["reset", "reset"], nvme.Log);
        Assert.Equal(["reset", "reset"], card.Log);
        Assert.Equal(0, _kernel.OpenFiles);
    }

    [Fact]
    public void An_address_without_a_device_is_a_mistake_of_the_options()
    {
        using HostPciTree host = HostPciTree.Typical();

        BadInputException e = Assert.Throws<BadInputException>(() => Open(host, "0000:09:00.0"));

        Assert.Equal("Device vfio=0000:09:00.0: the host has no such PCI device; minivmm devices lists them", e.Message);
        Assert.Equal(OptionName.Device, e.Subject!.Value.Name);
    }

    [Fact]
    public void What_minivmm_devices_shows_is_said_with_the_option_in_front()
    {
        using HostPciTree host = HostPciTree.Typical();

        Assert.StartsWith($"Device vfio={Nvme}: its driver is nvme, not vfio-pci; run as root: d={Nvme}; ", Refusal(host, Nvme), StringComparison.Ordinal);
    }

    [Fact]
    public void A_network_card_is_named_as_it_was_given()
    {
        using HostPciTree host = HostPciTree.Typical();
        PassthroughOptions options = new(Parse(Card)) { IsNet = true };

        HostLimitException e = Assert.Throws<HostLimitException>(() => new PassthroughHost([options], host.Bus, _kernel, _ => true));

        Assert.StartsWith($"Net vfio={Card}: ", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_group_that_another_program_has_names_that_program()
    {
        using HostPciTree host = HostPciTree.Typical("vfio-pci")
            .AddFile("/proc/4711/comm", "qemu-system-x86\n").AddLink("/proc/4711/fd/12", "/dev/vfio/2")
            .AddFile("/proc/4712/comm", "bash\n").AddLink("/proc/4712/fd/0", "/dev/null");
        _kernel.Errors["/dev/vfio/2"] = Errno.EBUSY;

        Assert.Equal(
            $"Device vfio={Nvme}: another program has IOMMU group 2: end qemu-system-x86 (process 4711)", Refusal(host, Nvme));
    }

    [Fact]
    public void A_group_that_another_users_program_has_is_told_with_how_to_find_it()
    {
        using HostPciTree host = HostPciTree.Typical("vfio-pci");
        _kernel.Errors["/dev/vfio/2"] = Errno.EBUSY;

        Assert.EndsWith("another program has IOMMU group 2: fuser /dev/vfio/2 tells which", Refusal(host, Nvme), StringComparison.Ordinal);
    }

    [Fact]
    public void A_group_that_the_kernel_finds_in_use_lists_its_devices_with_their_drivers()
    {
        using HostPciTree host = HostPciTree.Typical(card: "vfio-pci", sound: "pci-stub");
        _kernel.NotViable.Add(3);

        Assert.Contains(
            "IOMMU group 3 is not viable: the host uses one of its devices: 0000:02:00.0 (vfio-pci), 0000:02:00.1 (pci-stub); ",
            Refusal(host, Card),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_may_not_be_opened_after_all_is_told_with_the_command()
    {
        using HostPciTree host = HostPciTree.Typical("vfio-pci");
        _kernel.Errors["/dev/vfio/2"] = Errno.EPERM;

        Assert.EndsWith(
            $"/dev/vfio/2 may not be opened by this user; run as root: chown {Environment.UserName} /dev/vfio/2",
            Refusal(host, Nvme),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_has_no_reset_is_refused_unless_that_is_accepted()
    {
        using HostPciTree host = HostPciTree.Typical("vfio-pci");
        FakeVfioDevice nvme = Add(Nvme, 2, canReset: false);

        Assert.Contains("it has no reset of its own, nor has its bus", Refusal(host, Nvme), StringComparison.Ordinal);
        using PassthroughHost passed =
            new([new PassthroughOptions(Parse(Nvme)) { Reset = false }], host.Bus, _kernel, _ => true);

        Assert.Empty(nvme.Log);
    }

    [Fact]
    public void A_device_without_a_reset_of_its_own_is_reset_with_its_bus_if_all_of_that_is_passed_on()
    {
        using HostPciTree host = HostPciTree.Typical("vfio-pci", "vfio-pci", "vfio-pci");
        FakeVfioDevice nvme = Add(Nvme, 2, canReset: false, (Nvme, 2), (Card, 3));
        Add(Card, 3);

        Assert.EndsWith(
            "only its whole bus can be reset, and 0000:02:00.0 on it is not passed on with it: "
                + "what one guest leaves in it, the next user finds; add ,reset=off if you trust the guest with that",
            Refusal(host, Nvme),
            StringComparison.Ordinal);
        using PassthroughHost passed = Open(host, Nvme, Card);

        Assert.Equal(["reset bus 2 3"], nvme.Log);
    }

    [Fact]
    public void What_was_opened_before_a_refusal_is_closed()
    {
        using HostPciTree host = HostPciTree.Typical("vfio-pci");
        Add(Nvme, 2);

        Refusal(host, Nvme, Card);

        Assert.Equal(0, _kernel.OpenFiles);
    }

    private FakeVfioDevice Add(string address, int group, bool canReset = true, params (string, int)[] neighbours)
    {
        FakeVfioDevice device =
            new(address, group) { CanReset = canReset, BusNeighbours = neighbours.Length > 0 ? neighbours : null };
        _kernel.Devices.Add(device);
        return device;
    }

    private PassthroughHost Open(HostPciTree host, params string[] addresses) =>
        new([.. addresses.Select(address => new PassthroughOptions(Parse(address)))], host.Bus, _kernel, _ => true);

    private string Refusal(HostPciTree host, params string[] addresses) =>
        Assert.Throws<HostLimitException>(() => Open(host, addresses)).Message;

    private static HostPciAddress Parse(string address) =>
        HostPciAddress.TryParse(address, out HostPciAddress parsed) ? parsed : throw new FormatException(address);
}
