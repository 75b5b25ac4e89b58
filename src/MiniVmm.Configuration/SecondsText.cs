using System.Globalization;

namespace MiniVmm.Configuration;

/// <summary>A time in seconds, as in 10 or 0.5.</summary>
public static class SecondsText
{
    private const double Most = 1e9; // 31 years

    /// <exception cref="BadInputException">Not a number, 0, or more than 1e9.</exception>
    public static TimeSpan Parse(string text, OptionName option) => TryParse(text, out TimeSpan time)
        ? time
        : throw new BadInputException($"{option.With(text)}: not a number of seconds, such as 10 or 0.5");

    /// <returns>False if it is not a number, 0, or more than 1e9.</returns>
    public static bool TryParse(string text, out TimeSpan time)
    {
        bool good = double.TryParse(
            text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds) && seconds is > 0 and <= Most;
        time = good ? TimeSpan.FromSeconds(seconds) : default;
        return good;
    }
}
