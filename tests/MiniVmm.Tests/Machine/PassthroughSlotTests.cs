using MiniVmm.Machine;
using MiniVmm.Network;
using MiniVmm.Passthrough;
using MiniVmm.Pci;
using MiniVmm.Virtio.Balloon;

namespace MiniVmm.Tests.Machine;

public sealed class PassthroughSlotTests
{
    private static readonly PassthroughOptions Nvme = new(new HostPciAddress(0, 1, 0, 0));
    private static readonly PassthroughOptions Card = new(new HostPciAddress(0, 2, 0, 0)) { IsNet = true };
    private static readonly MachineOptions Options = new() { Kernel = "kernel", Passthrough = [Nvme, Card] };

    [Fact]
    public void A_machine_with_a_device_of_the_hosts_has_a_PCI_bus() => Assert.True(Options.HasPci);

    [Fact]
    public void Devices_come_behind_those_of_virtio_on_the_bus()
    {
        MachineOptions options = Options with { Virtio = VirtioBus.Pci, Nets = [new NetOptions { Mode = NetMode.User }] };

        Assert.Equal(
            [("vfio0", PciSlot.Of(1)), ("vfio1", PciSlot.Of(2))],
            PassthroughSlot.For(options, VirtioSlot.For(options)).Select(slot => (slot.Name, slot.Slot)));
    }

    [Fact]
    public void A_device_is_handed_over_once()
    {
        MachineOptions options = Options with { Passthrough = [Nvme, Card, Nvme] };

        Assert.Equal(
            "Device vfio=0000:01:00.0: is given twice",
            Assert.Throws<BadInputException>(() => PassthroughSlot.For(options, [])).Message);
    }

    [Fact]
    public void The_balloon_and_its_free_page_reporting_are_refused_with_the_reason()
    {
        MachineOptions options = Options with { Passthrough = [Card], Balloon = new BalloonOptions { Reporting = true } };

        Assert.Equal(
            "Balloon: not together with Net vfio=0000:02:00.0, whose DMA needs all of guest RAM where it is; leave out one of them",
            Assert.Throws<BadInputException>(() => PassthroughSlot.For(options, [])).Message);
    }
}
