using System.Diagnostics;
using MiniVmm.Execution;

namespace MiniVmm.Tests.Execution;

public sealed class ExitProbeTests
{
    [Fact]
    public void Time_is_inside_from_going_in_to_coming_out_and_outside_otherwise()
    {
        VcpuStatistics statistics = new();
        long begin = Stopwatch.GetTimestamp();
        TimeProbe probe = new(statistics);

        AdvanceClock();
        probe.Entering();
        Assert.True(statistics.Outside > TimeSpan.Zero);
        Assert.Equal(TimeSpan.Zero, statistics.InGuest);

        TimeSpan outside = statistics.Outside;
        AdvanceClock();
        probe.Exited();
        Assert.True(statistics.InGuest > TimeSpan.Zero);
        Assert.Equal(outside, statistics.Outside);

        TimeSpan inside = statistics.InGuest;
        AdvanceClock();
        probe.Decoded();
        probe.Served();
        probe.Entering();
        Assert.True(statistics.Outside > outside);
        Assert.Equal(inside, statistics.InGuest);
        Assert.True(statistics.Outside + statistics.InGuest <= Stopwatch.GetElapsedTime(begin));
    }

    /// <summary>At least one unit of <see cref="TimeSpan"/>, which is coarser than the clock.</summary>
    private static void AdvanceClock()
    {
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < TimeSpan.FromMicroseconds(2))
            Thread.SpinWait(1);
    }
}
