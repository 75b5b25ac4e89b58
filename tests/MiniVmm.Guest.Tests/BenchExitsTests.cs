using MiniVmm.Execution;
using MiniVmm.Measurement;

namespace MiniVmm.Guest.Tests;

/// <summary><c>minivmm bench exits</c> measures what it says, and writes it in each of its ways.</summary>
public sealed class BenchExitsTests : IClassFixture<UsableKvm>
{
    private static readonly string[] Few = ["--count", "40", "--rounds", "2", "--warmup", "4"];

    [Fact]
    public async Task Every_kind_is_measured_the_kernel_agrees_and_nothing_is_allocated()
    {
        ExitsReport report = await ExitsReport.MeasureAsync("--count", "500");

        report.AssertMeasured(ExitsReport.Kinds);
        Assert.Equal(500, report["pio-out"].GetProperty("latency").GetProperty("count").GetInt64());
        Assert.Equal(500, report["cpuid"].GetProperty("latency").GetProperty("count").GetInt64());
        Assert.Equal(50, report["kick"].GetProperty("latency").GetProperty("count").GetInt64());
        Assert.Equal(10, report["pio-in"].GetProperty("roundMedians").GetArrayLength());
    }

    [Theory]
    [InlineData("mmio-read")]
    [InlineData("kick", "pio-out")] // in the order that was asked for
    [InlineData("ipi", "hlt-irqfd", "ipi")]
    public async Task Only_the_kinds_that_are_named_are_measured(params string[] kinds)
    {
        ExitsReport report = await ExitsReport.MeasureAsync([.. Few, "--only", string.Join(',', kinds)]);

        report.AssertMeasured(kinds.Distinct());
    }

    [Fact]
    public async Task The_settings_are_as_they_were_given()
    {
        int cpu = OneCpu();
        ExitsReport report = await ExitsReport.MeasureAsync(
            "--count", "21", "--rounds", "3", "--warmup", "0", "--seed-order", "7", "--pin", $"{cpu}",
            "--only", "cpuid");

        Assert.Equal(
            [21, 0, 3, 7],
            new[] { "count", "warmup", "rounds", "seed" }.Select(name => report.Settings.GetProperty(name).GetInt32()));
        Assert.Equal([cpu], report.Settings.GetProperty("pin").EnumerateArray().Select(each => each.GetInt32()));
        Assert.Equal("none", report.Settings.GetProperty("disturbance").GetString());
        Assert.Equal(21, report["cpuid"].GetProperty("turns").GetInt64());
        report.AssertMeasured("cpuid");
    }

    [Fact]
    public async Task Unpinned_every_kind_is_measured_too()
    {
        ExitsReport report = await ExitsReport.MeasureAsync([.. Few, "--pin", "none"]);

        report.AssertMeasured(ExitsReport.Kinds);
        Assert.Equal(0, report.Settings.GetProperty("pin").GetArrayLength());
    }

    [Fact]
    public async Task On_a_host_of_one_CPU_every_kind_comes_to_its_end()
    {
        MinivmmResult run = await MinivmmProcess.RunProgramAsync(
            "taskset", ["--cpu-list", $"{OneCpu()}", Built.MiniVmm, "bench", "exits", "--json", .. Few]);

        new ExitsReport(run.With(ExitStatus.Success).Output).AssertMeasured(ExitsReport.Kinds);
    }

    [Theory]
    [InlineData("gc")]
    [InlineData("neighbour")]
    public async Task What_disturbs_the_measurement_does_not_make_it_wrong(string disturbance)
    {
        ExitsReport report = await ExitsReport.MeasureAsync(
            [.. Few, "--disturb", disturbance, "--only", "pio-out,cpuid"]);

        report.AssertMeasured("pio-out", "cpuid");
        Assert.Equal(disturbance, report.Settings.GetProperty("disturbance").GetString());
    }

    [Fact]
    public async Task The_tables_name_every_kind_and_show_that_the_counts_agree()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(["bench", "exits", .. Few]);

        Assert.Equal("", run.With(ExitStatus.Success).Errors);
        foreach (string kind in ExitsReport.Kinds)
        {
            Assert.Matches($"(?m)^{kind} +(host|guest|partner|call) +[0-9]", run.Output);
            Assert.Matches($@"(?m)^{kind} +[0-9,]+ +KVM_RUN \(fpu_reload\) +([0-9,]+) +\1 +agrees", run.Output);
        }

        Assert.Contains("kind of KVM", run.Output);
        Assert.DoesNotContain("DISAGREES", run.Output);
        Assert.DoesNotContain("█", run.Output);
    }

    [Fact]
    public async Task Histograms_are_drawn_where_they_are_asked_for()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(
            ["bench", "exits", .. Few, "--histogram", "--only", "cpuid,pio-in"]);

        run.With(ExitStatus.Success);
        Assert.Contains("cpuid: CPUID, answered by KVM\n", run.Output);
        Assert.Contains("pio-in: IN, served by MiniVmm\n", run.Output);
        Assert.Contains("█", run.Output);
    }

    [Fact]
    public async Task Comma_separated_values_are_a_row_a_kind_of_as_many_cells_as_the_heading()
    {
        MinivmmResult run = await MinivmmProcess.RunAsync(["bench", "exits", .. Few, "--csv"]);

        Assert.Equal("", run.With(ExitStatus.Success).Errors);
        string[][] rows = [.. run.Output.TrimEnd('\n').Split('\n').Select(line => line.Split(','))];
        Assert.Equal(["name", "clock", "count"], rows[0][..3]);
        Assert.Equal(ExitsReport.Kinds, rows[1..].Select(row => row[0]));
        Assert.All(rows, row => Assert.Equal(rows[0].Length, row.Length));
    }

    [Fact]
    public async Task The_page_is_written_beside_the_tables()
    {
        using TemporaryFolder folder = new();
        string page = folder.Write("exits.html", "an older and longer page"u8);

        MinivmmResult run = await MinivmmProcess.RunAsync(
            ["bench", "exits", .. Few, "--only", "rdmsr", "--html", page]);

        Assert.Contains("rdmsr", run.With(ExitStatus.Success).Output);
        string html = await File.ReadAllTextAsync(page, TestContext.Current.CancellationToken);
        Assert.StartsWith("<!DOCTYPE html>", html);
        Assert.Contains("rdmsr", html);
        Assert.DoesNotContain("older", html);
    }

    [Fact]
    public async Task The_guest_is_written_for_others_to_run_and_nothing_is_measured()
    {
        using TemporaryFolder folder = new();

        MinivmmResult run = await MinivmmProcess.RunAsync("bench", "exits", "--write-guest", folder["guest"]);

        Assert.Equal("", run.With(ExitStatus.Success).Output);
        Assert.Equal(
            new ExitGuest().Image.ToArray(),
            await File.ReadAllBytesAsync(folder["guest"], TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData(MinivmmProcess.SIGINT, "pio-out")]
    [InlineData(MinivmmProcess.SIGINT, "kick,immediate-exit")]
    [InlineData(MinivmmProcess.SIGTERM, "ipi,hlt-irqfd")]
    [InlineData(MinivmmProcess.SIGTERM, "cpuid,ioeventfd-mmio-woken")]
    public async Task A_signal_ends_it_with_130_and_no_word(int signal, string kinds)
    {
        using TemporaryFolder folder = new();
        string page = folder["exits.html"];

        // Without the signal it would run for longer than any test may.
        using MinivmmProcess bench = MinivmmProcess.StartProgram(
            "env", "--default-signal", Built.MiniVmm, "bench", "exits", "--only", kinds, "--html", page,
            "--count", "1800000", "--rounds", "500", "--warmup", "1000000");
        while (!File.Exists(page)) // made just before the measurement
            await Task.Delay(10, TestContext.Current.CancellationToken);
        await Task.Delay(200, TestContext.Current.CancellationToken);

        bench.Signal(signal);

        MinivmmResult run = (await bench.EndAsync(closeInput: false)).With(ExitStatus.Interrupted);
        Assert.Equal("", run.Output);
        Assert.Equal("", run.Errors);
    }

    /// <summary>The last host CPU that this process may use.</summary>
    private static int OneCpu() => PinList.Allowed()[^1];
}
