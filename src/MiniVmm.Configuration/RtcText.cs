using System.Globalization;
using MiniVmm.Devices;

namespace MiniVmm.Configuration;

/// <summary>What the real-time clock shows at the start, as QEMU's <c>-rtc base=</c> has it.</summary>
public static class RtcText
{
    private static readonly string[] Formats = ["yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd"];

    /// <exception cref="BadInputException">It is no such time.</exception>
    public static RtcBase Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text == "utc")
            return RtcBase.Utc;
        if (text == "localtime")
            return RtcBase.LocalTime;
        if (!DateTime.TryParseExact(text, Formats, CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTime start))
            throw Wrong(text, "no time, such as utc, localtime, 2026-02-28 or 2026-02-28T23:59:50");
        if (start.Year is < RtcBase.FirstYear or > RtcBase.LastYear)
            throw Wrong(text, $"the clock goes from year {RtcBase.FirstYear} to {RtcBase.LastYear}");
        return RtcBase.At(start);
    }

    private static BadInputException Wrong(string text, string what) => new($"{OptionName.Rtc.With(text)}: {what}");
}
