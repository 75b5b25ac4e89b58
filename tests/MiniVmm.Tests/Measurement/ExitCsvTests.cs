using System.Globalization;
using MiniVmm.Measurement;

namespace MiniVmm.Tests.Measurement;

public sealed class ExitCsvTests
{
    [Fact]
    public void A_row_for_each_measured_kind_follows_the_header()
    {
        string[][] rows = Write(MadeReport.All);

        Assert.Equal(
            [
                "name", "clock", "count", "min", "p50", "p90", "p99", "p99.9", "max", "mean", "kvm_run_p50", "own_p50",
                "guest_p50", "spread", "returns", "returns_by_kernel",
            ],
            rows[0]);
        Assert.Equal(
            MadeReport.All.Where(result => result.Missing is null).Select(result => result.Loop.Name),
            rows.Skip(1).Select(row => row[0]));
        Assert.All(rows, row => Assert.Equal(16, row.Length));
    }

    [Fact]
    public void What_was_not_measured_is_an_empty_cell()
    {
        string[] row = Write([MadeReport.Single])[1];

        Assert.Equal(
            [
                "cpuid", "guest", "1", "1500.0", "1500.0", "1500.0", "1500.0", "1500.0", "1500.0", "1500.0", "", "", "",
                "0.0000", "1", "1",
            ],
            row);
    }

    [Fact]
    public void A_kind_that_the_kernel_did_not_count_has_empty_cells_for_it()
    {
        LoopResult uncounted = MadeReport.Single with { Checks = [new("fpu_reload", 7, null)] };

        Assert.Equal(["7", ""], Write([uncounted])[1][^2..]);
        Assert.Equal(["", ""], Write([MadeReport.Empty])[1][^2..]);
    }

    [Fact]
    public void A_split_kind_has_all_its_cells()
    {
        string[] row = Write([MadeReport.Split])[1];

        Assert.Equal(["44020", "44020"], row[^2..]);
        Assert.Equal(60, double.Parse(row[11], CultureInfo.InvariantCulture));
        Assert.DoesNotContain("", row);
    }

    [Fact]
    public void The_users_culture_makes_no_difference()
    {
        string[][] rows = Write(MadeReport.All);
        using OtherCulture german = new();

        Assert.Equal(rows, Write(MadeReport.All));
    }

    private static string[][] Write(IReadOnlyList<LoopResult> loops)
    {
        using StringWriter writer = new() { NewLine = "\n" };
        ExitCsv.Write(MadeReport.Of(loops), writer);
        string text = writer.ToString();
        Assert.EndsWith("\n", text, StringComparison.Ordinal);
        return [.. text[..^1].Split('\n').Select(line => line.Split(','))];
    }
}
