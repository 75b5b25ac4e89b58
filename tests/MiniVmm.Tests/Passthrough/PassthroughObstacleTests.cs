using MiniVmm.Passthrough;

namespace MiniVmm.Tests.Passthrough;

public sealed class PassthroughObstacleTests
{
    private const string Nvme = "0000:01:00.0";
    private const string Card = "0000:02:00.0";
    private const string Bind = "echo vfio-pci >/sys/bus/pci/devices/$d/driver_override; ";
    private const string Unbind = "echo $d >/sys/bus/pci/devices/$d/driver/unbind; ";
    private const string Probe = "echo $d >/sys/bus/pci/drivers_probe";

    [Fact]
    public void A_function_of_vfio_pci_that_is_alone_in_its_group_is_ready()
    {
        using HostPciTree host = HostPciTree.Typical(nvme: "vfio-pci");

        Assert.Null(host.Obstacle(Nvme));
    }

    [Theory]
    [InlineData("mlx5_vfio_pci")]
    [InlineData("nvgrace-gpu-vfio-pci")]
    public void A_variant_of_vfio_pci_serves_as_well(string driver)
    {
        using HostPciTree host = HostPciTree.Typical(nvme: driver);

        Assert.Null(host.Obstacle(Nvme));
    }

    [Fact]
    public void A_function_with_another_driver_is_not_bound()
    {
        using HostPciTree host = HostPciTree.Typical();

        PassthroughObstacle obstacle = host.Obstacle(Nvme)!;

        Assert.Equal(ObstacleKind.NotBound, obstacle.Kind);
        Assert.Equal("its driver is nvme, not vfio-pci", obstacle.Problem);
        Assert.Equal($"d={Nvme}; {Bind}{Unbind}{Probe}", obstacle.Command);
        Assert.Equal($"{obstacle.Problem}; run as root: {obstacle.Command}", obstacle.ToString());
    }

    [Fact]
    public void A_function_without_a_driver_needs_no_unbinding_and_the_module_is_loaded_first()
    {
        using HostPciTree host = new HostPciTree().Add(Nvme, 0x1b36, 0x0010, 0x010802, driver: null, group: 7);

        PassthroughObstacle obstacle = host.Obstacle(Nvme)!;

        Assert.Equal("it has no driver; it needs vfio-pci", obstacle.Problem);
        Assert.Equal($"modprobe vfio-pci && d={Nvme}; {Bind}{Probe}", obstacle.Command);
    }

    [Fact]
    public void Each_other_device_of_the_group_that_the_host_uses_is_named_with_its_driver()
    {
        using HostPciTree host = HostPciTree.Typical(card: "vfio-pci")
            .Add("0000:02:00.2", 0x8086, 0x2669, 0x0c0330, "xhci_hcd", group: 3)
            .Add("0000:02:00.3", 0x8086, 0x266a, 0x0c0500, driver: null, group: 3);

        PassthroughObstacle obstacle = host.Obstacle(Card)!;

        Assert.Equal(ObstacleKind.GroupInUse, obstacle.Kind);
        Assert.EndsWith("IOMMU group 3, which are passed on together or not at all: "
            + "0000:02:00.1 (snd_hda_intel), 0000:02:00.2 (xhci_hcd)", obstacle.Problem, StringComparison.Ordinal);
        Assert.Equal($"for d in 0000:02:00.1 0000:02:00.2; do {Bind}{Unbind}{Probe}; done", obstacle.Command);
    }

    [Fact]
    public void The_function_itself_is_bound_together_with_the_rest_of_its_group()
    {
        using HostPciTree host = HostPciTree.Typical();

        Assert.StartsWith("for d in 0000:02:00.0 0000:02:00.1; do ", host.Obstacle(Card)!.Command, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("vfio-pci")]
    [InlineData("pci-stub")]
    [InlineData("pcieport")]
    public void A_neighbour_that_the_host_does_not_use_is_no_obstacle(string? driver)
    {
        using HostPciTree host = HostPciTree.Typical(card: "vfio-pci", sound: driver);

        Assert.Null(host.Obstacle(Card));
    }

    [Fact]
    public void A_bridge_is_not_for_a_guest()
    {
        using HostPciTree host = HostPciTree.Typical();

        Assert.Equal("a bridge cannot be passed on", host.Obstacle("0000:00:01.0")!.ToString());
    }

    [Theory]
    [InlineData(null, "the host has no IOMMU; if its processor has one, switch VT-d or AMD-Vi on in its firmware's setup")]
    [InlineData("DMAR", "the host's IOMMU is off; boot the host with intel_iommu=on on its kernel's command line")]
    [InlineData("IVRS", "the host's IOMMU is off; boot the host without amd_iommu=off or iommu=off on its kernel's command line")]
    public void Without_an_IOMMU_the_firmwares_tables_say_what_to_do(string? table, string text)
    {
        using HostPciTree host = new HostPciTree().Add(Nvme, 0x1b36, 0x0010, 0x010802, "vfio-pci", group: null);
        if (table is not null)
            host.AddFile($"/sys/firmware/acpi/tables/{table}");

        PassthroughObstacle obstacle = host.Obstacle(Nvme)!;

        Assert.Equal(ObstacleKind.NoIommu, obstacle.Kind);
        Assert.Equal(text, obstacle.ToString());
    }

    [Fact]
    public void A_group_that_VFIO_made_up_does_not_stand_for_an_IOMMU()
    {
        using HostPciTree host = HostPciTree.Typical(nvme: "vfio-pci")
            .AddFile("/sys/kernel/iommu_groups/2/name", "vfio-noiommu\n");

        Assert.Equal(ObstacleKind.NoIommu, host.Obstacle(Nvme)!.Kind);
    }

    [Theory]
    [InlineData("/dev/vfio/2")]
    [InlineData("/dev/vfio/vfio")]
    public void A_file_of_VFIO_that_may_not_be_opened_is_named_with_the_command(string path)
    {
        using HostPciTree host = HostPciTree.Typical(nvme: "vfio-pci");

        PassthroughObstacle obstacle = host.Obstacle(Nvme, path)!;

        Assert.Equal(ObstacleKind.NotPermitted, obstacle.Kind);
        Assert.Equal($"{path} may not be opened by this user", obstacle.Problem);
        Assert.Equal($"chown {Environment.UserName} {path}", obstacle.Command);
    }

    [Fact]
    public void A_host_without_PCI_has_no_functions()
    {
        using HostPciTree host = new();

        Assert.Empty(host.Bus.List());
        Assert.False(host.Bus.HasIommu);
    }

    [Fact]
    public void Files_that_make_no_sense_are_passed_over()
    {
        using HostPciTree host = HostPciTree.Typical()
            .AddFile("/sys/bus/pci/devices/0000:03:00.0/vendor", "garbage")
            .AddFile("/sys/bus/pci/devices/not-an-address/vendor", "0x8086");

        Assert.Equal(5, host.Bus.List().Count);
    }
}
