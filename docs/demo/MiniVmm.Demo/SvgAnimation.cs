using System.Globalization;
using System.Security;
using System.Text;

namespace MiniVmm.Demo;

/// <summary>
/// Frames as an SVG that moves by CSS alone, since pages show pictures without their scripts. Each row of the terminal is a window
/// onto a strip with all that it ever shows, one below the other, and the strip moves in steps. Where nothing moves, by a
/// reader's wish or for want of CSS, the frame stays that is shown longest.
/// </summary>
internal sealed class SvgAnimation
{
    public const string Background = "0d1117";
    public const string Foreground = "c9d1d9";

    private const double CellWidth = 7.5;
    private const int CellHeight = 17;
    private const int Baseline = 13;
    private const int Margin = 15;
    private const int TitleBar = 36;

    /// <summary>How long the last frame stands before it all begins again, in seconds.</summary>
    private const double Rest = 3;

    private readonly Cast _cast;
    private readonly IReadOnlyList<Frame> _frames;
    private readonly int _still;
    private readonly StringBuilder _style = new();
    private readonly StringBuilder _body = new();
    private readonly Dictionary<Look, string> _looks = [];

    public SvgAnimation(Cast cast, IReadOnlyList<Frame> frames)
    {
        if (frames.Count == 0)
            throw new FormatException("nothing is shown in it");
        _cast = cast;
        _frames = frames;
        _still = Enumerable.Range(0, frames.Count - 1).DefaultIfEmpty().MaxBy(i => frames.Count > 1 ? frames[i + 1].Time - frames[i].Time : 0);
        for (int row = 0; row < cast.Rows; row++)
            WriteRow(row);
        WriteCursor();
    }

    private double Duration => _frames[^1].Time + Rest;

    public override string ToString()
    {
        double width = (_cast.Columns * CellWidth) + (2 * Margin);
        int height = (_cast.Rows * CellHeight) + TitleBar + Margin;
        StringBuilder looks = new();
        foreach ((Look look, string name) in _looks)
            looks.Append(Invariant($".{name}{{{(look.Foreground is { } colour ? $"fill:#{colour};" : "")}{(look.Bold ? "font-weight:bold" : "")}}}\n"));
        return Invariant($$"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{{width}}" height="{{height}}" viewBox="0 0 {{width}} {{height}}">
            <title>{{SecurityElement.Escape(_cast.Title)}}</title>
            <style>
            text{font:12.5px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono","Liberation Mono",monospace;fill:#{{Foreground}};white-space:pre}
            .m{animation-duration:{{Duration:0.##}}s;animation-timing-function:step-end;animation-iteration-count:infinite}
            {{looks}}{{_style}}@media (prefers-reduced-motion:reduce){ .m{animation:none!important} }
            </style>
            <rect x=".5" y=".5" width="{{width - 1}}" height="{{height - 1}}" rx="9" fill="#{{Background}}" stroke="#30363d"/>
            <circle cx="20" cy="18" r="6" fill="#ff5f57"/><circle cx="40" cy="18" r="6" fill="#febc2e"/><circle cx="60" cy="18" r="6" fill="#28c840"/>
            <text x="{{width / 2}}" y="22" text-anchor="middle" opacity=".6">{{SecurityElement.Escape(_cast.Title)}}</text>
            <svg x="{{Margin}}" y="{{TitleBar}}" width="{{_cast.Columns * CellWidth}}" height="{{_cast.Rows * CellHeight}}" xml:space="preserve">
            {{_body}}</svg>
            </svg>

            """);
    }

    /// <summary>A row's window and strip; nothing for a row that is always blank.</summary>
    private void WriteRow(int row)
    {
        Dictionary<string, int> strip = [];
        StringBuilder pictures = new();
        string[] offsets = [.. _frames.Select(frame => $"0,{-CellHeight * Place(row < frame.Rows.Count ? frame.Rows[row] : [])}")];
        if (pictures.Length == 0)
            return;
        _body.Append(Invariant(
            $"<svg y=\"{row * CellHeight}\" width=\"{_cast.Columns * CellWidth}\" height=\"{CellHeight}\"><g {Moving($"r{row}", offsets)}>{pictures}</g></svg>\n"));

        int Place(IReadOnlyList<Piece> pieces)
        {
            // Drawn at the top first, to see whether the strip has it.
            string picture = Draw(pieces, 0);
            if (!strip.TryGetValue(picture, out int place))
            {
                strip.Add(picture, place = strip.Count);
                pictures.Append(Draw(pieces, place * CellHeight));
            }

            return place;
        }
    }

    private void WriteCursor() => _body.Append(Invariant(
        $"<rect width=\"{CellWidth}\" height=\"{CellHeight}\" fill=\"#{Foreground}\" opacity=\".6\" {Moving("cursor", [.. _frames.Select(Cursor)])}/>\n"));

    /// <summary>Where the cursor is: outside of the picture where it is not shown.</summary>
    private static string Cursor(Frame frame) => frame.CursorColumn < 0
        ? $"0,{-CellHeight}"
        : Invariant($"{frame.CursorColumn * CellWidth},{frame.CursorRow * CellHeight}");

    /// <summary>Attributes of an element that is moved at each frame whose offset differs from the one before.</summary>
    private string Moving(string name, string[] offsets)
    {
        string still = $"transform=\"translate({offsets[_still]})\"";
        if (offsets.All(offset => offset == offsets[0]))
            return still;
        _style.Append(CultureInfo.InvariantCulture, $"#{name}{{animation-name:{name}}}\n@keyframes {name}{{");
        for (int i = 0; i < offsets.Length; i++)
        {
            if (i == 0 || offsets[i] != offsets[i - 1])
            {
                double percent = i == 0 ? 0 : 100 * _frames[i].Time / Duration;
                _style.Append(CultureInfo.InvariantCulture, $"{percent:0.###}%{{transform:translate({Pixels(offsets[i])})}}");
            }
        }

        _style.Append("}\n");
        return $"id=\"{name}\" class=\"m\" {still}";
    }

    /// <summary>What SVG takes as numbers CSS takes as lengths.</summary>
    private static string Pixels(string offset) => $"{offset.Replace(",", "px,", StringComparison.Ordinal)}px";

    private string Draw(IReadOnlyList<Piece> pieces, int top)
    {
        StringBuilder drawn = new();
        foreach (Piece piece in pieces)
        {
            double x = piece.Column * CellWidth;
            int cells = piece.Text.EnumerateRunes().Count();
            if (piece.Look.Background is { } background)
                drawn.Append(Invariant($"<rect x=\"{x}\" y=\"{top}\" width=\"{cells * CellWidth}\" height=\"{CellHeight}\" fill=\"#{background}\"/>"));
            if (!string.IsNullOrWhiteSpace(piece.Text))
            {
                // The length that it must have, whichever of the fonts there is.
                drawn.Append(Invariant(
                    $"<text{Class(piece.Look)} x=\"{x}\" y=\"{top + Baseline}\" textLength=\"{cells * CellWidth}\">{SecurityElement.Escape(piece.Text)}</text>"));
            }
        }

        return drawn.ToString();
    }

    private string Class(Look look)
    {
        look = look with { Background = null };
        if (look == default)
            return "";
        if (!_looks.TryGetValue(look, out string? name))
            _looks.Add(look, name = $"k{_looks.Count}");
        return $" class=\"{name}\"";
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
