namespace MiniVmm.Lab.Tests;

/// <summary>Named CPU models as Linux sees them, in this machine and in QEMU's, both on the lab's KVM.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class LinuxCpuModelTests
{
    private const string QemuFolder = "qemu/usr";

    [Theory]
    [InlineData("EPYC-v2")]
    [InlineData("Haswell-noTSX")]
    public async Task Linux_sees_the_flags_that_it_sees_in_qemu(string model)
    {
        // One after the other: these guests have no deadline timer to calibrate by, and two of them at once are slow to boot.
        GuestReport ours = await LinuxGuest.ReportAsync(model, ["--cpu", model, "--mem", "192M"]);
        await using VmmProcess qemu = StartQemu(model);
        GuestReport theirs = await LinuxGuest.TakeReportAsync(qemu);

        Assert.Equal(theirs.Flags.Order(), ours.Flags.Order());
        foreach (string fact in (string[])["cpu0.vendor_id", "cpu0.model_name"])
            Assert.Equal(theirs[fact], ours[fact]);
        Assert.Contains("hypervisor", ours.Flags);
    }

    [Fact]
    public async Task Linux_finds_kvm_behind_hyper_v_s_interface()
    {
        await using VmmProcess vmm = LinuxGuest.Start(
            "hyper-v",
            "dmesg,poweroff",
            ["--cpu", "qemu64,hv-relaxed,hv-vapic,hv-spinlocks=0x1fff,hv-vpindex,hv-time,hv-tlbflush,hv-ipi", "--mem", "192M"]);

        string log = await vmm.WaitForAsync("lab: end dmesg");
        await vmm.AssertExitAsync(ExitStatus.Success);

        Assert.Contains("Hypervisor detected: KVM", log);
        Assert.DoesNotContain(vmm.ErrorLines, line => line.Contains("hv-", StringComparison.Ordinal));
    }

    private static VmmProcess StartQemu(string model)
    {
        string cache = Environment.GetEnvironmentVariable("LAB_CACHE") ?? Path.Combine(Lab.Root, "out", "lab");
        string fetched = Path.Combine(cache, QemuFolder, "bin", "qemu-system-x86_64");
        string[] firmware =
        [
            "-L", Path.Combine(cache, QemuFolder, "share", "qemu"), "-L", Path.Combine(cache, QemuFolder, "share", "seabios"),
        ];
        bool isFetched = File.Exists(fetched);
        return VmmProcess.Start($"qemu-{model}", isFetched ? fetched : "qemu-system-x86_64",
        [
            .. isFetched ? firmware : [],
            "-M", "pc,accel=kvm", "-cpu", model, "-m", "192", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-serial", "stdio", "-kernel", Lab.Guest("vmlinuz-cloud"), "-initrd", Lab.Guest("linux-initramfs.gz"),
            "-append", "console=ttyS0 panic=-1 quiet lab.do=report,poweroff",
        ]);
    }
}
