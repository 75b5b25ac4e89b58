namespace MiniVmm.Virtio;

/// <summary>
/// A rate limit: tokens come at a steady rate up to a burst, and whoever spends more than there are waits until the debt
/// is paid. Pure arithmetic: the caller brings the time. Not safe for several threads.
/// </summary>
internal sealed class TokenBucket
{
    private readonly double _rate;
    private readonly double _burst;
    private double _tokens;
    private long _at;
    private bool _started;

    /// <param name="rate">Tokens a second: finite, above 0.</param>
    /// <param name="burst">Most tokens that gather while nothing is spent: finite, above 0.</param>
    public TokenBucket(double rate, double burst)
    {
        if (!double.IsFinite(rate) || !double.IsFinite(burst))
            throw new ArgumentOutOfRangeException(nameof(rate), $"{rate} tokens a second, {burst} at once");
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(rate);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(burst);
        _rate = rate;
        _burst = _tokens = burst;
    }

    /// <summary>How long until something may be spent: zero for now, a day at most, after which to ask again.</summary>
    /// <param name="now">Monotonic, in nanoseconds.</param>
    public TimeSpan Delay(long now)
    {
        Refill(now);
        if (_tokens > 0)
            return TimeSpan.Zero;

        // Upwards: a delay that rounds to nothing would say that there are tokens.
        double seconds = Math.Min((1 - _tokens) / _rate, TimeSpan.SecondsPerDay);
        return TimeSpan.FromTicks(Math.Max(1, (long)Math.Ceiling(seconds * TimeSpan.TicksPerSecond)));
    }

    /// <summary>Spends; may go into debt, so that a request larger than the burst still gets through.</summary>
    /// <param name="now">Monotonic, in nanoseconds.</param>
    /// <param name="tokens">0 or more.</param>
    public void Spend(long now, double tokens)
    {
        Refill(now);
        _tokens -= tokens;
    }

    private void Refill(long now)
    {
        if (_started && now > _at)
            _tokens = Math.Min(_burst, _tokens + ((now - _at) * 1e-9 * _rate));
        _at = _started ? Math.Max(_at, now) : now;
        _started = true;
    }
}
