using System.Globalization;
using System.Text;
using System.Xml.Linq;
using MiniVmm.Measurement;

namespace MiniVmm.Tests.Measurement;

public sealed class ExitHtmlTests
{
    private static readonly string Text = Write(MadeReport.Of(MadeReport.All));
    private static readonly XDocument Page = XDocument.Parse(Text);

    [Fact]
    public void Every_kind_has_a_section_a_row_and_a_place_in_the_overview()
    {
        XElement overview = Svg("Latency of every kind of exit, on one axis");
        foreach (LoopResult result in MadeReport.All)
        {
            XElement section = Section(result);
            Assert.Equal(result.Loop.Name, section.Element("h3")!.Value);
            Assert.Equal(result.Latency.Count > 0 ? 2 : 0, section.Descendants("svg").Count());
            Assert.Single(overview.Descendants("text"), text => text.Value == result.Loop.Name);
            Assert.Contains(Rows("Percentiles"), row => row[0] == result.Loop.Name);
        }
    }

    [Fact]
    public void Nothing_is_fetched_and_nothing_runs()
    {
        Assert.DoesNotContain("http", Text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("url(", Text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("@import", Text, StringComparison.OrdinalIgnoreCase);
        string[] fetching = ["script", "link", "img", "image", "iframe", "object", "embed", "use"];
        Assert.DoesNotContain(Page.Descendants(), element => fetching.Contains(element.Name.LocalName));
        Assert.DoesNotContain(
            Page.Descendants().Attributes(),
            attribute => attribute.Name == "src"
                || attribute.Name.LocalName.StartsWith("on", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_link_leads_somewhere_on_the_page_and_every_name_is_there_once()
    {
        string[] names = [.. Page.Descendants().Attributes("id").Select(id => id.Value)];
        Assert.Equal(names.Distinct(), names);
        string[] links = [.. Page.Descendants().Attributes("href").Select(link => link.Value)];
        Assert.NotEmpty(links);
        Assert.All(links, link => Assert.Contains(link, names.Select(name => $"#{name}")));
    }

    [Fact]
    public void Text_comes_through_as_it_is_but_for_characters_that_no_page_may_have()
    {
        string shown = MadeReport.Hostile.Replace('\u0001', '\ufffd').Replace('\ud800', '\ufffd');

        Assert.Contains(Section(MadeReport.Doubtful).Descendants("li"), remark => remark.Value == shown);
        Assert.Contains(
            Section(MadeReport.Missing).Descendants("li"), remark => remark.Value == "not measured: " + shown);
        Assert.Contains(shown, Section(MadeReport.Extreme).Value, StringComparison.Ordinal);
    }

    [Fact]
    public void All_that_is_drawn_is_inside_its_frame()
    {
        foreach (XElement svg in Page.Descendants("svg"))
        {
            double[] frame = Numbers(svg.Attribute("viewBox")!.Value);
            Assert.All(Coordinates(svg, "x", "x1", "x2", "cx"), x => Assert.InRange(x, 0, frame[2]));
            Assert.All(Coordinates(svg, "y", "y1", "y2", "cy"), y => Assert.InRange(y, 0, frame[3]));
            Assert.All(Coordinates(svg, "width"), width => Assert.InRange(width, 0, frame[2]));
            Assert.All(Coordinates(svg, "height"), height => Assert.InRange(height, 0, frame[3]));
            foreach (XAttribute points in svg.Descendants().Attributes("points"))
            {
                Assert.All(
                    points.Value.Split(' ').Select(Numbers),
                    point => Assert.True(point is [>= 0, >= 0] && point[0] <= frame[2] && point[1] <= frame[3]));
            }
        }
    }

    [Fact]
    public void No_number_is_without_a_value() => Assert.All(
        ["NaN", "Infinity", "∞"],
        word => Assert.DoesNotContain(word, Text, StringComparison.Ordinal));

    [Fact]
    public void The_users_culture_makes_no_difference()
    {
        using OtherCulture german = new();

        Assert.Equal("0,5", $"{0.5}");
        Assert.Equal(Text, Write(MadeReport.Of(MadeReport.All)));
    }

    [Fact]
    public void Durations_are_given_in_microseconds_in_the_table()
    {
        string[] row = Rows("Percentiles").Single(row => row[0] == "cpuid");

        Assert.Equal(["cpuid", "guest", "1", "1.50", "1.50", "1.50", "1.50", "1.50", "1.50", "1.50", "0.0 %"], row);
        Assert.Equal("not measured", Rows("Percentiles").Single(row => row[0] == "ipi")[2]);
    }

    [Fact]
    public void The_overview_puts_the_longer_median_further_right()
    {
        XElement overview = Svg("Latency of every kind of exit, on one axis");
        Dictionary<string, double> medians = overview.Elements("a").ToDictionary(
            row => row.Element("text")!.Value,
            row => Coordinates(row, "cx").Single());

        Assert.True(medians["pio-out"] < medians["hlt-irqfd"]);
        Assert.True(medians["cpuid"] < medians["pio-out"]);
        Assert.DoesNotContain("ipi", medians);
    }

    [Fact]
    public void Each_histogram_shows_every_sample()
    {
        foreach (LoopResult result in MadeReport.All.Where(result => result.Latency.Count > 0))
        {
            IEnumerable<string> bars = Svg($"Histogram of {result.Loop.Name}").Descendants("title")
                .Select(title => title.Value);
            Assert.Equal(
                result.Latency.Count,
                bars.Sum(bar => long.Parse(
                    bar.Split(": ")[1], NumberStyles.AllowThousands, CultureInfo.InvariantCulture)));
        }
    }

    [Fact]
    public void The_curve_ends_at_the_longest_sample()
    {
        XElement svg = Svg("Percentiles of pio-out");
        double[][] points = [.. svg.Element("polyline")!.Attribute("points")!.Value.Split(' ').Select(Numbers)];

        Assert.Equal(points.OrderBy(point => point[0]).ThenByDescending(point => point[1]), points);
        Assert.Contains("99.9 %", svg.Elements("text").Select(text => text.Value));
        Assert.DoesNotContain("99.99 %", svg.Elements("text").Select(text => text.Value));
    }

    [Fact]
    public void The_bar_of_a_turn_is_shared_out_as_its_time_is()
    {
        XElement[] bars = [.. Svg("where a turn's time goes").Elements("rect")];

        Assert.Equal(
            ["bar kernel", "bar decode", "bar serve", "bar loop"], bars.Select(bar => bar.Attribute("class")!.Value));
        double[] widths = [.. Coordinates(Svg("where a turn's time goes"), "width")];
        Assert.Equal(200, widths.Sum(), 0.1);
        ExitSplit split = MadeReport.Split.Split!;
        Assert.Equal(split.Serve.Median / split.KvmRun.Median, widths[2] / widths[0], 0.001);
    }

    [Fact]
    public void What_the_kernel_counted_is_compared()
    {
        Assert.Contains(
            Rows("The kernel's counts"),
            row => row is ["hlt-irqfd", "2,200", "KVM_RUN (fpu_reload)", "2,210", "2,209", "disagrees", "1,234"]);
        Assert.Contains(
            Rows("The kernel's counts"),
            row => row is ["pio-out", "44,000", "io_exits", "44,020", "–", "not kept by this KVM", "0"]);
    }

    [Theory]
    [InlineData(0.75, "runs on the processor (0.75 ns an instruction)")]
    [InlineData(830, "is emulated (830.00 ns an instruction)")]
    public void The_kind_of_KVM_is_said_in_words(double instruction, string words) => Assert.Contains(
        words,
        Body(MadeReport.Of(MadeReport.Single) with { GuestInstruction = instruction }),
        StringComparison.Ordinal);

    [Theory]
    [InlineData(new int[0], "none: threads move")]
    [InlineData(new[] { 3 }, "vCPU on host CPU 3, its partner anywhere")]
    [InlineData(new[] { 3, 2 }, "vCPU on host CPU 3, its partner on 2")]
    public void Pinning_is_said_in_words(int[] pin, string words)
    {
        ExitReport report = MadeReport.Of(MadeReport.Single);

        string body = Body(report with { Settings = report.Settings with { Pin = pin } });

        Assert.Contains(words, body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Disturbance.None, false)]
    [InlineData(Disturbance.Gc, true)]
    [InlineData(Disturbance.Neighbour, true)]
    public void A_disturbed_measurement_says_so(Disturbance disturbance, bool says)
    {
        ExitReport report = MadeReport.Of(MadeReport.Single);
        string body = Body(report with { Settings = report.Settings with { Disturbance = disturbance } });

        Assert.Equal(says, body.Contains("disturbed on purpose", StringComparison.Ordinal));
    }

    [Fact]
    public void That_the_kernel_counted_nothing_is_said() => Assert.Contains(
        "are not there to check against: <none>",
        Body(MadeReport.Of(MadeReport.Single) with { NoStatistics = "<none>" }),
        StringComparison.Ordinal);

    [Fact]
    public void A_measurement_without_any_samples_is_a_page_too()
    {
        Assert.Contains("not measured", Body(MadeReport.Of(MadeReport.Missing)), StringComparison.Ordinal);
        Assert.Contains("At a glance", Body(MadeReport.Of()), StringComparison.Ordinal);
    }

    [Fact]
    public void The_stream_stays_open_and_has_no_byte_order_mark()
    {
        using MemoryStream stream = new();
        ExitHtml.Write(MadeReport.Of(MadeReport.Single), stream);

        Assert.True(stream.CanWrite);
        string page = Encoding.Latin1.GetString(stream.ToArray());
        Assert.StartsWith("<!DOCTYPE html>\n<html", page, StringComparison.Ordinal);
    }

    private static string Write(ExitReport report)
    {
        using MemoryStream stream = new();
        ExitHtml.Write(report, stream);
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private static string Body(ExitReport report) => XDocument.Parse(Write(report)).Root!.Element("body")!.Value;

    private static XElement Section(LoopResult result) => Page.Descendants("section")
        .Single(section => section.Attribute("id")!.Value == ExitHtml.Anchor(result));

    private static XElement Svg(string title) =>
        Page.Descendants("svg").First(svg => svg.Attribute("aria-label")!.Value == title);

    private static IEnumerable<string[]> Rows(string heading) => Page.Descendants("h2")
        .Single(h2 => h2.Value == heading)
        .ElementsAfterSelf("div").First()
        .Descendants("tbody").Single()
        .Elements("tr")
        .Select(row => row.Elements("td").Select(cell => cell.Value).ToArray());

    private static IEnumerable<double> Coordinates(XElement svg, params string[] names) =>
        svg.Descendants().Attributes()
            .Where(attribute => names.Contains(attribute.Name.LocalName))
            .Select(attribute => Numbers(attribute.Value).Single());

    private static double[] Numbers(string text) =>
        [.. text.Split(' ', ',').Select(word => double.Parse(word, NumberStyles.Float, CultureInfo.InvariantCulture))];
}
