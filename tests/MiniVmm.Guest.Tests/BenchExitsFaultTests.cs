using System.Text.Json;

namespace MiniVmm.Guest.Tests;

/// <summary>Where a KVM lacks something or its counts are wrong, that is said, and the rest is measured.</summary>
public sealed class BenchExitsFaultTests(FaultyKvm kvm) : IClassFixture<UsableKvm>, IClassFixture<FaultyKvm>
{
    private static readonly string[] Bench =
        ["bench", "exits", "--count", "40", "--rounds", "2", "--warmup", "4", "--json"];

    [Fact]
    public async Task Nothing_is_wrong_where_there_is_no_fault()
    {
        MinivmmResult run = await kvm.RunAsync("none", Bench);

        new ExitsReport(run.With(ExitStatus.Success).Output).AssertMeasured(ExitsReport.Kinds);
        Assert.Equal("", run.Errors);
    }

    [Fact]
    public async Task Without_statistics_everything_is_measured_and_nothing_checked()
    {
        MinivmmResult run = await kvm.RunAsync("no statistics", Bench);

        string line = Assert.Single(run.With(ExitStatus.HostLimit).ErrorLines);
        Assert.StartsWith("minivmm: warning: the kernel's own counts are not there to check against: ", line);
        Assert.Contains("KVM_GET_STATS_FD", line);
        ExitsReport report = new(run.Output);
        Assert.Equal(ExitsReport.Kinds, report.Names);
        Assert.All(report.Loops, loop => Assert.True(ExitsReport.IsMeasured(loop)));
        Assert.All(
            report.Loops.SelectMany(loop => loop.GetProperty("kernelCounts").EnumerateArray()),
            count => Assert.Equal(JsonValueKind.Null, count.GetProperty("counted").ValueKind));
    }

    [Fact]
    public async Task Counts_that_are_wrong_make_it_end_with_8_and_name_the_kinds()
    {
        MinivmmResult run = await kvm.RunAsync("lies", [.. Bench, "--only", "mmio-read,kick"]);

        string[] lines = run.With(ExitStatus.Untrusted).ErrorLines;
        foreach (string kind in (string[])["mmio-read", "kick"])
            Assert.Contains(lines, line => line.StartsWith($"minivmm: {kind}: the kernel counted ", StringComparison.Ordinal));
        Assert.All(lines, line => Assert.EndsWith("; do not use its figures", line));
        ExitsReport report = new(run.Output);
        Assert.All(report.Loops, loop => Assert.Contains("the kernel counted", loop.GetProperty("remarks").ToString()));
    }

    [Theory]
    [InlineData(
        "no ioeventfd", "no space left",
        "ioeventfd-pio", "ioeventfd-pio-woken", "ioeventfd-mmio", "ioeventfd-mmio-woken")]
    [InlineData("no irqfd", "KVM_IRQFD", "hlt-irqfd")]
    [InlineData("no ring", "KVM_CAP_COALESCED_MMIO", "coalesced-pio", "coalesced-mmio")]
    [InlineData("no port ring", "KVM_CAP_COALESCED_PIO", "coalesced-pio")]
    public async Task A_kind_that_this_KVM_cannot_do_is_left_out(string fault, string why, params string[] kinds)
    {
        MinivmmResult run = await kvm.RunAsync(fault, Bench);

        string[] lines = run.With(ExitStatus.HostLimit).ErrorLines;
        Assert.Equal(kinds.Length, lines.Length);
        foreach ((string kind, string line) in kinds.Zip(lines))
        {
            Assert.StartsWith($"minivmm: {kind}: not measured: ", line);
            Assert.Contains(why, line);
        }

        ExitsReport report = new(run.Output);
        Assert.Equal(ExitsReport.Kinds, report.Names);
        Assert.All(
            report.Loops,
            loop => Assert.Equal(
                !kinds.Contains(loop.GetProperty("name").GetString()), ExitsReport.IsMeasured(loop)));
    }

    [Fact]
    public async Task What_comes_before_the_guest_is_there_is_counted_all_the_same()
    {
        MinivmmResult run = await kvm.RunAsync("late", [.. Bench, "--only", "kick,hlt-irqfd,ipi"]);

        new ExitsReport(run.With(ExitStatus.Success).Output).AssertMeasured("kick", "hlt-irqfd", "ipi");
    }

    [Theory]
    [InlineData("--json")]
    [InlineData("--csv")]
    [InlineData("--histogram")]
    public async Task A_KVM_that_runs_nothing_leaves_every_kind_unmeasured(string form)
    {
        MinivmmResult run = await kvm.RunAsync("no run", [.. Bench[..^1], form]);

        string[] lines = run.With(ExitStatus.HostLimit).ErrorLines;
        Assert.Equal(ExitsReport.Kinds.Length, lines.Length);
        foreach ((string kind, string line) in ExitsReport.Kinds.Zip(lines))
            Assert.StartsWith($"minivmm: {kind}: not measured: ", line);
    }
}
