using System.Globalization;
using System.Text;

namespace MiniVmm.Measurement;

/// <summary>Text and numbers as a page shows them: escaped, in the invariant culture, with their units.</summary>
internal static class ExitHtmlMarkup
{
    /// <summary>
    /// Text as XML and HTML both take it, in elements and in quoted attributes. What XML 1.0 does not allow (section
    /// 2.2) is U+FFFD.
    /// </summary>
    public static string Escape(string text)
    {
        StringBuilder escaped = new(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            escaped.Append(rune.Value switch
            {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\t' or '\n' or '\r' => " ",
                < ' ' or (>= 0x7f and <= 0x9f) or 0xfffe or 0xffff => "\ufffd",
                _ => rune.ToString(),
            });
        }

        return escaped.ToString();
    }

    /// <summary>A duration to three digits, with the unit that suits it.</summary>
    public static string Duration(double nanoseconds)
    {
        (double value, string unit) = nanoseconds switch
        {
            < 999.5 => (nanoseconds, "ns"),
            < 999.5e3 => (nanoseconds / 1e3, "µs"),
            < 999.5e6 => (nanoseconds / 1e6, "ms"),
            _ => (nanoseconds / 1e9, "s"),
        };
        string format = value switch { < 9.995 => "0.##", < 99.95 => "0.#", _ => "0" };
        return $"{value.ToString(format, CultureInfo.InvariantCulture)} {unit}";
    }

    public static string Microseconds(double nanoseconds) =>
        (nanoseconds / 1000).ToString("N2", CultureInfo.InvariantCulture);

    public static string Nanoseconds(double nanoseconds) => nanoseconds.ToString("N0", CultureInfo.InvariantCulture);

    public static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    public static string Percent(double share) => share.ToString("P1", CultureInfo.InvariantCulture);

    /// <summary>A table in a frame that scrolls where the page is narrower.</summary>
    /// <param name="heads">Headings; <c>&gt;</c> in front of one puts its column's cells to the right.</param>
    /// <param name="rows">Cells, as markup.</param>
    public static string Table(IReadOnlyList<string> heads, IEnumerable<IReadOnlyList<string>> rows)
    {
        bool[] right = [.. heads.Select(head => head.StartsWith('>'))];
        StringBuilder table = new("<div class=\"scroll\"><table>\n<thead><tr>");
        for (int i = 0; i < heads.Count; i++)
            Cell("th", i, Escape(heads[i].TrimStart('>')));
        table.Append("</tr></thead>\n<tbody>\n");
        foreach (IReadOnlyList<string> row in rows)
        {
            table.Append("<tr>");
            for (int i = 0; i < row.Count; i++)
                Cell("td", i, row[i]);
            table.Append("</tr>\n");
        }

        return table.Append("</tbody></table></div>\n").ToString();

        void Cell(string element, int column, string markup) =>
            table.Append('<').Append(element).Append(right[column] ? " class=\"number\">" : ">")
                .Append(markup).Append("</").Append(element).Append('>');
    }
}
