using System.Globalization;

namespace MiniVmm.Testing;

/// <summary>The first and the last lines of a text that may have no end.</summary>
internal sealed class CapturedText
{
    /// <summary>Characters of the first lines that are kept, about.</summary>
    public const int MostFirst = 64 * 1024;

    /// <summary>Characters of the last lines that are kept, about.</summary>
    public const int MostLast = 128 * 1024;

    private readonly List<string> _first = [];
    private readonly Queue<string> _last = [];
    private int _firstLength;
    private int _lastLength;
    private long _left;

    /// <summary>Whether any line has a letter in it.</summary>
    public bool HasText { get; private set; }

    /// <summary>The last line with a letter in it; empty if there is none.</summary>
    public string LastLine { get; private set; } = "";

    public void Add(string line)
    {
        if (!string.IsNullOrWhiteSpace(line))
        {
            HasText = true;
            LastLine = line;
        }

        if (_firstLength < MostFirst)
        {
            _first.Add(line);
            _firstLength += line.Length + 1;
            return;
        }

        _last.Enqueue(line);
        _lastLength += line.Length + 1;
        while (_lastLength > MostLast)
        {
            _lastLength -= _last.Dequeue().Length + 1;
            _left++;
        }
    }

    /// <summary>All that is kept, with a line that says how many are left out.</summary>
    public override string ToString()
    {
        IEnumerable<string> gap = _left == 0
            ? []
            : [string.Create(CultureInfo.InvariantCulture, $"[{_left:N0} lines left out]")];
        return string.Concat(_first.Concat(gap).Concat(_last).Select(line => line + '\n'));
    }
}
