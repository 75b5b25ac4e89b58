using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using MiniVmm.Configuration;

namespace MiniVmm.Cli.Qemu;

/// <summary>
/// The value of an option of QEMU's: <c>first,key=value,switch,…</c>, a comma inside a value doubled. Each key is taken
/// once; whoever has taken what he knows asks for the rest.
/// </summary>
internal sealed class QemuList
{
    private readonly QemuWord _word;
    private readonly List<(string Key, string Value)> _left = [];

    /// <param name="word">The option.</param>
    /// <param name="first">The key of a first part that has none: driver, file, size, …</param>
    public QemuList(QemuWord word, string first)
    {
        _word = word;
        foreach (string part in CommaList.Split(word.Value))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals >= 0)
                _left.Add((part[..equals], part[(equals + 1)..]));
            else if (_left.Count == 0)
                _left.Add((first, part));
            else
                _left.Add(part.StartsWith("no", StringComparison.Ordinal) && IsOldSwitch(part[2..]) ? (part[2..], "off") : (part, "on"));
        }
    }

    /// <summary>Takes a key's value; the last one counts, as with QEMU.</summary>
    public bool TryTake(string key, [NotNullWhen(true)] out string? value)
    {
        int last = _left.FindLastIndex(part => part.Key == key);
        value = last >= 0 ? _left[last].Value : null;
        _left.RemoveAll(part => part.Key == key);
        return value is not null;
    }

    /// <summary>Takes every value of a key that may be repeated.</summary>
    public IReadOnlyList<string> TakeAll(string key)
    {
        string[] values = [.. _left.Where(part => part.Key == key).Select(part => part.Value)];
        _left.RemoveAll(part => part.Key == key);
        return values;
    }

    public string? Take(string key) => TryTake(key, out string? value) ? value : null;

    /// <exception cref="BadInputException">It is not there.</exception>
    public string Require(string key) => Take(key) ?? throw Bad($"{key}= is missing");

    /// <summary>Takes a switch.</summary>
    /// <exception cref="BadInputException">It is neither on nor off.</exception>
    public bool TakeSwitch(string key, bool otherwise = false) => Take(key) switch
    {
        null => otherwise,
        "on" or "yes" or "true" => true,
        "off" or "no" or "false" => false,
        string other => throw Bad($"{key}={other} is neither on nor off"),
    };

    /// <summary>Takes a number.</summary>
    /// <exception cref="BadInputException">It is none.</exception>
    public ulong? TakeNumber(string key) => Take(key) switch
    {
        null => null,
        string text when ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) => number,
        string other => throw Bad($"{key}={other} is not a number"),
    };

    /// <summary>Passes over keys that change nothing here.</summary>
    public void PassOver(params ReadOnlySpan<string> keys)
    {
        foreach (string key in keys)
            _ = Take(key);
    }

    /// <summary>What nobody has taken, as it was written; null for nothing.</summary>
    public string? Rest() => _left.Count == 0 ? null : string.Join(',', _left.Select(part => $"{part.Key}={part.Value}"));

    /// <summary>Notes what nobody has taken: it has no effect.</summary>
    /// <param name="notes">Gets the line.</param>
    /// <param name="subject">What has those keys, where that is not the option as such.</param>
    public void SayRest(List<string> notes, string? subject = null)
    {
        if (Rest() is { } rest)
            notes.Add($"{subject ?? _word.Spelling}: {rest} has no effect");
    }

    /// <exception cref="BadInputException">Something is left.</exception>
    public void RequireAllTaken()
    {
        if (Rest() is { } rest)
            throw Bad($"{rest} has no meaning here; leave it out");
    }

    /// <summary>The option.</summary>
    public override string ToString() => _word.ToString();

    /// <summary>The error that it is.</summary>
    public BadInputException Bad(string complaint) => new($"{_word}: {complaint}");

    private static bool IsOldSwitch(string name) => name is "wait" or "delay" or "_fd-bootchk";
}
