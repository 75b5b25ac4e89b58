namespace MiniVmm.Lab.Tests;

/// <summary>Other ways into the same kernel, and other processor models while at it.</summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
public sealed class LinuxEntryTests
{
    /// <summary>boot_params.hdr.type_of_loader when Linux made its boot_params itself, from a PVH start info.</summary>
    private const int PvhLoader = 0x90;

    [Fact]
    public async Task A_bzImage_that_unpacks_itself_boots_on_a_model_less_a_feature()
    {
        GuestReport report = await LinuxGuest.ReportAsync(
            "decompress-guest", ["--decompress", "guest", "--cpu", "qemu64,-cx16", "--mem", "256M"]);

        Assert.Equal(1, report.Number("nproc"));
        Assert.NotEqual(PvhLoader, report.Number("loader"));
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

        Assert.Equal(PvhLoader, report.Number("loader"));
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
