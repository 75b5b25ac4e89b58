namespace MiniVmm.Devices;

/// <summary>What the guest's real-time clock shows when its machine is made. It goes on from there as the host's clock does.</summary>
public sealed record RtcBase
{
    // A year's distance from what DateTime holds, so that the host's clock can be set back or go on.

    /// <summary>The first year, of the Gregorian calendar, that a clock may start in.</summary>
    public const int FirstYear = 2;

    /// <summary>The last one.</summary>
    public const int LastYear = 9998;

    /// <summary>The host's time in UTC.</summary>
    public static RtcBase Utc { get; } = new();

    /// <summary>The host's local time, for guests that take the clock for theirs.</summary>
    public static RtcBase LocalTime { get; } = new() { IsLocal = true };

    /// <summary>A date and time of its own, from <see cref="FirstYear"/> to <see cref="LastYear"/>; null for the host's.</summary>
    public DateTime? Start { get; private init; }

    /// <summary>Whether the host's time zone is in it.</summary>
    public bool IsLocal { get; private init; }

    /// <summary>A date and time of its own.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The clock cannot show it and go on.</exception>
    public static RtcBase At(DateTime start) => start.Year is >= FirstYear and <= LastYear
        ? new() { Start = start }
        : throw new ArgumentOutOfRangeException(nameof(start), start, $"its year is not from {FirstYear} to {LastYear}");

    /// <summary>How far the clock is ahead of the host's in UTC.</summary>
    /// <param name="host">The host's.</param>
    internal TimeSpan AheadOf(TimeProvider host) => this switch
    {
        { Start: { } start } => start - host.GetUtcNow().UtcDateTime,
        { IsLocal: true } => host.LocalTimeZone.GetUtcOffset(host.GetUtcNow()),
        _ => TimeSpan.Zero,
    };
}
