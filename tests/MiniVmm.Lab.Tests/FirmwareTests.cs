using System.Globalization;

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

    [Theory]
    [InlineData("boot: drive 80\nboot: second sector\nboot: written\nboot: ok\n", "--disk", "boot-disk.img", ",if=ide")]
    [InlineData("boot: drive 80\nboot: second sector\nboot: not written\nboot: ok\n", "--disk", "boot-disk.img", ",if=ide,ro")]
    [InlineData("boot: drive 80\nboot: second sector\nboot: written\nboot: ok\n", "--disk", "boot-disk.img", "")] // SeaBIOS' own virtio
    [InlineData("boot: drive 00\nboot: second sector\nboot: written\nboot: ok\n", "--fda", "boot-disk.img", "")]
    [InlineData("boot: drive e0\nCD001\nboot: ok\n", "--cdrom", "boot-cd.iso", "")]
    public async Task SeaBIOS_boots(string text, string option, string image, string more)
    {
        string copy = Path.Combine(Path.GetTempPath(), image);
        File.Copy(Lab.Guest(image), copy, overwrite: true);
        await using VmmProcess vmm = VmmProcess.Run($"seabios{option}{more}", "--firmware", SeaBios, option, copy + more);
        vmm.CloseInput();

        await vmm.AssertExitAsync(ExitStatus.Success);

        Assert.Contains(text, vmm.Output);
    }

    [Theory]
    [InlineData("boot-disk.img", "boot: drive 00", "--fda")]
    [InlineData("boot-cd.iso", "boot: drive e0", "--cdrom")]
    public async Task A_boot_sector_or_a_CD_needs_no_option_but_its_file(string image, string text, string option)
    {
        string copy = Path.Combine(Path.GetTempPath(), image);
        File.Copy(Lab.Guest(image), copy, overwrite: true);
        await using VmmProcess vmm = VmmProcess.Run($"alone{image}", copy);
        vmm.CloseInput();

        await vmm.AssertExitAsync(ExitStatus.Success);

        Assert.Contains(text, vmm.Output);
        Assert.Contains($"started as by --firmware {SeaBios} {option} {copy}", Assert.Single(vmm.ErrorLines));
    }

    /// <summary>As runners of boot images and of rescue discs have it; the firmware is the one that is installed.</summary>
    [Theory]
    [InlineData("boot-serial.img", "-drive format=raw,file={0} -serial stdio -display none -no-reboot", "boot: drive 80\nboot: second sector\nboot: written\nboot: ok\n")]
    [InlineData("boot-disk.img", "{0} -snapshot -nographic -no-reboot", "boot: drive 80\nboot: second sector\nboot: written\nboot: ok\n")]
    [InlineData("boot-cd.iso", "-cdrom {0} -serial mon:stdio -m 128M -monitor none -no-reboot -boot d", "boot: drive e0\nCD001\nboot: ok\n")]
    public async Task QEMUs_command_lines_boot(string image, string words, string text)
    {
        string copy = Path.Combine(Path.GetTempPath(), $"qemu-{image}");
        File.Copy(Lab.Guest(image), copy, overwrite: true);
        byte[] before = File.ReadAllBytes(copy);

        string output = await LabHost.ShellAsync($"'{Lab.MiniVmm}' qemu {string.Format(CultureInfo.InvariantCulture, words, copy)} </dev/null");

        Assert.Contains(text, output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        if (!words.StartsWith("-drive", StringComparison.Ordinal))
            Assert.Equal(before, File.ReadAllBytes(copy));
    }

    [Theory]
    [InlineData("/usr/share/qemu/qboot.rom")]
    [InlineData(SeaBios)]
    public async Task Firmware_boots_a_kernel_that_it_gets_by_fw_cfg(string firmware)
    {
        await using VmmProcess vmm = VmmProcess.Run(
            $"kernel{Path.GetFileName(firmware)}", "--firmware", firmware, "--mem", "256M", "--kernel", Lab.Guest("vmlinuz-cloud"),
            "--initrd", Lab.Guest("linux-initramfs.gz"), "--append", "console=ttyS0 lab.do=report,poweroff", "--smbios", "type=1,product=Web,serial=S1");
        vmm.CloseInput();

        await vmm.AssertExitAsync(ExitStatus.Success);

        Assert.Contains("lab: end report", vmm.Output);
        Assert.Contains("DMI: MiniVmm Web", vmm.Output); // by SMBIOS tables
    }

    [Fact]
    public async Task What_is_booted_first_is_what_the_user_says()
    {
        await using VmmProcess vmm = VmmProcess.Run(
            "seabios-order", "--firmware", SeaBios, "--disk", $"{Lab.Guest("boot-disk.img")},if=ide,ro", "--cdrom", Lab.Guest("boot-cd.iso"),
            "--boot", "d");
        vmm.CloseInput();

        await vmm.AssertExitAsync(ExitStatus.Success);

        Assert.Contains("boot: drive e0", vmm.Output);
    }
}
