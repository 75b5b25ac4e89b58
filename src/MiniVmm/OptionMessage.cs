using System.ComponentModel;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;

namespace MiniVmm;

/// <summary>
/// A line for a person, in which options stand apart from the words, so that whoever shows it can spell them. Written as
/// an interpolated string: <c>OptionMessage full = $"{OptionName.Disk.With(file)}: is full";</c>. Parts
/// joined by + need a $ each. An arm of a conditional would be a string before it is a message: choose the words there,
/// not the options.
/// </summary>
[InterpolatedStringHandler]
public sealed class OptionMessage
{
    private readonly StringBuilder _words;
    private readonly List<(int At, NamedOption Option)> _options = []; // in the order of the text

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public OptionMessage(int literalLength, int formattedCount) =>
        _words = new StringBuilder(literalLength + (8 * formattedCount));

    private OptionMessage(string words) => _words = new StringBuilder(words);

    /// <summary>The option that the line begins with: what it is about; null where it names none there.</summary>
    public NamedOption? Subject => _options is [(0, NamedOption option), ..] ? option : null;

    /// <summary>All options that it names, in their order.</summary>
    public IEnumerable<NamedOption> Options => _options.Select(named => named.Option);

    /// <summary>A line that names no option.</summary>
    public static implicit operator OptionMessage(string words) => new(words);

    /// <summary>The line, with each option as <paramref name="spell"/> has it.</summary>
    public string Spelled(Func<NamedOption, string> spell)
    {
        ArgumentNullException.ThrowIfNull(spell);
        string words = _words.ToString();
        if (_options.Count == 0)
            return words;
        StringBuilder line = new(words.Length + (16 * _options.Count));
        int done = 0;
        foreach ((int at, NamedOption option) in _options)
        {
            line.Append(words, done, at - done).Append(spell(option));
            done = at;
        }

        return line.Append(words, done, words.Length - done).ToString();
    }

    /// <summary>The line, with options as a configuration names them.</summary>
    public override string ToString() => Spelled(option => option.ToString());

    /// <summary>For the compiler.</summary>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AppendLiteral(string words) => _words.Append(words);

    /// <inheritdoc cref="AppendLiteral"/>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AppendFormatted(string? words) => _words.Append(words);

    /// <inheritdoc cref="AppendLiteral"/>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AppendFormatted(NamedOption option) => _options.Add((_words.Length, option));

    /// <inheritdoc cref="AppendLiteral"/>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AppendFormatted(OptionName option) => AppendFormatted(option.With(null));

    /// <inheritdoc cref="AppendLiteral"/>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AppendFormatted(OptionMessage part)
    {
        ArgumentNullException.ThrowIfNull(part);
        foreach ((int at, NamedOption option) in part._options)
            _options.Add((_words.Length + at, option));
        _words.Append(part._words);
    }

    /// <inheritdoc cref="AppendLiteral"/>
    [EditorBrowsable(EditorBrowsableState.Never)]
    public void AppendFormatted(object? value, string? format = null) => _words.Append(
        value is IFormattable formattable ? formattable.ToString(format, CultureInfo.InvariantCulture) : value?.ToString());
}
