using System.Globalization;
using MiniVmm.Cli;
using MiniVmm.Measurement;
using Spectre.Console;

namespace MiniVmm.Tools;

/// <summary>A measurement of exits, for people.</summary>
internal static class ExitTables
{
    private const int BarWidth = 48;

    public static int ListLoops()
    {
        Table table = Tables.New("kind", "clock", "what happens");
        foreach (ExitLoop loop in ExitLoop.All)
            table.AddRow(loop.Name, ExitJson.Name(loop.Clock), Markup.Escape(loop.Description));
        Tables.StandardOutput().Write(table);
        return ExitStatus.Success;
    }

    public static void Print(ExitReport report, bool histograms)
    {
        IAnsiConsole console = Tables.StandardOutput();
        console.Write(Stamp(report));
        console.WriteLine();
        console.Write(Latencies(report));
        console.WriteLine();
        if (report.Loops.Any(result => result.Split is not null))
        {
            console.Write(Splits(report));
            console.WriteLine();
        }

        console.Write(Harness(report));
        console.WriteLine();
        console.Write(Counts(report));
        foreach (LoopResult result in report.Loops)
        {
            foreach (string remark in result.Remarks)
                console.WriteLine($"{result.Loop.Name}: {remark}");
        }

        if (!histograms)
            return;
        foreach (LoopResult result in report.Loops.Where(result => result.Latency.Count > 0))
        {
            console.WriteLine();
            console.WriteLine($"{result.Loop.Name}: {result.Loop.Description}");
            console.Write(Histogram(result.Latency));
        }
    }

    private static Table Stamp(ExitReport report)
    {
        Table table = Tables.New("measured on", "").HideHeaders();
        foreach ((string name, string value) in report.Conditions())
            table.AddRow(Markup.Escape(name), Markup.Escape(value));
        return table;
    }

    private static Table Latencies(ExitReport report)
    {
        Table table = Tables.New(
        [
            "latency, µs", "clock", ">count", ">min",
            .. Distribution.Percentiles.Select(percentile => $">{percentile.Name}"), ">max", ">mean", ">spread",
        ]);
        foreach (LoopResult result in report.Loops.Where(result => result.Latency.Count > 0))
        {
            Distribution latency = result.Latency;
            table.AddRow(
            [
                result.Loop.Name,
                ExitJson.Name(result.Loop.Clock),
                Number(latency.Count),
                Microseconds(latency.Min),
                .. Distribution.Percentiles.Select(percentile => Microseconds(latency.Percentile(percentile.Percent))),
                Microseconds(latency.Max),
                Microseconds(latency.Mean),
                Percent(result.Spread),
            ]);
        }

        return table;
    }

    private static Table Splits(ExitReport report)
    {
        Table table = Tables.New(
            "where it goes, p50, ns",
            ">KVM_RUN",
            ">decode",
            ">device",
            ">loop",
            ">MiniVmm's",
            ">share",
            ">guest's clock");
        foreach (LoopResult result in report.Loops)
        {
            if (result.Split is not { } split || result.Latency.Count == 0)
                continue;
            table.AddRow(
                result.Loop.Name,
                Nanoseconds(split.KvmRun.Median),
                Nanoseconds(split.Decode.Median),
                Nanoseconds(split.Serve.Median),
                Nanoseconds(split.Loop.Median),
                Nanoseconds(split.Own.Median),
                Percent(split.Own.Median / result.Latency.Median),
                result.Guest is { } guest ? Nanoseconds(guest.Median) : "");
        }

        return table;
    }

    private static Table Harness(ExitReport report)
    {
        Table table = Tables.New("of which the measuring itself, ns", ">min", ">p50", ">p99");
        Add("host's four readings of one exit, in each row of host", report.HostHarness);
        Add("guest's clock readings, in each row of guest", report.GuestHarness);
        return table;

        void Add(string name, Distribution cost) => table.AddRow(
            name, Nanoseconds(cost.Min), Nanoseconds(cost.Median), Nanoseconds(cost.Percentile(99)));
    }

    private static Table Counts(ExitReport report)
    {
        Table table = Tables.New("counts", ">turns", "kernel's counter", ">expected", ">counted", "");
        foreach (LoopResult result in report.Loops.Where(result => result.Missing is null))
        {
            string name = result.Loop.Name;
            string turns = Number(result.Turns);
            foreach (KernelCheck check in result.Checks)
            {
                string verdict = check.Agrees switch
                {
                    true => "agrees",
                    false => "DISAGREES",
                    null => "not kept by this KVM",
                };
                string counter = check.Counter == KernelCounter.Returns ? "KVM_RUN (fpu_reload)" : check.Counter;
                string counted = check.Counted is { } count ? Number(count) : "";
                table.AddRow(name, turns, counter, Number(check.Expected), counted, verdict);
                name = turns = "";
            }
        }

        return table;
    }

    private static Table Histogram(Distribution distribution)
    {
        Table table = Tables.New(">from, µs", "", ">count");
        IReadOnlyList<(double From, double To, long Count)> buckets = distribution.Buckets(Math.Sqrt(Math.Sqrt(2)));
        long highest = buckets.Max(bucket => bucket.Count);
        bool gap = false;
        foreach ((double from, _, long count) in buckets)
        {
            if (count == 0)
            {
                if (!gap)
                    table.AddRow("", "…", "");
                gap = true;
                continue;
            }

            gap = false;
            int width = (int)Math.Max(1, count * BarWidth / highest);
            table.AddRow(Microseconds(from), new string('█', width), Number(count));
        }

        return table;
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Microseconds(double nanoseconds) =>
        (nanoseconds / 1000).ToString("F2", CultureInfo.InvariantCulture);

    private static string Nanoseconds(double nanoseconds) => nanoseconds.ToString("N0", CultureInfo.InvariantCulture);

    private static string Percent(double share) => share.ToString("P1", CultureInfo.InvariantCulture);
}
