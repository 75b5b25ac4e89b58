using MiniVmm.Machine;
using MiniVmm.Storage;

namespace MiniVmm.Tests.Machine;

public sealed class VirtioSlotTests
{
    private static readonly IReadOnlyList<VirtioMmioSlot> Two = VirtioMmioSlot.For(Disks(1) with { Rng = true });

    [Fact]
    public void Each_device_has_a_page_and_a_line_of_its_own()
    {
        Assert.Equal([0xd000_0000UL, 0xd000_1000UL], Two.Select(slot => slot.Address));
        Assert.Equal([16, 17], Two.Select(slot => (int)slot.Gsi));
        Assert.Equal(["VI00", "VI01"], Two.Select(slot => slot.Aml.Name));
    }

    [Theory]
    [InlineData("")]
    [InlineData("acpi=off")]
    public void All_slots_differ_in_address_and_line(string line)
    {
        IReadOnlyList<VirtioMmioSlot> all = VirtioMmioSlot.For(Disks(17, line));

        Assert.Equal(17, all.Select(slot => slot.Address).Distinct().Count());
        Assert.Equal(17, all.Select(slot => slot.Gsi).Distinct().Count());
    }

    [Theory]
    [InlineData("", false, 16)]
    [InlineData("acpi=off", false, 5)]
    [InlineData("quiet", true, 5)]
    [InlineData("noapic", false, 5)]
    public void A_device_that_a_command_line_names_has_a_line_that_an_8259_has(string line, bool named, int first)
    {
        IReadOnlyList<VirtioMmioSlot> slots = VirtioMmioSlot.For(Disks(9, line) with { VirtioOnCommandLine = named });

        Assert.Equal(first, slots[0].Gsi);
        Assert.Equal(first < 16, slots.All(slot => slot.Gsi < 16));

        // The timer, keyboard, cascade, COM1, clock, SCI and FPU have the others.
        Assert.DoesNotContain(slots, slot => slot.Gsi is 0 or 1 or 2 or 4 or 8 or 9 or 13);
    }

    [Theory]
    [InlineData("", 18, "18 virtio devices: there are interrupt lines for 17; leave out 1")]
    [InlineData("acpi=off", 18, "18 virtio devices: there are interrupt lines for 17; leave out 1")]
    [InlineData("acpi=off noapic", 11, "11 virtio devices: there are interrupt lines for 9 without an I/O APIC, "
        + "which the kernel's command line switches off; leave out 2")]
    public void Too_many_devices_are_refused(string line, int count, string message) =>
        Assert.Equal(message, Assert.Throws<BadInputException>(() => VirtioMmioSlot.For(Disks(count, line))).Message);

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

        Assert.Equal(expected, VirtioMmioSlot.IntoCommandLine(Two, options));
    }

    [Fact]
    public void Without_devices_a_command_line_is_left_alone()
    {
        MachineOptions options = new() { Kernel = "kernel", CommandLine = "acpi=off" };

        Assert.Equal("acpi=off", VirtioMmioSlot.IntoCommandLine([], options));
    }

    private static MachineOptions Disks(int count, string line = "") => new()
    {
        Kernel = "kernel",
        CommandLine = line,
        Disks = [.. Enumerable.Repeat(new DiskOptions { File = "disk" }, count)],
    };

    private const string Parameters =
        "virtio_mmio.device=4K@0xd0000000:16:0 virtio_mmio.device=4K@0xd0001000:17:1";
}
