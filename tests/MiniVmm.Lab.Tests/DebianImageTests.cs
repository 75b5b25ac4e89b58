namespace MiniVmm.Lab.Tests;

/// <summary>Images out of Debian's packages, as they are, show what they show elsewhere; with no option but the file where that is all they need.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class DebianImageTests
{
    private const string Ipxe = "Open Source Network Boot Firmware";

    /// <summary>
    /// A bzImage that is no Linux, on the text screen; a CD, which has SeaBIOS on the serial port before; and on that, where it is told to.
    /// </summary>
    [Theory]
    [InlineData("/boot/memtest86+x64.bin")]
    [InlineData("/boot/memtest86+ia32.bin")]
    [InlineData("/usr/lib/memtest86+/memtest86+x64.iso", "--display", "tty")]
    [InlineData("/boot/memtest86+x64.bin", "--append", "console=ttyS0,115200")]
    public async Task Memtest86_plus_tests_the_memory(string file, params string[] more)
    {
        await using VmmProcess vmm = VmmProcess.RunOnTerminal($"memtest-{Path.GetFileName(file)}{more.Length}", ["--mem", "64M", file, .. more]);

        await vmm.WaitForAsync("Memtest86"); // the plus has another colour
        await vmm.WaitForAsync("Errors:");
    }

    /// <summary>A bzImage that starts in real mode, and a CD of ISOLINUX' with it: both by SeaBIOS.</summary>
    [Theory]
    [InlineData("/boot/ipxe.lkrn", "starts in real mode; started as by --firmware")]
    [InlineData("/usr/lib/ipxe/ipxe.iso", "a program that starts in real mode needs a BIOS; started as by --firmware")]
    public async Task iPXE_looks_for_a_network(string file, string remark)
    {
        await using VmmProcess vmm = VmmProcess.Run($"ipxe-{Path.GetFileName(file)}", "--mem", "64M", file);

        if (file.EndsWith(".iso", StringComparison.Ordinal))
            await vmm.WaitForAsync("ISOLINUX 6");
        await vmm.WaitForAsync(Ipxe);

        Assert.Contains(remark, Assert.Single(vmm.ErrorLines), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_CD_of_grub_mkrescue_comes_up_through_SeaBIOS_and_GRUB()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        await LabHost.ShellAsync($"mkdir -p {folder}/tree/boot/grub && cp {Lab.Guest("hello.elf")} {folder}/tree/boot && "
            + $"echo 'serial; terminal_output serial; multiboot /boot/hello.elf by GRUB; boot' >{folder}/tree/boot/grub/grub.cfg && "
            + $"grub-mkrescue -o {folder}/os.iso {folder}/tree 2>&1");
        await using VmmProcess vmm = VmmProcess.Run(
            "grub", "--firmware", "/usr/share/seabios/bios-256k.bin", "--cdrom", $"{folder}/os.iso", "--boot", "d");
        vmm.CloseInput();

        await vmm.AssertExitAsync(ExitStatus.Success);

        Assert.Contains("multiboot 1, loader \"GRUB 2", vmm.Output, StringComparison.Ordinal);
        Assert.Contains("hello: ok", vmm.Output, StringComparison.Ordinal);
    }

    /// <summary>UEFI: OVMF finds a FAT disk with a program on it, runs that, and then its own shell, which powers the machine off.</summary>
    [Fact]
    public async Task OVMF_runs_a_program_from_a_disk_and_its_shell()
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        await LabHost.ShellAsync($"cd {folder} && cp /usr/share/OVMF/OVMF_VARS_4M.fd vars.fd && truncate -s 64M disk.img && mformat -i disk.img -F -c 1 :: && "
            + "mmd -i disk.img ::/EFI ::/EFI/BOOT && mcopy -i disk.img /boot/ipxe.efi ::/EFI/BOOT/BOOTX64.EFI");
        await using VmmProcess vmm = VmmProcess.Run(
            "ovmf", "--mem", "128M", "--firmware", "/usr/share/OVMF/OVMF_CODE_4M.fd", "--firmware-vars", $"{folder}/vars.fd", "--disk", $"{folder}/disk.img,if=ide");

        await vmm.WaitForAsync(Ipxe);
        await vmm.WaitForAsync("UEFI Interactive Shell");
        await vmm.WaitForAsync("seconds to skip");
        await vmm.SendLineAsync("");
        await vmm.WaitForAsync("Shell> ");
        await vmm.SendLineAsync("reset -s\r");

        await vmm.AssertExitAsync(ExitStatus.Success);
    }
}
