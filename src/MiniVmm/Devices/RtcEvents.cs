namespace MiniVmm.Devices;

/// <summary>
/// What a clock chip's time brings about (MC146818A data sheet, registers A and C): ticks at the periodic rate, the alarm,
/// and the end of each second's update. Worked out for a stretch of time when somebody looks, so that nothing has to tick.
/// Times are in units of 100 ns, as the clock shows them.
/// </summary>
/// <param name="rate">Register A's low 4 bits: 0 for no ticks, 3 to 15 for 8192 to 2 Hz, 1 and 2 for 256 and 128 Hz.</param>
/// <param name="runs">Whether the time goes on; while it is being set, only the periodic ticks do.</param>
/// <param name="alarm">When the alarm is.</param>
internal readonly struct RtcEvents(int rate, bool runs, RtcAlarm alarm)
{
    /// <summary>UF in register C, UIE in register B.</summary>
    public const byte Update = 0x10;

    /// <summary>AF and AIE.</summary>
    public const byte Alarm = 0x20;

    /// <summary>PF and PIE.</summary>
    public const byte Periodic = 0x40;

    public const byte All = Update | Alarm | Periodic;

    private const long Second = TimeSpan.TicksPerSecond;

    /// <summary>The chip's crystal, in Hz.</summary>
    private const int Crystal = 32768;

    private readonly RtcAlarm _alarm = alarm;

    /// <summary>Cycles of the crystal from one periodic tick to the next; it divides a second's. 0 for none.</summary>
    private readonly int _period = rate switch
    {
        0 => 0,
        1 or 2 => 64 << rate,
        _ => 1 << (rate - 1),
    };

    /// <summary>Which happen after one time and until another: a set of the flags.</summary>
    public byte Between(long after, long until)
    {
        byte flags = 0;
        foreach (byte kind in (ReadOnlySpan<byte>)[Update, Alarm, Periodic])
        {
            if (Next(kind, after) <= until)
                flags |= kind;
        }

        return flags;
    }

    /// <summary>When the first of some kinds happens after a time; <see cref="long.MaxValue"/> for never.</summary>
    public long Next(byte kinds, long after)
    {
        long next = long.MaxValue;
        if ((kinds & Periodic) != 0 && _period != 0)
            next = NextTick(after);
        if (!runs)
            return next;
        long second = after / Second + 1;
        if ((kinds & Update) != 0)
            next = Math.Min(next, second * Second);
        if ((kinds & Alarm) != 0 && _alarm.First(second) is var due && due >= 0)
            next = Math.Min(next, due * Second);
        return next;
    }

    private long NextTick(long after)
    {
        (long seconds, long rest) = Math.DivRem(after, Second);
        long cycle = (rest * Crystal / Second / _period + 1) * _period;
        return seconds * Second + (cycle * Second + Crystal - 1) / Crystal;
    }
}
