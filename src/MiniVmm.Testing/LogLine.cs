using System.Buffers;

namespace MiniVmm.Testing;

/// <summary>Looks for words in a line of a kernel's log. Pure; no allocation.</summary>
internal static class LogLine
{
    private static readonly SearchValues<char> OfStamp = SearchValues.Create(" 0123456789.");

    /// <summary>A line without what Linux puts before each: <c>&lt;6&gt;</c> and <c>[    1.234567] </c>.</summary>
    public static ReadOnlySpan<char> WithoutStamp(ReadOnlySpan<char> line)
    {
        ReadOnlySpan<char> rest = line;
        if (rest is ['<', >= '0' and <= '9', ..] && rest[..Math.Min(rest.Length, 5)].IndexOf('>') is > 0 and int level)
            rest = rest[(level + 1)..];
        if (rest is not ['[', ..])
            return rest;
        int end = rest.IndexOf(']');
        if (end < 0)
            return rest;
        ReadOnlySpan<char> stamp = rest[1..end];
        if (!stamp.Contains('.') || stamp.ContainsAnyExcept(OfStamp))
            return rest;
        rest = rest[(end + 1)..];
        return rest is [' ', ..] ? rest[1..] : rest;
    }

    /// <summary>A line's message, without blanks before it.</summary>
    public static ReadOnlySpan<char> Message(ReadOnlySpan<char> line) => WithoutStamp(line).TrimStart();

    /// <summary>Where a word stands by itself: no letter, digit or _ next to it where it has one.</summary>
    /// <returns>-1 if it does not from <paramref name="start"/> on.</returns>
    public static int IndexOfWord(ReadOnlySpan<char> line, string word, StringComparison comparison, int start = 0)
    {
        while (start <= line.Length - word.Length)
        {
            int at = line[start..].IndexOf(word, comparison);
            if (at < 0)
                return -1;
            at += start;
            int end = at + word.Length;
            bool before = at == 0 || !(IsOfWord(line[at - 1]) && IsOfWord(word[0]));
            bool after = end == line.Length || !(IsOfWord(line[end]) && IsOfWord(word[^1]));
            if (before && after)
                return at;
            start = at + 1;
        }

        return -1;
    }

    public static bool HasWord(ReadOnlySpan<char> line, string word) => IndexOfWord(line, word, StringComparison.Ordinal) >= 0;

    /// <summary>The same in capitals or not.</summary>
    public static bool HasWordOfAnyCase(ReadOnlySpan<char> line, string word) =>
        IndexOfWord(line, word, StringComparison.OrdinalIgnoreCase) >= 0;

    public static bool Has(ReadOnlySpan<char> line, string text) => line.Contains(text, StringComparison.OrdinalIgnoreCase);

    /// <summary>The number before a place, blanks between them left out: null where none stands there by itself.</summary>
    public static long? NumberBefore(ReadOnlySpan<char> line, int at)
    {
        ReadOnlySpan<char> before = line[..at].TrimEnd();
        int first = before.Length;
        while (first > 0 && char.IsAsciiDigit(before[first - 1]))
            first--;
        // Not the end of a word, a fraction, an address, or a test's own number.
        if (first == before.Length || (first > 0 && (IsOfWord(before[first - 1]) || before[first - 1] is '.' or ':' or '#'))
            || IsNumbered(before[..first]))
            return null;
        return long.TryParse(before[first..], out long number) ? number : long.MaxValue;
    }

    /// <summary>A count behind a place, as in ": 3" or "=3"; null where there is none, or a sentence that begins with a number.</summary>
    public static long? CountAfter(ReadOnlySpan<char> line, int at)
    {
        ReadOnlySpan<char> rest = line[at..].TrimStart();
        if (rest is not [':' or '=', ..])
            return null;
        rest = rest[1..].TrimStart();
        int end = 0;
        while (end < rest.Length && char.IsAsciiDigit(rest[end]))
            end++;
        if (end == 0 || (end < rest.Length && IsOfWord(rest[end])))
            return null;
        long number = long.TryParse(rest[..end], out long value) ? value : long.MaxValue;
        if (rest[end..] is ['.', >= '0' and <= '9', ..])
            return null; // a fraction
        rest = rest[end..].TrimStart();
        if (rest is [',', ..] && IsWish(rest[1..].TrimStart()))
            return null;
        if (rest.Length == 0 || rest[0] is ',' or ';' or ')' or '|' or ']' or '.' or '/' or '#')
            return number;
        int word = 0;
        while (word < rest.Length && IsOfWord(rest[word]))
            word++;
        rest = rest[word..].TrimStart();
        return word > 0 && rest is [':' or '=', ..] ? number : null;
    }

    /// <summary>Whether a text ends in a word of which one is told by its number: "test 0 FAILED".</summary>
    private static bool IsNumbered(ReadOnlySpan<char> text)
    {
        text = text.TrimEnd();
        foreach (string word in (ReadOnlySpan<string>)["test", "testcase", "subtest", "case", "check", "step", "no", "nr"])
        {
            if (text.EndsWith(word, StringComparison.OrdinalIgnoreCase) && (text.Length == word.Length || !IsOfWord(text[^(word.Length + 1)])))
                return true;
        }

        return false;
    }

    /// <summary>Whether it goes on as a failure does that says the value which it got: "FAIL: 0, expected 1".</summary>
    private static bool IsWish(ReadOnlySpan<char> text)
    {
        foreach (string word in (ReadOnlySpan<string>)["expected", "wanted", "want", "should", "instead", "not", "but"])
        {
            if (text.StartsWith(word, StringComparison.OrdinalIgnoreCase) && (text.Length == word.Length || !IsOfWord(text[word.Length])))
                return true;
        }

        return false;
    }

    private static bool IsOfWord(char letter) => char.IsAsciiLetterOrDigit(letter) || letter == '_';
}
