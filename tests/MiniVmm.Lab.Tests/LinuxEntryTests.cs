namespace MiniVmm.Lab.Tests;

/// <summary>Other ways into the same kernel, and other processor models while at it.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class LinuxEntryTests
{
    /// <summary>
    /// The version in the boot_params that Linux makes itself from a PVH start info, arch/x86/platform/pvh; a
    /// kernel file of these years says 0x020f.
    /// </summary>
    private const string PvhProtocol = "0x020c";

    [Fact]
    public async Task A_bzImage_that_unpacks_itself_boots_on_a_model_less_a_feature()
    {
        GuestReport report = await LinuxGuest.ReportAsync(
            "decompress-guest", ["--decompress", "guest", "--cpu", "qemu64,-cx16", "--mem", "256M"]);

        Assert.Equal(1, report.Number("nproc"));
        Assert.NotEqual(PvhProtocol, report["boot_protocol"]);
        HashSet<string> flags = report.Flags;
        Assert.Contains("pni", flags);
        Assert.DoesNotContain("cx16", flags);
        Assert.DoesNotContain("bmi1", flags);
    }

    [Fact]
    public async Task The_ELF_inside_the_bzImage_boots_by_PVH_on_the_hosts_model_less_features()
    {
        GuestReport report = await LinuxGuest.ReportAsync(
            "vmlinux", ["--cpu", "host,-bmi1,-bmi2", "--mem", "256M"], kernel: "vmlinux-cloud");

        Assert.Equal(PvhProtocol, report["boot_protocol"]);
        HashSet<string> flags = report.Flags;
        Assert.Contains("sse4_2", flags);
        Assert.DoesNotContain("bmi1", flags);
        Assert.DoesNotContain("bmi2", flags);
        // The host has them: otherwise this would show nothing.
        string host = File.ReadLines("/proc/cpuinfo").First(line => line.StartsWith("flags", StringComparison.Ordinal));
        Assert.Contains(" bmi1 ", host);
        Assert.Contains(" bmi2 ", host);
    }
}
