namespace MiniVmm.Tracing.Files;

/// <summary>Exits a second of each vCPU, window by window.</summary>
internal sealed class ExitRates
{
    /// <summary>Nanoseconds of a window.</summary>
    private const long Window = 10_000_000;

    private readonly List<(long Start, long Exits)> _now = [];

    /// <summary>One more exit.</summary>
    /// <param name="vcpu">Whose.</param>
    /// <param name="at">When, in nanoseconds; not before the one before.</param>
    /// <returns>A window that it ended: where it starts, and what the rate was in it.</returns>
    public (long At, double Rate)? Count(int vcpu, long at)
    {
        while (_now.Count <= vcpu)
            _now.Add((-1, 0));
        (long start, long exits) = _now[vcpu];
        if (start < 0)
        {
            _now[vcpu] = (at, 1);
            return null;
        }

        if (at - start < Window)
        {
            _now[vcpu] = (start, exits + 1);
            return null;
        }

        _now[vcpu] = (at, 1);
        return (start, exits * 1e9 / (at - start));
    }

    /// <summary>The windows that have not ended, as if they were whole.</summary>
    public IEnumerable<(int Vcpu, long At, double Rate)> Rest()
    {
        for (int i = 0; i < _now.Count; i++)
        {
            if (_now[i].Start >= 0)
                yield return (i, _now[i].Start, _now[i].Exits * 1e9 / Window);
        }
    }
}
