using System.Globalization;

namespace MiniVmm;

/// <summary>Sizes as people type and read them: K, M, G and T are powers of 1024.</summary>
public static class ByteSize
{
    private const string Units = "KMGT";

    /// <summary>Reads "256M", "5G", or a bare number, which is MiB as in QEMU's -m.</summary>
    /// <param name="text">A whole number with an optional suffix of K, M, G or T in either case.</param>
    /// <param name="option">The option it came from, for the error.</param>
    /// <returns>The size in bytes.</returns>
    /// <exception cref="BadInputException">Not such a number, or more than 2^64 - 1 bytes.</exception>
    public static ulong Parse(string text, string option)
    {
        ArgumentNullException.ThrowIfNull(text);
        string digits = text.Trim();
        int shift = 20;
        if (digits.Length > 0
            && Units.IndexOf(char.ToUpperInvariant(digits[^1]), StringComparison.Ordinal) is >= 0 and int unit)
        {
            shift = 10 * (unit + 1);
            digits = digits[..^1];
        }

        if (!ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number))
        {
            throw new BadInputException(
                $"{option} {text}: not a size; write a number with K, M, G or T, as in 256M or 5G");
        }

        if (number > ulong.MaxValue >> shift)
            throw new BadInputException($"{option} {text}: too large to count in bytes");
        return number << shift;
    }

    /// <summary>Writes a size with the largest unit that divides it: "256 MiB", "5 GiB", "100 bytes".</summary>
    public static string Format(ulong bytes)
    {
        if (bytes == 0 || bytes % 1024 != 0)
            return bytes == 1 ? "1 byte" : $"{bytes} bytes";
        int unit = 0;
        while (unit < Units.Length && bytes % 1024 == 0)
        {
            bytes /= 1024;
            unit++;
        }

        return $"{bytes} {Units[unit - 1]}iB";
    }
}
