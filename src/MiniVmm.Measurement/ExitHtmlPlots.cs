using System.Globalization;
using static MiniVmm.Measurement.ExitHtmlMarkup;

namespace MiniVmm.Measurement;

/// <summary>The plots of a page about exits. Time is on logarithmic axes: a tail is many times the median.</summary>
internal static class ExitHtmlPlots
{
    /// <summary>Where axes begin at the lowest, in nanoseconds; nothing that is measured here is shorter.</summary>
    private const double ShortestTime = 1;

    // The frames of the two plots of one kind.
    private const double Width = 520;
    private const double Height = 270;
    private const double Left = 62;
    private const double Right = Width - 14;
    private const double Bottom = Height - 40;

    /// <summary>All kinds on one axis: a row each, from the shortest to the longest, with the percentiles.</summary>
    public static string Overview(IReadOnlyList<LoopResult> results)
    {
        const double Start = 184;
        const double End = 996;
        const double FullWidth = 1080;
        const double RowHeight = 24;
        const double Top = 64;
        LoopResult[] measured = [.. results.Where(result => result.Latency.Count > 0)];
        LogScale scale = measured.Length == 0
            ? new(1000, 10_000, Start, End)
            : LogScale.Around(
                measured.Min(result => result.Latency.Min),
                measured.Max(result => result.Latency.Max),
                ShortestTime,
                Start,
                End);
        double bottom = Top + (results.Count * RowHeight);
        SvgPlot plot = new(FullWidth, bottom + 40, "plot overview", "Latency of every kind of exit, on one axis");
        Legend(plot, Start);
        plot.Text("tick", End + 14, Top - 6, "p50");
        plot.TimesBelow(scale, Top, bottom);
        plot.Text("label middle", (Start + End) / 2, bottom + 32, "latency");
        for (int i = 0; i < results.Count; i++)
            OverviewRow(plot, scale, results[i], Top + ((i + 0.5) * RowHeight), Start - 10, End + 14);
        return plot.ToString();
    }

    /// <summary>Where the time of a turn goes: the whole bar is the sum of the medians.</summary>
    public static string SplitBar(ExitSplit split) => Stack(
        "where a turn's time goes",
        split.KvmRun.Median + split.Decode.Median + split.Serve.Median + split.Loop.Median,
        ("kernel", split.KvmRun.Median), ("decode", split.Decode.Median),
        ("serve", split.Serve.Median), ("loop", split.Loop.Median));

    /// <summary>MiniVmm's share alone, large enough to see.</summary>
    /// <param name="whole">What the whole bar would be, in nanoseconds: the same in all that are compared.</param>
    public static string OwnBar(ExitSplit split, double whole) => Stack(
        "MiniVmm's share",
        whole,
        ("decode", split.Decode.Median), ("serve", split.Serve.Median), ("loop", split.Loop.Median));

    /// <summary>MiniVmm's part of a turn, by stations: the length of <see cref="OwnBar"/>.</summary>
    public static double Own(ExitSplit split) => split.Decode.Median + split.Serve.Median + split.Loop.Median;

    /// <summary>How many samples were how long.</summary>
    /// <param name="tick">What the clock can tell apart, in nanoseconds.</param>
    public static string Histogram(LoopResult result, double tick)
    {
        Distribution latency = result.Latency;
        IReadOnlyList<(double From, double To, long Count)> buckets = latency.Buckets(BucketFactor(latency, tick));
        LogScale times = Times(latency, Left, Right);
        List<(double X, string Name, int Level)> marks = Stagger(latency, times);
        double top = 10 + (13 * (marks.Max(mark => mark.Level) + 1));
        // A bar of one sample must be seen: the axis begins below one.
        LogScale counts = new(0.6, 1.2 * Math.Max(10, buckets.Max(bucket => bucket.Count)), Bottom, top);
        SvgPlot plot = new(Width, Height, "plot", $"Histogram of {result.Loop.Name}");
        plot.TimesBelow(times, top, Bottom);
        plot.LabelsLeft(counts, Left, Right, count => Number((long)Math.Round(count)));
        foreach ((double from, double to, long count) in buckets.Where(bucket => bucket.Count > 0))
        {
            double x = times.Position(from);
            double y = counts.Position(count);
            plot.BeginGroup($"{Duration(from)} to {Duration(to)}: {Number(count)}");
            plot.Bar($"bar {Clock(result)}", x, y, Math.Max(1, times.Position(to) - x - 0.3), Bottom - y);
            plot.EndGroup();
        }

        plot.Line("axis", Left, Bottom, Right, Bottom);
        foreach ((double x, string name, int level) in marks)
        {
            double y = top - 4 - (13 * level);
            plot.Line("mark", x, y + 2, x, Bottom);
            plot.Text("tick middle", x, y, name);
        }

        plot.Text("label middle", (Left + Right) / 2, Height - 8, "latency");
        plot.Text("label", 4, 10, "samples");
        return plot.ToString();
    }

    /// <summary>Latency against the share of samples no longer than it: the tail has as much room as the bulk.</summary>
    public static string PercentileCurve(LoopResult result)
    {
        const double Top = 23;
        const double StepsPerDecade = 24;
        Distribution latency = result.Latency;
        double most = Math.Max(10, latency.Count);
        LogScale shares = new(1, most, Left, Right);
        LogScale times = Times(latency, Bottom, Top);
        SvgPlot plot = new(Width, Height, "plot", $"Percentiles of {result.Loop.Name}");
        plot.LabelsLeft(times, Left, Right, Duration);
        foreach (double odds in shares.Ticks(double.MaxValue).Append(2))
        {
            double x = shares.Position(odds);
            plot.Line("grid", x, Top, x, Bottom);
            plot.Text("tick middle", x, Bottom + 14, Share(odds));
        }

        plot.Line("axis", Left, Bottom, Right, Bottom);
        List<(double X, double Y)> points = [];
        int steps = (int)(Math.Log10(latency.Count) * StepsPerDecade);
        for (int i = 0; i <= steps; i++)
        {
            double odds = Math.Pow(10, i / StepsPerDecade);
            points.Add((shares.Position(odds), times.Position(latency.Percentile(100 * (1 - (1 / odds))))));
        }

        points.Add((shares.Position(latency.Count), times.Position(latency.Max)));
        plot.Curve($"curve {Clock(result)}", points);
        foreach ((string name, double percent) in Distribution.Percentiles)
        {
            double odds = 100 / (100 - percent);
            if (odds > latency.Count)
                continue;
            double value = latency.Percentile(percent);
            plot.BeginGroup($"{name}: {Duration(value)}");
            plot.Dot($"dot {Clock(result)}", shares.Position(odds), times.Position(value), 3.5);
            plot.EndGroup();
        }

        plot.Text("label middle", (Left + Right) / 2, Height - 8, "share of the samples that are no longer");
        plot.Text("label", 4, 10, "latency");
        return plot.ToString();
    }

    /// <summary>The class that colours a kind by who measured it.</summary>
    public static string Clock(LoopResult result) => ExitJson.Name(result.Loop.Clock);

    private static void OverviewRow(
        SvgPlot plot, LogScale scale, LoopResult result, double y, double labelEnd, double textStart)
    {
        Distribution latency = result.Latency;
        string clock = Clock(result);
        if (latency.Count == 0)
        {
            plot.Text("name end missing", labelEnd, y + 4, result.Loop.Name);
            plot.Text("tick", scale.Start + 6, y + 4, result.Missing is null ? "no samples" : "not measured");
            return;
        }

        double[] marks = [.. Distribution.Percentiles.Select(p => scale.Position(latency.Percentile(p.Percent)))];
        string values = string.Join(
            ", ", Distribution.Percentiles.Select(p => $"{p.Name} {Duration(latency.Percentile(p.Percent))}"));
        plot.BeginGroup(
            $"{result.Loop.Name}: min {Duration(latency.Min)}, {values}, max {Duration(latency.Max)}",
            ExitHtml.Anchor(result));
        plot.Text("name end", labelEnd, y + 4, result.Loop.Name);
        Glyph(plot, clock, scale.Position(latency.Min), marks, scale.Position(latency.Max), y);
        plot.Text("name", textStart, y + 4, Duration(latency.Median));
        plot.EndGroup();
    }

    private static void Glyph(SvgPlot plot, string clock, double min, double[] marks, double max, double y)
    {
        plot.Line($"whisker {clock}", min, y, max, y);
        plot.Line($"whisker {clock}", min, y - 4, min, y + 4);
        plot.Line($"whisker {clock}", max, y - 4, max, y + 4);
        double height = 12;
        for (int i = 1; i < marks.Length; i++, height = Math.Max(2, height - 4))
            plot.Bar($"bar {clock}", marks[i - 1], y - (height / 2), Math.Max(1, marks[i] - marks[i - 1]), height);
        plot.Dot($"dot {clock}", marks[0], y, 5);
    }

    private static void Legend(SvgPlot plot, double x)
    {
        (string Name, double At)[] marks =
            [("min", 0), .. Distribution.Percentiles.Select((p, i) => (p.Name, 50.0 + (48 * i))), ("max", 260)];
        Glyph(plot, "call", x, [.. marks[1..^1].Select(mark => x + mark.At)], x + marks[^1].At, 26);
        foreach ((string name, double at) in marks)
            plot.Text("tick middle", x + at, 12, name);
        double key = x + 420;
        plot.Text("tick end", key - 14, 30, "clock:");
        foreach (LoopClock clock in Enum.GetValues<LoopClock>())
        {
            string name = ExitJson.Name(clock);
            plot.Bar($"bar {name}", key, 20, 12, 12);
            plot.Text("tick", key + 17, 30, name);
            key += 90;
        }
    }

    private static string Stack(string title, double whole, params ReadOnlySpan<(string Kind, double Time)> parts)
    {
        const double FullWidth = 200;
        SvgPlot plot = new(FullWidth, 12, "stack", title);
        double x = 0;
        foreach ((string kind, double time) in parts)
        {
            double width = whole > 0 ? FullWidth * time / whole : 0;
            plot.Bar($"bar {kind}", x, 0, width, 12);
            x += width;
        }

        return plot.ToString();
    }

    private static LogScale Times(Distribution latency, double start, double end) =>
        LogScale.Around(latency.Min, latency.Max, ShortestTime, start, end);

    /// <summary>Bars of a few percent, no more than the plot can show, and none without a tick in it.</summary>
    private static double BucketFactor(Distribution latency, double tick)
    {
        const double Most = 180;
        double shortest = Math.Max(latency.Min, ShortestTime);
        double byRange = Math.Pow(Math.Max(latency.Max / shortest, 1), 1 / Most);
        return Math.Max(Math.Max(1.03, byRange), 1 + (2 * tick / shortest));
    }

    /// <summary>The percentiles' marks; of labels that would overlap, each on a level of its own.</summary>
    private static List<(double X, string Name, int Level)> Stagger(Distribution latency, LogScale times)
    {
        const double LabelWidth = 34;
        List<(double X, string Name, int Level)> marks = [];
        foreach ((string name, double percent) in Distribution.Percentiles)
        {
            double x = times.Position(latency.Percentile(percent));
            int level = 0;
            while (marks.Any(mark => mark.Level == level && Math.Abs(mark.X - x) < LabelWidth))
                level++;
            marks.Add((x, name, level));
        }

        return marks;
    }

    private static string Share(double odds) =>
        (100 * (1 - (1 / odds))).ToString("0.##########", CultureInfo.InvariantCulture) + " %";
}
