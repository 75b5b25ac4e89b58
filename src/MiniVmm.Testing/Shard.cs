using System.Globalization;

namespace MiniVmm.Testing;

/// <summary>One part of a run that several machines share.</summary>
/// <param name="Index">Which, from 1.</param>
/// <param name="Count">Of how many.</param>
internal readonly record struct Shard(int Index, int Count)
{
    /// <summary>Most shards of a run.</summary>
    public const int Most = 100_000;

    /// <summary>
    /// The tests that are this part's: every test of a sorted list is in exactly one, and neighbours, which often take
    /// equally long, are in different ones.
    /// </summary>
    public IReadOnlyList<TestCase> Of(IReadOnlyList<TestCase> tests)
    {
        (int index, int count) = (Index, Count);
        return [.. tests.Where((_, at) => at % count == index - 1)];
    }

    /// <summary>As in 2/4.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Index}/{Count}");

    /// <summary>Reads I/N.</summary>
    /// <returns>False if it is not that, or I is not from 1 to N.</returns>
    public static bool TryParse(string text, out Shard shard)
    {
        shard = default;
        string[] parts = text.Split('/');
        if (parts.Length != 2 || !TryNumber(parts[0], out int index) || !TryNumber(parts[1], out int count)
            || index < 1 || count > Most || index > count)
            return false;
        shard = new(index, count);
        return true;
    }

    internal static bool TryNumber(string text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
