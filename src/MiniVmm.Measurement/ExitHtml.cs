using System.Globalization;
using System.Text;
using static MiniVmm.Measurement.ExitHtmlMarkup;

namespace MiniVmm.Measurement;

/// <summary>
/// A measurement as one page with everything in it: no script, and nothing that would be fetched. The markup is
/// well-formed XML too, so that it can be read by programs.
/// </summary>
public static class ExitHtml
{
    private const string NotKnown = "–";

    public static void Write(ExitReport report, Stream stream)
    {
        ArgumentNullException.ThrowIfNull(report);
        using StreamWriter page = new(stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
        string taken = report.Environment.TakenAt.UtcDateTime.ToString(
            "yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture);
        string processor = report.Environment.Processor.ModelName ?? "an unknown processor";
        string title = $"Latency of vCPU exits: {processor}, {taken}";
        page.Write(
            $"""
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <title>{Escape(title)}</title>
            <style>
            {ExitHtmlStyle.Sheet}
            </style>
            </head>
            <body>
            <h1>Latency of vCPU exits</h1>
            <p class="faint">Measured by <code>minivmm bench exits</code> on {Escape(processor)}, {taken}.</p>

            """);
        Stamp(page, report);
        Kind(page, report);
        Remarks(page, report);
        Overview(page, report);
        Latencies(page, report);
        Splits(page, report);
        Harness(page, report);
        Counts(page, report);
        page.WriteLine(
            """
            <h2>Each kind</h2>
            <p class="faint">Left, how many samples were how long, on two logarithmic axes: a single sample shows.
            Right, how long the given share of the samples is at most; each step to the right is a tail ten times as rare.</p>
            """);
        foreach (LoopResult result in report.Loops)
            Each(page, report, result);
        page.WriteLine("</body>\n</html>");
    }

    /// <summary>Where on the page a kind is told of.</summary>
    internal static string Anchor(LoopResult result) => $"kind-{result.Loop.Name}";

    private static void Stamp(StreamWriter page, ExitReport report)
    {
        page.WriteLine("<div class=\"facts\">");
        page.WriteLine(Table(
            ["measured on", ""],
            report.Conditions().Select(row => (string[])[Escape(row.Name), Escape(row.Value)])));
        page.WriteLine("</div>");
    }

    /// <summary>What changes the meaning of every figure, before the first of them.</summary>
    private static void Kind(StreamWriter page, ExitReport report)
    {
        if (report is { RunsOnHardware: false, GuestInstruction: not null })
        {
            page.WriteLine("<p><strong>The guest's supervisor code is emulated by this KVM</strong>: times that the guest's "
                + "clock took are the emulator's, and not those of an exit on the processor.</p>");
        }

        if (report.Settings.Disturbance != Disturbance.None)
            page.WriteLine("<p><strong>The measurement was disturbed on purpose.</strong></p>");
    }

    private static void Remarks(StreamWriter page, ExitReport report)
    {
        List<string> remarks = [];
        if (report.NoStatistics is { } why)
            remarks.Add($"The kernel's own counts are not there to check against: {Escape(why)}");
        foreach (LoopResult result in report.Loops)
            remarks.AddRange(result.Remarks.Select(remark => $"{Link(result)}: {Escape(remark)}"));
        if (remarks.Count > 0)
            RemarkList(page, remarks);
    }

    private static void RemarkList(StreamWriter page, IEnumerable<string> remarks)
    {
        page.WriteLine("<div class=\"remarks\"><ul>");
        foreach (string remark in remarks)
            page.WriteLine($"<li>{remark}</li>");
        page.WriteLine("</ul></div>");
    }

    private static void Overview(StreamWriter page, ExitReport report) => page.WriteLine(
        $"""
        <h2>At a glance</h2>
        <figure class="scroll">
        {ExitHtmlPlots.Overview(report.Loops)}
        <figcaption>Every kind on one logarithmic axis. A line goes from the shortest sample to the longest; the dot is
        the median, and the bar narrows at p90, p99 and p99.9.</figcaption>
        </figure>
        <dl>
        <dt>host</dt><dd>MiniVmm reads the clock from one entry into KVM_RUN to the next: every turn leaves to user
        space.</dd>
        <dt>guest</dt><dd>The guest reads the clock before and after: the exit is served inside the kernel.</dd>
        <dt>partner</dt><dd>A thread beside the vCPU's reads it, from just before what it does to the vCPU's return from
        KVM_RUN.</dd>
        <dt>call</dt><dd>MiniVmm reads it around KVM_RUN calls that never enter the guest.</dd>
        </dl>
        """);

    private static void Latencies(StreamWriter page, ExitReport report)
    {
        page.WriteLine(
            """
            <h2>Percentiles</h2>
            <p class="faint">In µs. A percentile is the smallest sample that the given share of all does not exceed.
            The spread is the distance between the quartiles of the rounds' medians, as a share of their median.</p>
            """);
        page.WriteLine(Table(
            [
                "kind", "clock", ">samples", ">min",
                .. Distribution.Percentiles.Select(percentile => $">{percentile.Name}"), ">max", ">mean", ">spread",
            ],
            report.Loops.Select(Row)));

        static string[] Row(LoopResult result)
        {
            Distribution latency = result.Latency;
            double[] values =
            [
                latency.Min, .. Distribution.Percentiles.Select(percentile => latency.Percentile(percentile.Percent)),
                latency.Max, latency.Mean,
            ];
            bool empty = latency.Count == 0;
            return
            [
                Link(result),
                ExitHtmlPlots.Clock(result),
                result.Missing is null ? Number(latency.Count) : "not measured",
                .. values.Select(value => empty ? NotKnown : Microseconds(value)),
                empty ? NotKnown : Percent(result.Spread),
            ];
        }
    }

    private static void Splits(StreamWriter page, ExitReport report)
    {
        (LoopResult Result, ExitSplit Split)[] splits =
        [
            .. from result in report.Loops
               where result.Split is not null && result.Latency.Count > 0
               select (result, result.Split!),
        ];
        if (splits.Length == 0)
            return;
        double longest = splits.Max(row => ExitHtmlPlots.Own(row.Split));
        page.WriteLine(
            $"""
            <h2>Where the time goes</h2>
            <p class="faint">Medians, in ns, of the stations of a turn that leaves to user space. MiniVmm's share is
            that of the decoder, the device and the way back to KVM_RUN together, against the median of the turn.
            The first bar is the whole turn; the second, {Duration(longest)} at full length, is MiniVmm's alone.</p>
            <p class="faint"><span class="key kernel"></span>KVM_RUN <span class="key decode"></span>decode
            <span class="key serve"></span>device <span class="key loop"></span>loop</p>
            """);
        page.WriteLine(Table(
            [
                "kind", ">KVM_RUN", ">decode", ">device", ">loop", ">MiniVmm's", ">share", "the turn",
                "MiniVmm's, to scale", ">guest's clock",
            ],
            splits.Select(row => (string[])
            [
                Link(row.Result),
                Nanoseconds(row.Split.KvmRun.Median),
                Nanoseconds(row.Split.Decode.Median),
                Nanoseconds(row.Split.Serve.Median),
                Nanoseconds(row.Split.Loop.Median),
                Nanoseconds(row.Split.Own.Median),
                row.Result.Latency.Median > 0 ? Percent(row.Split.Own.Median / row.Result.Latency.Median) : NotKnown,
                ExitHtmlPlots.SplitBar(row.Split),
                ExitHtmlPlots.OwnBar(row.Split, longest),
                row.Result.Guest is { Count: > 0 } guest ? Nanoseconds(guest.Median) : NotKnown,
            ])));
    }

    private static void Harness(StreamWriter page, ExitReport report)
    {
        page.WriteLine(
            """
            <h2>What the measuring itself costs</h2>
            <p class="faint">In ns, and included in the figures above. The guest's column of the table before has the
            guest's own readings in it.</p>
            """);
        page.WriteLine(Table(
            ["clock readings", ">samples", ">min", ">p50", ">p99"],
            [
                Row("the host's, in each row of host and partner", report.HostHarness),
                Row("the guest's, in each row of guest", report.GuestHarness),
            ]));

        static string[] Row(string name, Distribution cost) =>
        [
            name,
            Number(cost.Count),
            .. ((double[])[cost.Min, cost.Median, cost.Percentile(99)]).Select(
                value => cost.Count == 0 ? NotKnown : Nanoseconds(value)),
        ];
    }

    private static void Counts(StreamWriter page, ExitReport report)
    {
        page.WriteLine(
            """
            <h2>The kernel's counts</h2>
            <p class="faint">How far KVM's own statistics of the vCPU moved, beside the loop's count: what was measured
            is what it is called.</p>
            """);
        page.WriteLine(Table(
            ["kind", ">turns", "kernel's counter", ">expected", ">counted", "verdict", ">bytes allocated"],
            from result in report.Loops
            from check in result.Checks
            select (string[])
            [
                Link(result),
                Number(result.Turns),
                check.Counter == KernelCounter.Returns ? "KVM_RUN (fpu_reload)" : Escape(check.Counter),
                Number(check.Expected),
                check.Counted is { } counted ? Number(counted) : NotKnown,
                check.Agrees switch
                {
                    true => "agrees",
                    false => "<span class=\"disagrees\">disagrees</span>",
                    null => "not kept by this KVM",
                },
                Number(result.AllocatedBytes),
            ]));
    }

    private static void Each(StreamWriter page, ExitReport report, LoopResult result)
    {
        ExitLoop loop = result.Loop;
        page.WriteLine(
            $"""
            <section class="kind" id="{Escape(Anchor(result))}">
            <h3>{Escape(loop.Name)}</h3>
            <p class="faint">{Escape(loop.Description)}; clock: {ExitHtmlPlots.Clock(result)}.</p>
            """);
        if (result.Remarks.Count > 0)
            RemarkList(page, result.Remarks.Select(Escape));
        if (result.Latency.Count > 0)
        {
            page.WriteLine(
                $"""
                <div class="pair">
                <figure>{ExitHtmlPlots.Histogram(result, 1e9 / report.TscHertz)}</figure>
                <figure>{ExitHtmlPlots.PercentileCurve(result)}</figure>
                </div>
                """);
            if (result.RoundMedians.Count > 1)
            {
                string medians = string.Join(", ", result.RoundMedians.Select(Microseconds));
                page.WriteLine($"<p class=\"faint\">Medians of the rounds, in µs: {medians}.</p>");
            }
        }
        else
        {
            page.WriteLine(result.Missing is null ? "<p>There are no samples.</p>" : "<p>Not measured.</p>");
        }

        page.WriteLine("</section>");
    }

    private static string Link(LoopResult result) =>
        $"<a href=\"#{Escape(Anchor(result))}\">{Escape(result.Loop.Name)}</a>";
}
