using MiniVmm.Memory;

namespace MiniVmm.Devices;

/// <summary>
/// The PC's real-time clock and CMOS memory (Motorola MC146818): host time in UTC, plus what the machine's options and the
/// guest set it off by. Its periodic, alarm and update interrupts come as flags in register C, and on <see cref="Line"/>
/// where the guest has enabled them.
/// </summary>
public sealed class Rtc : ByteDevice, ISuspendable, IDescribesAccesses, ITimedDevice
{
    /// <summary>Ports that the device takes: index and data.</summary>
    public const int Length = 2;

    /// <summary>CMOS byte of the century, as the FADT says.</summary>
    public const byte CenturyIndex = 0x32;

    private const int StatusA = 0x0a;
    private const int StatusB = 0x0b;
    private const int StatusC = 0x0c;
    private const int StatusD = 0x0d;
    private const byte UpdateInProgress = 0x80;
    private const byte SetMode = 0x80;
    private const byte BinaryMode = 0x04;
    private const byte Hours24 = 0x02;
    private const byte ValidRam = 0x80;
    private const byte InterruptRequest = 0x80; // IRQF in register C

    /// <summary>CMOS bytes of the alarm's seconds, minutes and hours.</summary>
    private const int AlarmSeconds = 1, AlarmMinutes = 3, AlarmHours = 5;

    /// <summary>How long before the second turns UIP says so: 244 µs, during which nothing should be read.</summary>
    private const long UpdateTicks = 244 * TimeSpan.TicksPerMicrosecond;

    /// <summary>The host's clock may be set meanwhile, or stand still as it sleeps.</summary>
    private static readonly TimeSpan LongestSleep = TimeSpan.FromMinutes(1);

    private static readonly DateTime Earliest = new(RtcBase.FirstYear, 1, 1);
    private static readonly DateTime Latest = new(RtcBase.LastYear + 1, 1, 1);

    private readonly TimeProvider _clock;
    private readonly byte[] _cmos = new byte[128];
    private readonly DeviceLock _lock = new();
    private TimeSpan _offset;
    private long _seen; // until when the flags in register C are, in the time shown
    private bool _requested; // IRQF, of which the line has been told
    private byte _index;

    /// <param name="memory">For the memory size bytes that old kernels read.</param>
    /// <param name="clock">The host's time.</param>
    /// <param name="start">What it shows now; null for the host's time in UTC.</param>
    public Rtc(GuestMemoryMap memory, TimeProvider clock, RtcBase? start = null)
    {
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(clock);
        _clock = clock;
        _offset = start?.AheadOf(clock) ?? TimeSpan.Zero;
        _seen = Now.Ticks;
        _cmos[StatusA] = 0x26; // 32.768 kHz time base, 1024 Hz rate: what a BIOS sets
        _cmos[StatusB] = Hours24;
        _cmos[StatusD] = ValidRam;

        _cmos[0x14] = 0x06; // equipment, as QEMU has it: a coprocessor, a PS/2 mouse

        // The layout of every PC BIOS since the AT: KiB of base memory, KiB above 1 MiB, 64 KiB units above
        // 16 MiB, and (Bochs, QEMU) 64 KiB units above 4 GiB.
        Put16(0x15, 640);
        ulong extended = Math.Min((memory.ExtendedMemoryEnd - MemoryLayout.MiB) / MemoryLayout.KiB, 0xffff);
        Put16(0x17, extended);
        Put16(0x30, extended);
        ulong above16 = memory.ExtendedMemoryEnd > 16 * MemoryLayout.MiB
            ? (memory.ExtendedMemoryEnd - 16 * MemoryLayout.MiB) / (64 * MemoryLayout.KiB)
            : 0;
        Put16(0x34, Math.Min(above16, 0xffff));
        ulong high = (memory.Size - memory.LowRamEnd) / (64 * MemoryLayout.KiB);
        Put16(0x5b, high & 0xffff);
        _cmos[0x5d] = (byte)(high >> 16);
    }

    /// <summary>The interrupt line, IRQ 8; pulsed when IRQF rises. Null for a clock without.</summary>
    public IInterruptTrigger? Line { get; init; }

    /// <summary>What has the clock called when an interrupt is due; null where it has to do without.</summary>
    internal IDeviceTimer? Timer { get; set; }

    /// <inheritdoc/>
    public IAccessWords CreateWords() => new IndexedWords(
        [
            (0, "seconds"), (2, "minutes"), (4, "hours"), (6, "day of the week"), (7, "day"), (8, "month"), (9, "year"),
            (StatusA, "status A"), (StatusB, "status B"), (StatusC, "status C"), (StatusD, "status D"), (0x0f, "shutdown status"),
            (CenturyIndex, "century"),
        ],
        mask: 0x7f); // bit 7 masks NMIs

    public string StateName => "rtc";

    public ushort StateVersion => 2;

    /// <summary>Sets a byte of CMOS memory, as a battery keeps it; before the guest runs.</summary>
    /// <param name="index">15 to 127: not the clock's.</param>
    /// <param name="value">What it holds.</param>
    internal void Preset(byte index, byte value) => _cmos[index] = value;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        using (_lock.Hold())
        {
            writer.WriteByte(_index);
            writer.WriteInt64(_offset.Ticks);
            writer.WriteBytes(_cmos);
            writer.WriteInt64(_seen);
        }
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        bool waits;
        using (_lock.Hold())
        {
            _index = reader.ReadByte();
            reader.Check(_index < _cmos.Length, $"index 0x{_index:x2}");
            long offset = reader.ReadInt64();
            Int128 shown = (Int128)_clock.GetUtcNow().Ticks + offset;
            reader.Check(
                shown >= Earliest.Ticks && shown < Latest.Ticks, $"a clock that is {offset} × 100 ns off the host's");
            _offset = new TimeSpan(offset);
            ReadOnlySpan<byte> cmos = reader.ReadBytes(_cmos.Length);
            reader.Check(cmos.Length == _cmos.Length, $"{cmos.Length} bytes of CMOS memory");
            reader.Check((cmos[StatusA] & UpdateInProgress) == 0, $"status A 0x{cmos[StatusA]:x2}");
            reader.Check(
                (cmos[StatusC] & ~(reader.Version >= 2 ? RtcEvents.All : 0)) == 0, $"status C 0x{cmos[StatusC]:x2}");
            reader.Check(cmos[StatusD] == ValidRam, $"status D 0x{cmos[StatusD]:x2}");
            cmos.CopyTo(_cmos);
            _seen = reader.Version >= 2 ? reader.ReadInt64() : Now.Ticks;
            reader.Check(_seen >= 0, $"flags until {_seen} × 100 ns");
            _requested = Requests; // the interrupt controllers' state has the edge: it is in them when the line's call returns
            waits = Enabled != 0;
        }

        if (waits)
            Timer?.Wake();
    }

    TimeSpan ITimedDevice.DoWhatIsDue()
    {
        TimeSpan delay = Timeout.InfiniteTimeSpan;
        bool rises;
        using (_lock.Hold())
        {
            CatchUp();
            rises = Rises();

            // Until the guest has read register C, there is no other edge.
            if (!_requested && Events.Next(Enabled, _seen) is var next and < long.MaxValue)
                delay = new TimeSpan(Math.Min(next - _seen, LongestSleep.Ticks));
        }

        if (rises)
            Line?.Trigger();
        return delay;
    }

    protected override byte ReadByte(uint offset)
    {
        if (offset == 0)
            return 0xff; // the index port is write-only
        byte value;
        bool answered = false;
        using (_lock.Hold())
        {
            value = ReadCmos();
            if (_index == StatusC)
            {
                answered = _requested;
                _requested = false;
            }
        }

        if (answered)
            Timer?.Wake();
        return value;
    }

    protected override void WriteByte(uint offset, byte value)
    {
        bool rises = false;
        bool waits = false;
        using (_lock.Hold())
        {
            if (offset == 0)
            {
                _index = (byte)(value & 0x7f); // bit 7 masks the NMI on a PC
            }
            else
            {
                CatchUp();
                WriteCmos(value);
                rises = Rises();
                waits = Enabled != 0 && !_requested && _index is < 14 and not StatusC and not StatusD;
            }
        }

        if (rises)
            Line?.Trigger();
        if (waits)
            Timer?.Wake();
    }

    private DateTime Now => _clock.GetUtcNow().UtcDateTime + _offset;

    /// <summary>The kinds of interrupts that the guest has enabled, as register C's flags.</summary>
    private byte Enabled => (byte)(_cmos[StatusB] & RtcEvents.All);

    /// <summary>IRQF: a flag that is set, and enabled.</summary>
    private bool Requests => (_cmos[StatusC] & Enabled) != 0;

    private RtcEvents Events => new(_cmos[StatusA] & 0x0f, (_cmos[StatusB] & SetMode) == 0, new RtcAlarm(
        RtcAlarm.IsAny(_cmos[AlarmHours]) ? RtcAlarm.Any : DecodeHour(_cmos[AlarmHours]),
        RtcAlarm.IsAny(_cmos[AlarmMinutes]) ? RtcAlarm.Any : Decode(_cmos[AlarmMinutes]),
        RtcAlarm.IsAny(_cmos[AlarmSeconds]) ? RtcAlarm.Any : Decode(_cmos[AlarmSeconds])));

    /// <summary>Brings register C's flags up to now; before anything changes that they come of.</summary>
    private void CatchUp()
    {
        long now = Now.Ticks;
        if (now > _seen)
            _cmos[StatusC] |= Events.Between(_seen, now);
        _seen = now; // also where the host's clock was set back
    }

    /// <summary>Whether IRQF has risen, of which the line is to be told.</summary>
    private bool Rises()
    {
        bool before = _requested;
        _requested = Requests;
        return _requested && !before;
    }

    private byte ReadCmos()
    {
        bool runs = (_cmos[StatusB] & SetMode) == 0;
        if (runs)
            StoreTime(Now);
        switch (_index)
        {
            case StatusA:
                bool updating = runs && TimeSpan.TicksPerSecond - Now.Ticks % TimeSpan.TicksPerSecond <= UpdateTicks;
                return (byte)(_cmos[StatusA] | (updating ? UpdateInProgress : 0));
            case StatusC:
                CatchUp();
                byte flags = (byte)(_cmos[StatusC] | (Requests ? InterruptRequest : 0));
                _requested = Requests;
                _cmos[StatusC] = 0; // reading clears them
                return flags;
            default:
                return _cmos[_index];
        }
    }

    private void WriteCmos(byte value)
    {
        bool setting = (_cmos[StatusB] & SetMode) != 0;
        switch (_index)
        {
            case StatusA:
                _cmos[StatusA] = (byte)(value & 0x7f);
                break;
            case StatusB:
                if (!setting)
                    StoreTime(Now); // the clock stops at what it shows
                _cmos[StatusB] = (value & SetMode) != 0 ? (byte)(value & ~RtcEvents.Update) : value; // SET clears UIE
                if (setting && (value & SetMode) == 0)
                    LoadTime();
                break;
            case StatusC or StatusD:
                break;
            case 0 or 2 or 4 or 6 or 7 or 8 or 9 or CenturyIndex:
                if (!setting)
                    StoreTime(Now);
                _cmos[_index] = value;
                if (!setting)
                    LoadTime();
                break;
            default:
                _cmos[_index] = value;
                break;
        }
    }

    private void StoreTime(DateTime time)
    {
        _cmos[0] = Encode(time.Second);
        _cmos[2] = Encode(time.Minute);
        _cmos[4] = (_cmos[StatusB] & Hours24) != 0
            ? Encode(time.Hour)
            : (byte)(Encode((time.Hour + 11) % 12 + 1) | (time.Hour >= 12 ? 0x80 : 0));
        _cmos[6] = Encode((int)time.DayOfWeek + 1);
        _cmos[7] = Encode(time.Day);
        _cmos[8] = Encode(time.Month);
        _cmos[9] = Encode(time.Year % 100);
        _cmos[CenturyIndex] = Encode(time.Year / 100);
    }

    /// <summary>
    /// Sets the offset so that the clock shows what the guest wrote; a date that is none changes nothing.
    /// </summary>
    private void LoadTime()
    {
        int hour = DecodeHour(_cmos[4]);
        int year = Decode(_cmos[CenturyIndex]) * 100 + Decode(_cmos[9]);
        int month = Decode(_cmos[8]);
        int day = Decode(_cmos[7]);
        int minute = Decode(_cmos[2]);
        int second = Decode(_cmos[0]);

        if (year < Earliest.Year || year >= Latest.Year || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month)
            || hour > 23 || minute > 59 || second > 59)
            return;
        _offset =
            new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc) - _clock.GetUtcNow().UtcDateTime;
        _seen = Now.Ticks; // the time between was never shown
    }

    private byte Encode(int value) =>
        (_cmos[StatusB] & BinaryMode) != 0 ? (byte)value : (byte)((value / 10 << 4) | (value % 10));

    private int Decode(byte value) =>
        (_cmos[StatusB] & BinaryMode) != 0 ? value : (value >> 4) * 10 + (value & 0x0f);

    private int DecodeHour(byte value) => (_cmos[StatusB] & Hours24) != 0
        ? Decode(value)
        : Decode((byte)(value & 0x7f)) % 12 + ((value & 0x80) != 0 ? 12 : 0);

    private void Put16(int index, ulong value)
    {
        _cmos[index] = (byte)value;
        _cmos[index + 1] = (byte)(value >> 8);
    }
}
