using System.Diagnostics;

namespace MiniVmm.Execution;

/// <summary>
/// Looks on while a <see cref="RunLoop"/> runs. Implemented by structs, so that the loop is compiled for each of
/// them and a probe that does nothing costs nothing.
/// </summary>
public interface IExitProbe
{
    /// <summary>Just before KVM_RUN.</summary>
    void GoesIn();

    /// <summary>Just after it, however it ended.</summary>
    void CameOut();

    /// <summary>The exit is decoded; not called where KVM_RUN ended with an errno.</summary>
    void Decoded();

    /// <summary>The device, or whoever it was for, is done.</summary>
    void Served();
}

/// <summary>Nobody looks.</summary>
public readonly struct NoProbe : IExitProbe
{
    public void GoesIn()
    {
    }

    public void CameOut()
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
public struct TimeProbe(VcpuStatistics statistics) : IExitProbe
{
    private long _mark = Stopwatch.GetTimestamp();

    public void GoesIn()
    {
        long now = Stopwatch.GetTimestamp();
        statistics.AddOutside(now - _mark);
        _mark = now;
    }

    public void CameOut()
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
