namespace MiniVmm.Lab.Tests;

[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class LinuxMemoryTests
{
    [Fact]
    public async Task Five_GiB_go_on_above_the_device_hole_at_4_GiB()
    {
        const ulong GiB = 1UL << 30;

        GuestReport report = await LinuxGuest.ReportAsync("five-gib", ["--mem", "5G"]);

        Assert.InRange(report.RamSize, (5 * GiB) - (1UL << 20), 5 * GiB);
        Assert.Equal((4 * GiB, (6 * GiB) - 1), report.Ram[^1]);
        Assert.All(report.Ram.SkipLast(1), range => Assert.True(range.Last < 3 * GiB));
        // Linux takes some for itself, 1/64 for its page structures alone.
        Assert.InRange(report.Number("memory_kib"), (5 << 20) * 95L / 100, 5 << 20);
    }
}
