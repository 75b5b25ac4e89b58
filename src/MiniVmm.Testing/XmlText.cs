using System.Text;

namespace MiniVmm.Testing;

/// <summary>Any text as the content of XML 1.0.</summary>
internal static class XmlText
{
    /// <summary>
    /// The text as it can stand in an element. What XML has no way to write (section 2.2) is replaced by U+FFFD.
    /// </summary>
    public static string Escape(string text)
    {
        StringBuilder escaped = new(text.Length);
        foreach (Rune letter in text.EnumerateRunes()) // U+FFFD for a half of a surrogate pair
        {
            _ = letter.Value switch
            {
                '&' => escaped.Append("&amp;"),
                '<' => escaped.Append("&lt;"),
                '>' => escaped.Append("&gt;"),
                '"' => escaped.Append("&quot;"),
                '\r' => escaped.Append("&#13;"),
                '\n' or '\t' => escaped.Append((char)letter.Value),
                < 0x20 or 0xfffe or 0xffff => escaped.Append('\ufffd'),
                _ => escaped.Append(letter),
            };
        }

        return escaped.ToString();
    }

    /// <summary>The same in an attribute's double quotes, where a reader makes blanks of other white space (3.3.3).</summary>
    public static string Attribute(string text) => Escape(text)
        .Replace("\n", "&#10;", StringComparison.Ordinal)
        .Replace("\t", "&#9;", StringComparison.Ordinal);
}
