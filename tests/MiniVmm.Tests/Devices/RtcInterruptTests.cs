using CsCheck;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Devices;

/// <summary>Register C of the clock chip, and the line.</summary>
public sealed class RtcInterruptTests
{
    private const byte StatusA = 0x0a;
    private const byte StatusB = 0x0b;
    private const byte StatusC = 0x0c;
    private const byte Hours24 = 0x02;
    private const byte Set = 0x80;
    private const byte PeriodicOn = 0x40 | Hours24;
    private const byte AlarmOn = 0x20 | Hours24;
    private const byte UpdateOn = 0x10 | Hours24;

    private readonly ManualTime _time = new(new(2024, 2, 29, 23, 58, 57));
    private readonly RecordingInterrupt _line = new();
    private readonly WakeUps _wakeUps = new();
    private readonly Rtc _rtc;

    public RtcInterruptTests() =>
        _rtc = new(new GuestMemoryMap(256 * MemoryLayout.MiB), _time) { Line = _line, Timer = _wakeUps };

    [Theory]
    [InlineData(1, 256)]
    [InlineData(2, 128)]
    [InlineData(3, 8192)]
    [InlineData(4, 4096)]
    [InlineData(6, 1024)]
    [InlineData(12, 16)]
    [InlineData(15, 2)]
    public void The_periodic_interrupt_comes_as_often_as_register_A_says(byte rate, int hertz)
    {
        Put(StatusA, (byte)(0x20 | rate));
        Put(StatusB, PeriodicOn);

        Assert.Equal(hertz, Interrupts(TimeSpan.FromSeconds(1)));
        Assert.Equal(3 * hertz, Interrupts(TimeSpan.FromSeconds(3)));
    }

    [Fact]
    public void Rate_0_has_no_periodic_interrupt()
    {
        Put(StatusA, 0x20);
        Put(StatusB, PeriodicOn);

        Assert.Equal(0, Interrupts(TimeSpan.FromHours(1)));
        Assert.Equal(Timeout.InfiniteTimeSpan, Due());
    }

    [Fact]
    public void The_update_interrupt_comes_each_second()
    {
        Put(StatusB, UpdateOn);

        Assert.Equal(7, Interrupts(TimeSpan.FromSeconds(7)));
    }

    [Theory]
    [InlineData(0x00, 0x59, 0x23, 3)] // 23:59:00
    [InlineData(0xc0, 0x59, 0x23, 3)] // any second of 23:59
    [InlineData(0x58, 0xff, 0xff, 1)] // second 58 of any minute
    [InlineData(0xff, 0xc5, 0xd0, 1)] // every second
    [InlineData(0x00, 0x00, 0xc0, 63)] // each full hour
    [InlineData(0x57, 0x58, 0x23, 86_400)] // now: not before tomorrow
    [InlineData(0x56, 0x58, 0x23, 86_399)]
    public void The_alarm_goes_off_at_its_time_whatever_parts_of_it_matter(byte second, byte minute, byte hour, int seconds)
    {
        PutAlarm(second, minute, hour);
        Put(StatusB, AlarmOn);

        Assert.Equal(0, Interrupts(TimeSpan.FromSeconds(seconds) - TimeSpan.FromTicks(1)));
        Assert.Equal(1, Interrupts(TimeSpan.FromTicks(1), register: 0xa0));
    }

    [Theory]
    [InlineData(0x60, 0x00, 0x00)]
    [InlineData(0xc0, 0x75, 0xc0)]
    [InlineData(0x00, 0x00, 0x24)]
    public void An_alarm_at_a_time_that_no_clock_shows_never_comes(byte second, byte minute, byte hour)
    {
        PutAlarm(second, minute, hour);
        Put(StatusB, AlarmOn);

        Assert.Equal(0, Interrupts(TimeSpan.FromDays(3)));
    }

    [Fact]
    public void In_12_hour_mode_the_alarms_hour_is_read_so()
    {
        Put(StatusB, 0x20);
        PutAlarm(0x00, 0x59, 0x91); // 11 in the evening

        Assert.Equal(1, Interrupts(TimeSpan.FromSeconds(3)));
    }

    [Fact]
    public void Without_being_enabled_they_are_flags_for_whoever_polls()
    {
        PutAlarm(0xc0, 0xc0, 0xc0);
        Get(StatusC);

        _time.Utc += TimeSpan.FromSeconds(1);

        Assert.Equal(0x70, Get(StatusC));
        Assert.Equal(0x00, Get(StatusC)); // read, and so gone
        Assert.Equal(0, _line.Edges);
        Assert.Equal(0, _wakeUps.Count);
    }

    [Fact]
    public void Until_register_C_is_read_there_is_no_other_interrupt_and_nothing_to_wait_for()
    {
        Put(StatusB, PeriodicOn);
        _time.Utc += TimeSpan.FromSeconds(1);
        Assert.Equal(Timeout.InfiniteTimeSpan, Due());
        _time.Utc += TimeSpan.FromSeconds(1);
        Assert.Equal(Timeout.InfiniteTimeSpan, Due());
        Assert.Equal(1, _line.Edges);
        int before = _wakeUps.Count;

        Assert.Equal(0xc0, Get(StatusC) & 0xc0);

        Assert.Equal(before + 1, _wakeUps.Count);
        Assert.InRange(Due(), TimeSpan.FromTicks(1), TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public void A_flag_that_is_enabled_while_it_is_set_raises_the_line_at_once()
    {
        _time.Utc += TimeSpan.FromSeconds(1);

        Put(StatusB, UpdateOn);

        Assert.Equal(1, _line.Edges);
        Assert.Equal(0xd0, Get(StatusC) & 0xd0);
    }

    [Fact]
    public void While_the_clock_is_set_only_the_periodic_interrupt_goes_on_and_SET_takes_the_update_interrupt_away()
    {
        PutAlarm(0xc0, 0xc0, 0xc0);
        Get(StatusC);
        Put(StatusB, Set | 0x70 | Hours24);

        Assert.Equal(Set | 0x60 | Hours24, Get(StatusB));
        _time.Utc += TimeSpan.FromSeconds(5);
        Assert.Equal(0xc0, Get(StatusC));
    }

    [Fact]
    public void Time_that_the_guest_skipped_by_setting_the_clock_has_no_alarm_in_it()
    {
        PutAlarm(0x00, 0x59, 0x23);
        Put(StatusB, AlarmOn);

        Put(4, 0x08); // back to the morning
        Put(4, 0x23);
        Put(2, 0x59);

        Assert.Equal(0, Interrupts(TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void A_host_clock_that_is_set_back_stops_no_ticks()
    {
        Put(StatusB, PeriodicOn);
        Interrupts(TimeSpan.FromSeconds(1));

        _time.Utc -= TimeSpan.FromHours(1);
        Due();

        Assert.Equal(1024, Interrupts(TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void An_alarm_that_is_far_is_looked_at_now_and_then_as_the_hosts_clock_may_be_set()
    {
        PutAlarm(0x00, 0x00, 0x08);
        Put(StatusB, AlarmOn);

        Assert.Equal(TimeSpan.FromMinutes(1), Due());
    }

    [Fact]
    public void A_clock_that_nobody_has_enabled_an_interrupt_of_never_wakes_its_timer()
    {
        foreach (byte register in (byte[])[StatusA, StatusC, 0, 2, 4, 0x32, 0x40])
        {
            Put(register, 0x21);
            Get(register);
        }

        Assert.Equal(0, _wakeUps.Count);
    }

    [Fact]
    public void Its_interrupts_allocate_nothing()
    {
        PutAlarm(0xc0, 0xc0, 0xc0);
        Put(StatusB, PeriodicOn | AlarmOn | UpdateOn);
        byte[] data = [StatusC];
        Tick(data);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            Tick(data);

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.Equal(101, _line.Edges);
    }

    [Fact]
    public void The_next_of_each_kind_is_the_first_time_at_which_its_flag_is_set() =>
        Gen.Select(Gen.Int[0, 15], Gen.Int[-1, 24], Gen.Int[-1, 60], Gen.Int[-1, 60], Gen.Long[0, 3 * TimeSpan.TicksPerDay]).Sample(
            (rate, hour, minute, second, after) =>
            {
                RtcEvents events = new(rate, runs: true, new RtcAlarm(hour, minute, second));
                foreach (byte kind in (byte[])[RtcEvents.Update, RtcEvents.Alarm, RtcEvents.Periodic])
                {
                    long next = events.Next(kind, after);
                    Assert.True(next > after);
                    if (next == long.MaxValue)
                    {
                        Assert.Equal(0, events.Between(after, after + 2 * TimeSpan.TicksPerDay) & kind);
                        continue;
                    }

                    Assert.Equal(0, events.Between(after, next - 1) & kind);
                    Assert.Equal(kind, events.Between(after, next) & kind);
                    if (kind == RtcEvents.Alarm)
                        Assert.True(Fits(new TimeSpan(next), hour, minute, second));
                }
            },
            iter: 3000, threads: 1);

    private static bool Fits(TimeSpan time, int hour, int minute, int second) =>
        (hour < 0 || hour == time.Hours) && (minute < 0 || minute == time.Minutes) && (second < 0 || second == time.Seconds);

    /// <summary>How often the line rises in that time, for a guest that reads register C each time.</summary>
    private int Interrupts(TimeSpan time, byte register = 0x80)
    {
        DateTime end = _time.Utc + time;
        int interrupts = 0;
        while (true)
        {
            TimeSpan due = Due();
            if (_line.Taken() > 0)
            {
                interrupts++;
                Assert.Equal(register, Get(StatusC) & register);
                continue;
            }

            if (due == Timeout.InfiniteTimeSpan || _time.Utc + due > end)
                break;
            _time.Utc += due;
        }

        _time.Utc = end;
        return interrupts;
    }

    private void Tick(byte[] data)
    {
        _time.Utc += TimeSpan.FromSeconds(1);
        _ = ((ITimedDevice)_rtc).DoWhatIsDue();
        data[0] = StatusC;
        _rtc.Write(0, data);
        _rtc.Read(1, data);
    }

    private TimeSpan Due() => ((ITimedDevice)_rtc).DoWhatIsDue();

    private void PutAlarm(byte second, byte minute, byte hour)
    {
        Put(1, second);
        Put(3, minute);
        Put(5, hour);
    }

    private byte Get(byte index)
    {
        _rtc.Out(0, index);
        return _rtc.In(1);
    }

    private void Put(byte index, byte value)
    {
        _rtc.Out(0, index);
        _rtc.Out(1, value);
    }

    private sealed class WakeUps : IDeviceTimer
    {
        public int Count { get; private set; }

        public void Wake() => Count++;
    }
}
