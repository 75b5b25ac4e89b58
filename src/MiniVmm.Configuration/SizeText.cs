using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace MiniVmm.Configuration;

/// <summary>
/// Sizes as people type them: "256M", "5G", or a bare number, which is in MiB as with QEMU's -m. K, M, G and T, in upper
/// or lower case, are powers of 1024.
/// </summary>
public static class SizeText
{
    private const string Units = "KMGT";

    /// <summary>Reads an option's size.</summary>
    /// <returns>The size in bytes.</returns>
    /// <exception cref="BadInputException">Not a size, or more than 2^64 - 1 bytes.</exception>
    public static ulong Parse(string text, OptionName option) => TryParse(text, out ulong bytes, out string? problem)
        ? bytes
        : throw new BadInputException($"{option.With(text)}: {problem}");

    /// <param name="text">A whole number with an optional suffix of K, M, G or T.</param>
    /// <param name="bytes">The size in bytes.</param>
    /// <param name="problem">What is wrong with the text if it is not a size.</param>
    public static bool TryParse(string text, out ulong bytes, [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        ReadOnlySpan<char> digits = text.AsSpan().Trim();
        int shift = 20;
        if (digits is [.., char last]
            && Units.IndexOf(char.ToUpperInvariant(last), StringComparison.Ordinal) is >= 0 and int unit)
        {
            shift = 10 * (unit + 1);
            digits = digits[..^1];
        }

        bool isNumber = ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number);
        problem = !isNumber ? "not a size; use a number with K, M, G or T, as in 256M or 5G"
            : number > ulong.MaxValue >> shift ? "too large to count in bytes"
            : null;
        bytes = number << shift;
        return problem is null;
    }
}
