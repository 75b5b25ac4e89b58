namespace MiniVmm.Hosting;

/// <summary>
/// How long to wait before the next start: twice as long each time, up to a cap, and from the beginning after a stable run.
/// </summary>
/// <param name="first">The shortest wait.</param>
/// <param name="longest">The cap.</param>
/// <param name="stableAfter">A run of at least this length is a stable one.</param>
internal sealed class RestartBackoff(TimeSpan first, TimeSpan longest, TimeSpan stableAfter)
{
    private TimeSpan? _next;

    /// <param name="lastRun">How long the machine ran; zero where it could not be started.</param>
    public TimeSpan Next(TimeSpan lastRun)
    {
        TimeSpan delay = lastRun >= stableAfter ? first : _next ?? first;
        _next = delay >= longest / 2 ? longest : delay * 2;
        return delay;
    }
}
