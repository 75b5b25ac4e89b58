using System.Globalization;
using System.Text;

namespace MiniVmm.Testing;

/// <summary>A tag of XML, with its attributes.</summary>
/// <param name="Name">The element's.</param>
/// <param name="IsStart">A start tag, or one of an empty element.</param>
/// <param name="IsEnd">An end tag, or one of an empty element.</param>
internal sealed record XmlTag(string Name, bool IsStart, bool IsEnd)
{
    private readonly Dictionary<string, string> _attributes = new(StringComparer.Ordinal);

    /// <summary>An attribute's value.</summary>
    /// <exception cref="FormatException">The tag has no such attribute.</exception>
    public string this[string name] =>
        _attributes.TryGetValue(name, out string? value) ? value : throw new FormatException($"<{Name}> without {name}");

    internal void Add(string name, string value)
    {
        if (!_attributes.TryAdd(name, value))
            throw new FormatException($"<{Name}> has {name} twice");
    }
}

/// <summary>
/// Goes through the tags of an XML text (XML 1.0, section 3): as much of it as <see cref="JUnitWriter"/> writes and tools that
/// format it anew, which is no DTD. .NET's reader is larger than all the rest of this program's tests.
/// </summary>
internal sealed class XmlCursor(string text)
{
    private readonly Stack<string> _open = new();
    private int _at;

    /// <summary>The next tag; null at the end.</summary>
    /// <exception cref="FormatException">It is not XML of that kind.</exception>
    public XmlTag? ReadTag()
    {
        while (true)
        {
            int start = text.IndexOf('<', _at);
            if (start < 0)
                return _open.Count == 0 ? null : throw Error($"<{_open.Peek()}> does not end");
            _at = start + 1;
            if (Skips("?", "?>") || Skips("!--", "-->") || Skips("![CDATA[", "]]>"))
                continue;
            return Read();
        }
    }

    /// <summary>The text up to the next tag, which is an end.</summary>
    /// <inheritdoc cref="ReadTag" path="/exception"/>
    public string ReadText()
    {
        StringBuilder content = new();
        while (true)
        {
            int end = text.IndexOf('<', _at);
            if (end < 0)
                throw Error("a text that does not end");
            content.Append(Unescape(text.AsSpan(_at, end - _at)));
            _at = end + 1;
            int cdata = _at;
            if (!Skips("![CDATA[", "]]>"))
                break;
            content.Append(text, cdata + 8, _at - 3 - (cdata + 8));
        }

        if (Read() is not { IsStart: false })
            throw Error("an element within a text");
        return content.ToString();
    }

    private XmlTag Read()
    {
        bool closes = Take('/');
        string name = ReadName();
        if (closes)
        {
            SkipBlanks();
            if (!Take('>') || !_open.TryPop(out string? opened) || opened != name)
                throw Error($"</{name}> ends nothing");
            return new(name, IsStart: false, IsEnd: true);
        }

        List<(string Name, string Value)> attributes = [];
        while (true)
        {
            SkipBlanks();
            bool empty = Take('/');
            if (Take('>'))
            {
                XmlTag tag = new(name, IsStart: true, empty);
                attributes.ForEach(attribute => tag.Add(attribute.Name, attribute.Value));
                if (!empty)
                    _open.Push(name);
                return tag;
            }

            if (empty || _open.Count > 16)
                throw Error($"<{name} is not understood");
            attributes.Add(ReadAttribute());
        }
    }

    private (string Name, string Value) ReadAttribute()
    {
        string name = ReadName();
        SkipBlanks();
        if (!Take('='))
            throw Error($"{name} without a value");
        SkipBlanks();
        char quote = _at < text.Length ? text[_at++] : '\0';
        int end = quote is '"' or '\'' ? text.IndexOf(quote, _at) : -1;
        if (end < 0)
            throw Error($"{name} without quotes");
        string value = Unescape(text.AsSpan(_at, end - _at));
        _at = end + 1;
        return (name, value);
    }

    private string ReadName()
    {
        int start = _at;
        while (_at < text.Length && (char.IsLetterOrDigit(text[_at]) || text[_at] is '-' or '_' or '.' or ':'))
            _at++;
        return _at > start ? text[start.._at] : throw Error("a name is missing");
    }

    private string Unescape(ReadOnlySpan<char> raw)
    {
        StringBuilder plain = new(raw.Length);
        while (raw.IndexOf('&') is >= 0 and int at)
        {
            plain.Append(raw[..at]);
            int end = raw[at..].IndexOf(';');
            if (end < 0)
                throw Error("an & without ;");
            plain.Append(Reference(raw[(at + 1)..(at + end)]));
            raw = raw[(at + end + 1)..];
        }

        return plain.Append(raw).ToString();
    }

    private string Reference(ReadOnlySpan<char> name) => name switch
    {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        ['#', 'x', .. ReadOnlySpan<char> digits] when uint.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint code) => Letter(code),
        ['#', .. ReadOnlySpan<char> digits] when uint.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out uint code) => Letter(code),
        _ => throw Error($"&{name}; is not known"),
    };

    private string Letter(uint code) => Rune.IsValid(code) ? new Rune(code).ToString() : throw Error("a number that is no letter's");

    private void SkipBlanks()
    {
        while (_at < text.Length && text[_at] is ' ' or '\t' or '\r' or '\n')
            _at++;
    }

    private bool Take(char letter)
    {
        if (_at == text.Length || text[_at] != letter)
            return false;
        _at++;
        return true;
    }

    private bool Skips(string start, string end)
    {
        if (string.CompareOrdinal(text, _at, start, 0, start.Length) != 0)
            return false;
        int at = text.IndexOf(end, _at + start.Length, StringComparison.Ordinal);
        _at = at < 0 ? throw Error($"<{start} does not end") : at + end.Length;
        return true;
    }

    private FormatException Error(string problem) => new(string.Create(
        CultureInfo.InvariantCulture, $"line {text.AsSpan(0, Math.Min(_at, text.Length)).Count('\n') + 1}: {problem}"));
}
