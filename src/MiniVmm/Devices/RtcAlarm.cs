namespace MiniVmm.Devices;

/// <summary>
/// When a clock chip's alarm goes off: once a day, or, where a part of it does not matter, as often as the others fit. A part
/// that no clock shows, as minute 75, never comes.
/// </summary>
/// <param name="Hour">0 to 23, or <see cref="Any"/>.</param>
/// <param name="Minute">0 to 59, or <see cref="Any"/>.</param>
/// <param name="Second">0 to 59, or <see cref="Any"/>.</param>
internal readonly record struct RtcAlarm(int Hour, int Minute, int Second)
{
    /// <summary>A part that does not matter.</summary>
    public const int Any = -1;

    private const int SecondsPerDay = 24 * 3600;

    /// <summary>Whether an alarm's byte says that its part does not matter: its upper two bits.</summary>
    public static bool IsAny(byte value) => value >= 0xc0;

    /// <summary>The first second that fits, from one on, both counted from some midnight; -1 for none.</summary>
    public long First(long from)
    {
        (long day, long second) = Math.DivRem(from, SecondsPerDay);
        int today = FirstOfDay((int)second);
        if (today >= 0)
            return day * SecondsPerDay + today;
        int tomorrow = FirstOfDay(0);
        return tomorrow >= 0 ? (day + 1) * SecondsPerDay + tomorrow : -1;
    }

    private int FirstOfDay(int from)
    {
        if (Second > 59)
            return -1;
        for (int hour = from / 3600; hour < 24; hour++)
        {
            if (Hour is not Any && Hour != hour)
                continue;
            for (int minute = Math.Max(from - hour * 3600, 0) / 60; minute < 60; minute++)
            {
                if (Minute is not Any && Minute != minute)
                    continue;
                int start = hour * 3600 + minute * 60;
                int second = Second is Any ? Math.Max(from, start) : start + Second;
                if (second >= from)
                    return second;
            }
        }

        return -1;
    }
}
