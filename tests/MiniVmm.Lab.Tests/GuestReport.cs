using System.Globalization;

namespace MiniVmm.Lab.Tests;

/// <summary>What the guest's <c>report</c> action said: lines of key=value, a key possibly on several.</summary>
public sealed class GuestReport
{
    public const string Begin = "lab: begin report\n";
    public const string End = "lab: end report\n";

    private readonly ILookup<string, string> _values;

    /// <param name="text">What stood between <see cref="Begin"/> and <see cref="End"/>.</param>
    public GuestReport(string text) =>
        _values = text.Split('\n')
            .Select(line => line.Split('=', 2))
            .Where(parts => parts.Length == 2)
            .ToLookup(parts => parts[0], parts => parts[1].Trim());

    /// <summary>The value of a key that stands once.</summary>
    public string this[string key]
    {
        get
        {
            string[] values = [.. _values[key]];
            Assert.True(values.Length == 1, $"The guest's report has {values.Length} lines of {key}, not one.");
            return values[0];
        }
    }

    public int Number(string key) => int.Parse(this[key], CultureInfo.InvariantCulture);

    public IEnumerable<string> All(string key) => _values[key];

    /// <summary>Names of the processor's features that Linux uses.</summary>
    public HashSet<string> Flags => [.. this["flags"].Split(' ')];

    /// <summary>Ranges of /proc/iomem that are System RAM, both ends included.</summary>
    public IReadOnlyList<(ulong First, ulong Last)> Ram =>
        [.. All("ram").Select(range => range.Split('-')).Select(ends => (Hex(ends[0]), Hex(ends[1])))];

    /// <summary>Bytes in <see cref="Ram"/>.</summary>
    public ulong RamSize => Ram.Aggregate(0UL, (sum, range) => sum + (range.Last - range.First + 1));

    private static ulong Hex(string digits) =>
        ulong.Parse(digits, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
