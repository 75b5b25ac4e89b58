namespace MiniVmm.Diagnostics;

/// <summary>Tells when a guest has gone silent: once, until it says something again.</summary>
/// <param name="after">How long it may say nothing.</param>
internal sealed class SilenceWatch(TimeSpan after)
{
    private const int LongestPause = 250; // milliseconds

    private readonly long _limit = Math.Max((long)after.TotalMilliseconds, 1);
    private long _said = -1;
    private long _since;
    private bool _told;

    /// <summary>How long until the next look, in milliseconds.</summary>
    public int Pause => (int)Math.Min(_limit, LongestPause);

    /// <summary>Looks.</summary>
    /// <param name="said">A figure that changes with whatever the guest says.</param>
    /// <param name="now">The time in milliseconds.</param>
    /// <returns>Whether it has just become too long.</returns>
    public bool Look(long said, long now)
    {
        if (said != _said)
        {
            (_said, _since, _told) = (said, now, false);
            return false;
        }

        if (_told || now - _since < _limit)
            return false;
        _told = true;
        return true;
    }
}
