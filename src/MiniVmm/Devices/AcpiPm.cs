using System.Buffers.Binary;
using System.Diagnostics;

namespace MiniVmm.Devices;

/// <summary>
/// ACPI fixed hardware (ACPI 6.5, 4.8.3): PM1 event and control registers and the PM timer. Always in ACPI
/// mode, no fixed events; SLP_EN with the S5 type switches the machine off.
/// </summary>
public sealed class AcpiPm : IBusDevice, ISuspendable
{
    /// <summary>Ports that the device takes.</summary>
    public const int Length = 12;

    /// <summary>PM timer frequency in Hz (ACPI 6.5, 4.8.3.3).</summary>
    public const ulong TimerFrequency = 3_579_545;

    private const ushort SciEnable = 1 << 0;
    private const ushort SleepEnable = 1 << 13;
    private const int SleepTypeShift = 10;
    private const long NanosecondsPerSecond = 1_000_000_000;

    // A century, far from what the arithmetic holds.
    private const long Longest = 100L * 366 * 24 * 3600 * NanosecondsPerSecond;

    private readonly IPowerControl _power;
    private readonly Func<long> _clock;
    private readonly DeviceLock _lock = new();
    private long _start;
    private ushort _enable;
    private ushort _control;

    /// <param name="power">Told when the guest switches off.</param>
    public AcpiPm(IPowerControl power)
        : this(power, Stopwatch.GetTimestamp)
    {
    }

    /// <param name="clock">As <see cref="Stopwatch"/>'s.</param>
    internal AcpiPm(IPowerControl power, Func<long> clock)
    {
        (_power, _clock) = (power, clock);
        _start = clock();
    }

    public string StateName => "acpi-pm";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        using (_lock.Hold())
        {
            writer.WriteUInt16(_enable);
            writer.WriteUInt16(_control);
            writer.WriteInt64((long)((Int128)(_clock() - _start) * NanosecondsPerSecond / Stopwatch.Frequency));
        }
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        using (_lock.Hold())
        {
            _enable = reader.ReadUInt16();
            _control = reader.ReadUInt16();
            reader.Check((_control & SleepEnable) == 0, $"control 0x{_control:x4}");
            long nanoseconds = reader.ReadInt64();
            reader.Check(nanoseconds is >= 0 and <= Longest, $"a PM timer that has run for {nanoseconds} ns");
            _start = _clock() - (long)((Int128)nanoseconds * Stopwatch.Frequency / NanosecondsPerSecond);
        }
    }

    public void Read(ulong offset, Span<byte> data)
    {
        // The registers side by side, as a guest sees them; an access of any width cuts its bytes out.
        Span<byte> registers = stackalloc byte[16];
        registers.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(registers[2..], _enable);
        BinaryPrimitives.WriteUInt16LittleEndian(registers[4..], (ushort)(_control | SciEnable));
        BinaryPrimitives.WriteUInt32LittleEndian(registers[8..], Ticks(_clock() - _start));
        registers.Slice((int)offset, data.Length).CopyTo(data);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        ushort control;
        using (_lock.Hold())
        {
            Span<byte> registers = stackalloc byte[16];
            registers.Clear();
            BinaryPrimitives.WriteUInt16LittleEndian(registers[2..], _enable);
            BinaryPrimitives.WriteUInt16LittleEndian(registers[4..], _control);
            data.CopyTo(registers[(int)offset..]);
            _enable = BinaryPrimitives.ReadUInt16LittleEndian(registers[2..]);
            control = BinaryPrimitives.ReadUInt16LittleEndian(registers[4..]);
            _control = (ushort)(control & ~SleepEnable);
        }

        if ((control & SleepEnable) != 0 && ((control >> SleepTypeShift) & 7) == IoPorts.AcpiSleepTypeS5)
            _power.PowerOff();
    }

    /// <summary>
    /// PM timer ticks in so many <see cref="Stopwatch"/> ticks; whole seconds apart, so that nothing overflows.
    /// </summary>
    internal static uint Ticks(long elapsed)
    {
        (ulong seconds, ulong rest) = Math.DivRem((ulong)elapsed, (ulong)Stopwatch.Frequency);
        return (uint)(seconds * TimerFrequency + rest * TimerFrequency / (ulong)Stopwatch.Frequency);
    }
}
