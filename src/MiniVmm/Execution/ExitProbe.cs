using System.Diagnostics;

namespace MiniVmm.Execution;

/// <summary>
/// Observes a <see cref="RunLoop"/>. Implemented by structs, so that the loop is compiled for each of them and a probe
/// that does nothing costs nothing.
/// </summary>
internal interface IExitProbe
{
    /// <summary>Just before KVM_RUN.</summary>
    void Entering();

    /// <summary>Just after it, however it ended.</summary>
    void Exited();

    /// <summary>The exit is decoded; not called if KVM_RUN ended with an errno.</summary>
    void Decoded();

    /// <summary>The device, or whatever else handled the exit, is done.</summary>
    void Served();
}

/// <summary>Observes nothing.</summary>
internal readonly struct NoProbe : IExitProbe
{
    public void Entering()
    {
    }

    public void Exited()
    {
    }

    public void Decoded()
    {
    }

    public void Served()
    {
    }
}

/// <summary>Adds up the time inside KVM_RUN and outside, for <c>--stats</c>: two clock readings an exit.</summary>
/// <param name="statistics">Where they are added.</param>
internal struct TimeProbe(VcpuStatistics statistics) : IExitProbe
{
    private long _mark = Stopwatch.GetTimestamp();

    public void Entering()
    {
        long now = Stopwatch.GetTimestamp();
        statistics.AddOutside(now - _mark);
        _mark = now;
    }

    public void Exited()
    {
        long now = Stopwatch.GetTimestamp();
        statistics.AddInGuest(now - _mark);
        _mark = now;
    }

    public readonly void Decoded()
    {
    }

    public readonly void Served()
    {
    }
}
