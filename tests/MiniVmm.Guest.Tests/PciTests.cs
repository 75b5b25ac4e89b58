namespace MiniVmm.Guest.Tests;

/// <summary>The PCI bus and a device on it, as the test kernel finds them.</summary>
public sealed class PciTests : IClassFixture<UsableKvm>
{
    [Fact]
    public async Task A_bus_that_was_asked_for_is_there_with_nothing_on_it()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--pci", Built.Guest("pci.elf"));

        run.With(ExitStatus.Success);
        Assert.Contains("\n  00:00.0 1b36:0008\n  1 functions\n", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_one_there_is_no_word_of_it()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync("run", "--virtio", "pci", Built.Guest("pci.elf"));

        run.With(3);
        Assert.Contains("no PCI bus", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData()]
    [InlineData("--balloon", "--console", "virtio")]
    public async Task A_device_interrupts_by_MSI_X_and_by_INTx_wherever_it_is_moved(params string[] others)
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            ["run", "--virtio", "pci", "--rng", .. others, Built.Guest("pci.elf")]);

        run.With(ExitStatus.Success);
        foreach (string line in (string[])
            ["BARs moved to", "200 requests, 200 interrupts", "masked under fire        200 times, none lost, none early",
                "moved under fire         100 and 100 interrupts", "INTx on GSI 1"])
            Assert.Contains(line, run.Output, StringComparison.Ordinal);
        Assert.EndsWith("pci: ok\n", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_line_without_ACPI_finds_its_devices_in_memory_still()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            "run", "--pci", "--virtio", "mmio", "--rng", "--append", "acpi=off", Built.Guest("hello.elf"));

        run.With(ExitStatus.Success);
        Assert.Contains("virtio_mmio.device=4K@0xd0000000:3:0 acpi=off", run.Output, StringComparison.Ordinal);
    }
}
