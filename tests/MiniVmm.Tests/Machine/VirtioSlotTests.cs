using MiniVmm.Machine;

namespace MiniVmm.Tests.Machine;

public sealed class VirtioSlotTests
{
    private static readonly IReadOnlyList<VirtioSlot> _two = VirtioSlot.For(["disk0", "rng"]);

    [Fact]
    public void Each_device_has_a_page_and_a_line_of_its_own()
    {
        Assert.Equal([0xd000_0000UL, 0xd000_1000UL], _two.Select(slot => slot.Address));
        Assert.Equal([16, 17], _two.Select(slot => (int)slot.Gsi));
        Assert.Equal(["VI00", "VI01"], _two.Select(slot => slot.Aml.Name));
    }

    [Fact]
    public void All_slots_differ_in_address_and_line()
    {
        IReadOnlyList<VirtioSlot> all = VirtioSlot.For(Enumerable.Repeat("disk", VirtioSlot.Most));

        Assert.Equal(all.Count, all.Select(slot => slot.Address).Distinct().Count());
        Assert.Equal(all.Count, all.Select(slot => slot.Gsi).Distinct().Count());
    }

    [Fact]
    public void One_device_too_many_is_refused()
    {
        BadInputException error = Assert.Throws<BadInputException>(
            () => VirtioSlot.For(Enumerable.Repeat("disk", VirtioSlot.Most + 1)));

        Assert.Equal("18 virtio devices: there are interrupt lines for 17; leave out 1", error.Message);
    }

    [Theory]
    [InlineData("quiet", false, "quiet")]
    [InlineData("quiet", true, $"{Parameters} quiet")]
    [InlineData("", true, Parameters)]
    [InlineData("acpi=off quiet -- shell", false, $"{Parameters} acpi=off quiet -- shell")]
    [InlineData("acpi=ht", false, $"{Parameters} acpi=ht")]
    [InlineData("acpi=offline", false, "acpi=offline")]
    public void A_kernel_without_ACPI_learns_of_them_on_its_command_line(string line, bool asked, string expected)
    {
        MachineOptions options = new() { Kernel = "kernel", CommandLine = line, VirtioOnCommandLine = asked };

        Assert.Equal(expected, VirtioSlot.IntoCommandLine(_two, options));
    }

    [Fact]
    public void Without_devices_a_command_line_is_left_alone()
    {
        MachineOptions options = new() { Kernel = "kernel", CommandLine = "acpi=off" };

        Assert.Equal("acpi=off", VirtioSlot.IntoCommandLine([], options));
    }

    private const string Parameters =
        "virtio_mmio.device=4K@0xd0000000:16:0 virtio_mmio.device=4K@0xd0001000:17:1";
}
