namespace MiniVmm.Testing;

/// <summary>
/// Follows the Test Anything Protocol, versions 13 and 14, and Linux' KTAP, nested to any depth and with Linux' stamps: plans,
/// results, SKIP and TODO. "not ok" is a failure with or without the rest of it.
/// </summary>
internal sealed class TapText
{
    /// <summary>Levels that are followed; results below are still looked at.</summary>
    private const int MostLevels = 32;

    private readonly List<Level> _levels = []; // ascending by indent
    private bool _announced;

    /// <summary>The first "not ok" that nothing excuses; null for none.</summary>
    public string? Failure { get; private set; }

    /// <summary>What is wrong with plans; null for nothing. All of it after <see cref="End"/>.</summary>
    public string? Problem { get; private set; }

    /// <summary>Results so far.</summary>
    public int Results { get; private set; }

    /// <summary>Those that were skipped.</summary>
    public int Skipped { get; private set; }

    /// <summary>Whether there is a plan of no tests at all.</summary>
    public bool IsPlannedEmpty { get; private set; }

    /// <summary>Takes a line from its beginning.</summary>
    /// <param name="line">The line.</param>
    /// <param name="isExcused">Whether it is no failure, whatever it says.</param>
    public void Take(ReadOnlySpan<char> line, bool isExcused = false)
    {
        ReadOnlySpan<char> text = LogLine.WithoutStamp(line);
        ReadOnlySpan<char> message = text.TrimStart();
        int indent = text.Length - message.Length;
        if (IsVersion(message))
        {
            _announced = true;
            Close(indent - 1); // another document at the same level
        }
        else if (TryReadPlan(message, out long planned, out ReadOnlySpan<char> directive))
        {
            _announced = true;
            if (Find(indent) is { Planned: not null })
                Close(indent - 1);
            if (Open(indent) is { } level)
                level.Planned = planned;
            IsPlannedEmpty |= planned == 0 && (indent == 0 || Is(directive, "skip"));
        }
        else if (TryReadResult(message, out bool passed, out ReadOnlySpan<char> description))
        {
            TakeResult(indent, passed || isExcused, description, message);
        }
    }

    /// <summary>Nothing follows.</summary>
    public void End()
    {
        Close(-1);
        if (_announced && Results == 0 && !IsPlannedEmpty)
            Problem ??= "it announces TAP, and no result follows";
    }

    private void TakeResult(int indent, bool passed, ReadOnlySpan<char> description, ReadOnlySpan<char> message)
    {
        // "ok, now to the disks" is no result; with a number behind it, or among other TAP, it is.
        if (passed && !_announced && description is not [>= '0' and <= '9', ..])
            return;
        ReadOnlySpan<char> directive = Directive(description);
        bool skipped = Is(directive, "skip");
        if (!passed && !skipped && !Is(directive, "todo"))
            Failure ??= message.ToString();
        Results++;
        if (skipped)
            Skipped++;
        if (Open(indent) is { } level)
            level.Results++;
    }

    private Level? Find(int indent) => _levels.Find(level => level.Indent == indent);

    /// <summary>The level of an indent: those deeper than it are over.</summary>
    private Level? Open(int indent)
    {
        Close(indent);
        if (_levels is [.., { } last] && last.Indent == indent)
            return last;
        if (_levels.Count == MostLevels)
            return null;
        _levels.Add(new(indent));
        return _levels[^1];
    }

    private void Close(int indent)
    {
        while (_levels is [.., { } last] && last.Indent > indent)
        {
            if (last.Planned is { } planned && planned != last.Results)
                Problem ??= $"TAP's plan is of {planned} test{(planned == 1 ? "" : "s")}, and {last.Results} had a result";
            _levels.RemoveAt(_levels.Count - 1);
        }
    }

    private static bool IsVersion(ReadOnlySpan<char> message) =>
        message.StartsWith("TAP version ", StringComparison.Ordinal) || message.StartsWith("KTAP version ", StringComparison.Ordinal);

    /// <summary>"1..N", alone or with a comment.</summary>
    private static bool TryReadPlan(ReadOnlySpan<char> message, out long planned, out ReadOnlySpan<char> directive)
    {
        planned = 0;
        directive = default;
        if (!message.StartsWith("1..", StringComparison.Ordinal))
            return false;
        ReadOnlySpan<char> rest = message[3..];
        int end = 0;
        while (end < rest.Length && char.IsAsciiDigit(rest[end]))
            end++;
        ReadOnlySpan<char> behind = rest[end..].Trim();
        if (end == 0 || behind is not ([] or ['#', ..]))
            return false;
        directive = behind is ['#', ..] ? behind[1..].TrimStart() : behind;
        if (!long.TryParse(rest[..end], out planned))
            planned = long.MaxValue;
        return true;
    }

    private static bool TryReadResult(ReadOnlySpan<char> message, out bool passed, out ReadOnlySpan<char> description)
    {
        passed = !message.StartsWith("not ok", StringComparison.Ordinal);
        description = default;
        if (passed && !message.StartsWith("ok", StringComparison.Ordinal))
            return false;
        ReadOnlySpan<char> rest = message[(passed ? 2 : 6)..];
        if (rest is not ([] or [' ' or '\t', ..]))
            return false;
        description = rest.TrimStart();
        return true;
    }

    /// <summary>What stands behind a # of its own; a \# is a letter of the description.</summary>
    private static ReadOnlySpan<char> Directive(ReadOnlySpan<char> description)
    {
        for (int i = 0; i < description.Length; i++)
        {
            if (description[i] == '#' && (i == 0 || description[i - 1] is ' ' or '\t'))
                return description[(i + 1)..].TrimStart();
        }

        return default;
    }

    private static bool Is(ReadOnlySpan<char> directive, string word) =>
        directive.StartsWith(word, StringComparison.OrdinalIgnoreCase);

    private sealed class Level(int indent)
    {
        public int Indent => indent;

        public long? Planned { get; set; }

        public long Results { get; set; }
    }
}
