using MiniVmm.Host;
using MiniVmm.Memory;
using MiniVmm.Passthrough;
using MiniVmm.Passthrough.Abi;

namespace MiniVmm.Tests.Passthrough;

/// <summary>Container, group and device over a made-up kernel.</summary>
public sealed class VfioDeviceTests
{
    private const int Group = 2;
    private static readonly HostPciAddress Address = new(0, 1, 0, 0);
    private readonly FakeVfio _kernel = new();

    [Fact]
    public void A_device_tells_its_regions_and_interrupts()
    {
        using VfioContainer container = new(_kernel);
        using VfioDevice device = Open(container, new FakeVfioDevice("0000:01:00.0", Group));

        Assert.Equal(256ul, device.Configuration.Size);
        Assert.Equal([0x4000ul, 0, 0, 0, 0, 0], device.Bars.Select(bar => bar.Size));
        Assert.Equal([new(0, 0x4000)], device.Bars[0].Mappable);
        Assert.Empty(device.Bars[1].Mappable);
        Assert.Equal((1u, 4u, 8u), (device.Intx.Count, device.Msi.Count, device.Msix.Count));
        Assert.True(device.CanReset);
    }

    [Fact]
    public void Sparse_areas_are_read_out_of_the_capabilities_and_nonsense_is_left_out()
    {
        using VfioContainer container = new(_kernel);
        using VfioDevice device = Open(container, new FakeVfioDevice("0000:01:00.0", Group)
        {
            Areas = [(0x3000, 0x1000), (0x1000, 0x1000), (0x3000, ulong.MaxValue), (0x8000, 0x1000), (0, 0)],
        });

        Assert.Equal([new(0x1000, 0x1000), new(0x3000, 0x1000)], device.Bars[0].Mappable);
    }

    [Fact]
    public void Registers_are_read_and_written_in_their_region()
    {
        FakeVfioDevice fake = new("0000:01:00.0", Group);
        fake.Bar[0x1004] = 0x77;
        using VfioContainer container = new(_kernel);
        using VfioDevice device = Open(container, fake);
        Span<byte> data = stackalloc byte[1];

        device.Read(device.Bars[0], 0x1004, data);
        device.Write(device.Configuration, 4, [6]);

        Assert.Equal(0x77, data[0]);
        Assert.Equal(6, fake.Space[4]);
    }

    [Fact]
    public void Interrupts_are_set_with_their_eventfds_and_switched_off_as_a_whole()
    {
        FakeVfioDevice fake = new("0000:01:00.0", Group);
        using VfioContainer container = new(_kernel);
        using VfioDevice device = Open(container, fake);

        Assert.Equal(0, device.SetTriggers(device.Msix, 1, [5, -1, 7]));
        device.Disable(device.Msix);
        device.SetTriggers(device.Intx, 0, [9]);
        device.SetUnmask(10);

        Assert.Equal(["irq 2 1: 5 -1 7", "irq 2 off", "irq 0 0: 9", "unmask 0 0: 10"], fake.Log);
    }

    [Fact]
    public void Fewer_vectors_than_wanted_are_told() =>
        Assert.Equal(3, TooManyVectors(new FakeVfioDevice("0000:01:00.0", Group) { MostVectors = 3 }));

    [Fact]
    public void What_is_no_PCI_device_is_refused_and_closed()
    {
        using VfioContainer container = new(_kernel);

        Assert.Throws<VfioException>(() => Open(container, new FakeVfioDevice("0000:01:00.0", Group) { IsPci = false }));

        Assert.Equal(2, _kernel.OpenFiles);
    }

    [Fact]
    public void Devices_of_one_group_share_its_file_and_all_is_closed_at_the_end()
    {
        _kernel.Devices.Add(new FakeVfioDevice("0000:01:00.1", Group));
        using (VfioContainer container = new(_kernel))
        {
            using VfioDevice first = Open(container, new FakeVfioDevice("0000:01:00.0", Group));
            using VfioDevice second = container.Add(Group).Open(new(0, 1, 0, 1));
            Assert.Single(container.Groups);
            Assert.Equal(4, _kernel.OpenFiles);
        }

        Assert.Equal(0, _kernel.OpenFiles);
    }

    [Fact]
    public void Memory_is_mapped_for_DMA_where_the_guest_has_it()
    {
        using VfioContainer container = new(_kernel);
        RamSlot ram = new(new(0x1_0000_0000, 0x20_0000), 0x7f00_0000);

        container.MapDma(ram);
        Assert.Equal([ram], _kernel.Mapped);
        container.UnmapDma(ram.Range);
        Assert.Empty(_kernel.Mapped);
    }

    [Fact]
    public void The_addresses_that_devices_can_use_are_told_where_the_kernel_tells_them()
    {
        using VfioContainer container = new(_kernel);
        Assert.Null(container.UsableAddresses());

        _kernel.UsableAddresses = [new(0, 0xfee0_0000), new(0xfef0_0000, 0x80_0000_0000)];
        Assert.Equal(_kernel.UsableAddresses, container.UsableAddresses());
    }

    [Theory]
    [InlineData(Errno.ENOENT, "open /dev/vfio/vfio: no such file (ENOENT); run as root: modprobe vfio-pci")]
    [InlineData(Errno.EACCES, "open /dev/vfio/vfio: permission denied (EACCES); run as root: chmod 666 /dev/vfio/vfio")]
    public void A_container_that_cannot_be_opened_says_what_to_do(int error, string text)
    {
        _kernel.Errors[VfioContainer.Path] = error;

        Assert.Equal(text, Assert.Throws<VfioException>(() => new VfioContainer(_kernel)).Message);
        Assert.Equal(0, _kernel.OpenFiles);
    }

    [Fact]
    public void An_IOMMU_that_does_not_remap_interrupts_is_told_with_the_switch()
    {
        _kernel.Errors[VfioConstants.VFIO_SET_IOMMU] = Errno.EPERM;
        using VfioContainer container = new(_kernel);

        VfioException refusal = Assert.Throws<VfioException>(() => container.Add(Group));

        Assert.Contains("allow_unsafe_interrupts", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(1, _kernel.OpenFiles);
    }

    private int TooManyVectors(FakeVfioDevice fake)
    {
        using VfioContainer container = new(_kernel);
        using VfioDevice device = Open(container, fake);
        return device.SetTriggers(device.Msix, 0, [5, 6, 7, 8]);
    }

    private VfioDevice Open(VfioContainer container, FakeVfioDevice device)
    {
        _kernel.Devices.Add(device);
        return container.Add(Group).Open(Address);
    }
}
