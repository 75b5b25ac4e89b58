using System.Globalization;
using System.Text;
using static MiniVmm.Measurement.ExitHtmlMarkup;

namespace MiniVmm.Measurement;

/// <summary>A logarithmic axis: where on it a value lies.</summary>
/// <param name="From">The value at its start, above 0.</param>
/// <param name="To">The value at its end, above <paramref name="From"/>.</param>
/// <param name="Start">Coordinate of the start.</param>
/// <param name="End">Coordinate of the end; less than <paramref name="Start"/> on an axis that points up.</param>
internal readonly record struct LogScale(double From, double To, double Start, double End)
{
    /// <summary>The least distance of an axis' ends, as a factor: there are three ticks or more on any.</summary>
    private const double LeastRange = 4;

    // The ticks of a decade, and the least distance between two of them as a share of it: the first that fits is taken.
    private static readonly (double Distance, double[] Ticks)[] Mantissas =
        [(0.096, [1, 1.5, 2, 3, 4, 5, 7]), (0.301, [1, 2, 5])];

    /// <summary>An axis with some room on both sides of the values that it is for.</summary>
    /// <param name="least">Where it begins at the lowest: a logarithm has no 0.</param>
    public static LogScale Around(double min, double max, double least, double start, double end)
    {
        const double Room = 1.06;
        min = Math.Max(min, least) / Room;
        max = Math.Max(max, min) * Room;
        if (max / min < LeastRange)
        {
            double centre = Math.Sqrt(min * max);
            min = centre / Math.Sqrt(LeastRange);
            max = centre * Math.Sqrt(LeastRange);
        }

        return new(min, max, start, end);
    }

    /// <summary>The coordinate of a value; those beyond an end are at that end.</summary>
    public double Position(double value)
    {
        double share = Math.Log(Math.Clamp(value, From, To) / From) / Math.Log(To / From);
        return Start + (share * (End - Start));
    }

    /// <summary>Round values within the axis, ascending; powers of ten if no more fit.</summary>
    /// <param name="distance">The least that two of them shall lie apart.</param>
    public IEnumerable<double> Ticks(double distance)
    {
        double decade = Math.Abs(End - Start) / Math.Log10(To / From);
        double[] mantissas = Mantissas.FirstOrDefault(choice => choice.Distance * decade >= distance).Ticks ?? [1];
        for (int exponent = (int)Math.Floor(Math.Log10(From)); Math.Pow(10, exponent) <= To; exponent++)
        {
            foreach (double mantissa in mantissas)
            {
                double tick = mantissa * Math.Pow(10, exponent);
                if (tick >= From && tick <= To)
                    yield return tick;
            }
        }
    }
}

/// <summary>
/// A drawing in the markup of SVG 2, to stand inside a page: shapes have classes, and the page's style sheet colours
/// them. It is well-formed XML, and names no namespace, which an HTML parser gives it by itself.
/// </summary>
internal sealed class SvgPlot
{
    private const double LabelWidth = 40;
    private const double LabelHeight = 15;
    private readonly StringBuilder _markup = new();

    /// <param name="kind">Its class.</param>
    /// <param name="title">What it shows, for those who cannot see it.</param>
    public SvgPlot(double width, double height, string kind, string title) => _markup.Append(
        CultureInfo.InvariantCulture,
        $"""
        <svg class="{kind}" viewBox="0 0 {width:0.#} {height:0.#}" role="img" aria-label="{Escape(title)}">

        """);

    /// <summary>A straight line.</summary>
    public void Line(string kind, double x1, double y1, double x2, double y2) => _markup.Append(
        CultureInfo.InvariantCulture,
        $"""
        <line class="{kind}" x1="{x1:0.#}" y1="{y1:0.#}" x2="{x2:0.#}" y2="{y2:0.#}"/>

        """);

    /// <summary>A filled rectangle.</summary>
    public void Bar(string kind, double x, double y, double width, double height) => _markup.Append(
        CultureInfo.InvariantCulture,
        $"""
        <rect class="{kind}" x="{x:0.##}" y="{y:0.##}" width="{width:0.##}" height="{height:0.##}"/>

        """);

    /// <summary>A filled circle.</summary>
    public void Dot(string kind, double x, double y, double radius) => _markup.Append(
        CultureInfo.InvariantCulture,
        $"""
        <circle class="{kind}" cx="{x:0.#}" cy="{y:0.#}" r="{radius:0.#}"/>

        """);

    /// <summary>Text on one line, from, around or up to a point, as its class says.</summary>
    public void Text(string kind, double x, double y, string text) => _markup.Append(
        CultureInfo.InvariantCulture,
        $"""
        <text class="{kind}" x="{x:0.#}" y="{y:0.#}">{Escape(text)}</text>

        """);

    /// <summary>A line through some points.</summary>
    public void Curve(string kind, IEnumerable<(double X, double Y)> points)
    {
        string path = string.Join(
            ' ', points.Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.X:0.#},{p.Y:0.#}")));
        _markup.Append("<polyline class=\"").Append(kind).Append("\" points=\"").Append(path).Append("\"/>\n");
    }

    /// <summary>Begins a group that shows its title under the pointer, and may lead somewhere.</summary>
    public void BeginGroup(string title, string? target = null) => _markup
        .Append(target is null ? "<a>" : $"<a href=\"#{Escape(target)}\">")
        .Append("<title>").Append(Escape(title)).Append("</title>\n");

    public void EndGroup() => _markup.Append("</a>\n");

    /// <summary>Lines and labels for durations along the bottom.</summary>
    /// <param name="top">Where the lines end.</param>
    /// <param name="bottom">Where they begin; the labels are below.</param>
    public void TimesBelow(LogScale scale, double top, double bottom)
    {
        foreach (double tick in scale.Ticks(LabelWidth))
        {
            double x = scale.Position(tick);
            Line("grid", x, top, x, bottom);
            Text("tick middle", x, bottom + 14, Duration(tick));
        }
    }

    /// <summary>Lines and labels along the left side.</summary>
    /// <param name="left">Where the lines begin; the labels are left of it.</param>
    /// <param name="right">Where they end.</param>
    /// <param name="label">Writes a tick's value.</param>
    public void LabelsLeft(LogScale scale, double left, double right, Func<double, string> label)
    {
        foreach (double tick in scale.Ticks(LabelHeight))
        {
            double y = scale.Position(tick);
            Line("grid", left, y, right, y);
            Text("tick end", left - 6, y + 4, label(tick));
        }
    }

    /// <summary>The whole element.</summary>
    public override string ToString() => $"{_markup}</svg>";
}
