using System.Runtime.InteropServices;
using MiniVmm.Execution;
using MiniVmm.Measurement;

namespace MiniVmm.Tests.Measurement;

public sealed unsafe class LatencyProbeTests : IDisposable
{
    private const int Room = 8;
    private readonly ExitTimes* _times = (ExitTimes*)NativeMemory.AllocZeroed(Room, (nuint)sizeof(ExitTimes));
    private readonly long* _entries = (long*)NativeMemory.AllocZeroed(sizeof(long));

    public void Dispose()
    {
        NativeMemory.Free(_times);
        NativeMemory.Free(_entries);
    }

    [Fact]
    public void Readings_follow_the_stations_of_an_exit_and_exits_each_other()
    {
        LatencyProbe probe = new(_times, Room, _entries);

        for (int i = 0; i < 3; i++)
            Exit(ref probe);

        Assert.Equal(3, probe.Count);
        long last = 0;
        for (int i = 0; i < 3; i++)
        {
            ExitTimes time = _times[i];
            long[] readings = [last, time.In, time.Out, time.Decoded, time.Served];
            Assert.Equal(readings.Order(), readings);
            Assert.True(time.In > 0);
            last = time.Served;
        }

        Assert.Equal(0, _times[3].In);
    }

    [Fact]
    public void An_entry_is_counted_before_it_is_made()
    {
        LatencyProbe probe = new(_times, Room, _entries);
        Assert.Equal(0, *_entries);

        probe.Entering();
        Assert.Equal(1, *_entries);
        Assert.Equal(0, probe.Count);

        probe.Exited();
        probe.Served();
        Assert.Equal(1, *_entries);
        Assert.Equal(1, probe.Count);
    }

    [Fact]
    public void An_exit_that_is_not_decoded_took_no_time_to_decode()
    {
        LatencyProbe probe = new(_times, Room, _entries);

        probe.Entering();
        probe.Exited();
        probe.Served();

        Assert.Equal(_times[0].Out, _times[0].Decoded);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void Where_there_is_no_more_room_the_last_place_is_used_again(int capacity)
    {
        LatencyProbe probe = new(_times, capacity, _entries);

        for (int i = 0; i < 20; i++)
            Exit(ref probe);

        Assert.Equal(20, *_entries);
        Assert.Equal(capacity - 1, probe.Count);
        for (int i = 1; i < capacity; i++)
            Assert.True(_times[i].In >= _times[i - 1].Served);
        for (int i = capacity; i < Room; i++)
            Assert.Equal((0L, 0L), (_times[i].In, _times[i].Served));
    }

    /// <summary>As the run loop calls it.</summary>
    private static void Exit<TProbe>(ref TProbe probe)
        where TProbe : struct, IExitProbe
    {
        probe.Entering();
        probe.Exited();
        probe.Decoded();
        probe.Served();
    }
}
