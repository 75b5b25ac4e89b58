namespace MiniVmm.Lab.Tests;

/// <summary>Debian's own firmware in a machine.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class FirmwareTests
{
    private const string SeaBios = "/usr/share/seabios/bios-256k.bin";

    [Fact]
    public async Task SeaBIOS_finds_the_machine_and_says_on_COM1_that_nothing_boots()
    {
        await using VmmProcess vmm = VmmProcess.Run("seabios", "--firmware", SeaBios, "--smp", "2", "--debugcon", "stderr");

        await vmm.WaitForAsync("No bootable device.");

        Assert.Contains("Running on QEMU (i440fx)", vmm.Errors);
        Assert.Contains("QEMU fw_cfg DMA interface supported", vmm.Errors);
        Assert.Contains("Found 2 cpu(s) max supported 2 cpu(s)", vmm.Errors);
        Assert.Contains("(via xsdt)", vmm.Errors); // the ACPI tables
    }
}
