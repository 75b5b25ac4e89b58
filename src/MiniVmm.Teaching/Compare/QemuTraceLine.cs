using System.Globalization;

namespace MiniVmm.Teaching.Compare;

/// <summary>A line of QEMU's log trace backend with <c>-msg timestamp=on</c>: "THREAD@SECONDS.MICROSECONDS:EVENT ARGUMENTS".</summary>
internal readonly ref struct QemuTraceLine
{
    private QemuTraceLine(long at, ReadOnlySpan<char> name, ReadOnlySpan<char> arguments)
    {
        At = at;
        Event = name;
        Arguments = arguments;
    }

    /// <summary>Microseconds since 1970.</summary>
    public long At { get; }

    /// <summary>As in kvm_run_exit.</summary>
    public ReadOnlySpan<char> Event { get; }

    public ReadOnlySpan<char> Arguments { get; }

    /// <returns>False for a line that is none of an event.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out QemuTraceLine line)
    {
        line = default;
        int at = text.IndexOf('@');
        int colon = text.IndexOf(':');
        if (at <= 0 || colon < at || !IsNumber(text[..at]))
            return false;
        ReadOnlySpan<char> time = text[(at + 1)..colon];
        int point = time.IndexOf('.');
        if (point < 0 || time.Length - point - 1 != 6
            || !long.TryParse(time[..point], NumberStyles.None, CultureInfo.InvariantCulture, out long seconds)
            || !long.TryParse(time[(point + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out long microseconds)
            || seconds > long.MaxValue / 10_000_000)
        {
            return false;
        }

        ReadOnlySpan<char> rest = text[(colon + 1)..];
        int blank = rest.IndexOf(' ');
        if (blank <= 0)
            return false;
        line = new(seconds * 1_000_000 + microseconds, rest[..blank], rest[(blank + 1)..]);
        return true;
    }

    /// <summary>A decimal number behind a word: 2 of "reason 2".</summary>
    /// <returns>False where there is none, or it does not fit.</returns>
    public bool TryNumber(string word, out int number) =>
        int.TryParse(Word(word), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);

    /// <summary>A hexadecimal number behind a word: 0xae80 of "type 0xae80".</summary>
    /// <inheritdoc cref="TryNumber"/>
    public bool TryHex(string word, out ulong number)
    {
        number = 0;
        ReadOnlySpan<char> text = Word(word);
        return text.StartsWith("0x") && ulong.TryParse(text[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number);
    }

    /// <summary>What stands in quotation marks at the end: fwcfg of "name 'fwcfg'".</summary>
    public ReadOnlySpan<char> Quoted()
    {
        int first = Arguments.IndexOf('\'');
        int last = Arguments.LastIndexOf('\'');
        return last > first ? Arguments[(first + 1)..last] : default;
    }

    /// <summary>Whether there is nothing but digits.</summary>
    private static bool IsNumber(ReadOnlySpan<char> text) => !text.ContainsAnyExceptInRange('0', '9');

    private ReadOnlySpan<char> Word(string word)
    {
        ReadOnlySpan<char> rest = Arguments;
        while (!rest.IsEmpty)
        {
            int blank = rest.IndexOf(' ');
            ReadOnlySpan<char> first = blank < 0 ? rest : rest[..blank];
            rest = blank < 0 ? default : rest[(blank + 1)..];
            if (!first.SequenceEqual(word))
                continue;
            int end = rest.IndexOfAny(' ', ',');
            return end < 0 ? rest : rest[..end];
        }

        return default;
    }
}
