using System.Buffers.Binary;
using System.Diagnostics;

namespace MiniVmm.Devices;

/// <summary>
/// ACPI fixed hardware (ACPI 6.5, 4.8.3): PM1 event and control registers and the PM timer. Always in ACPI mode: SCI_EN
/// is 1, since there is no SMI_CMD port. The only event is the power button; SLP_EN with the S5 type switches the
/// machine off.
/// </summary>
public sealed class AcpiPm : IBusDevice, ISuspendable, IDescribesAccesses
{
    /// <summary>Ports that the device takes.</summary>
    public const int Length = 12;

    /// <summary>PM timer frequency in Hz (ACPI 6.5, 4.8.3.3).</summary>
    public const ulong TimerFrequency = 3_579_545;

    /// <summary>PWRBTN_STS and PWRBTN_EN (tables 4.10 and 4.11).</summary>
    private const ushort PowerButton = 1 << 8;

    /// <summary>
    /// TMR_EN, GBL_EN, PWRBTN_EN, SLPBTN_EN, RTC_EN. All can be set, although only the button's event comes: ACPICA
    /// reports an error when an enable bit does not read back.
    /// </summary>
    private const ushort EnableBits = (1 << 0) | (1 << 5) | PowerButton | (1 << 9) | (1 << 10);

    private const ushort SciEnable = 1 << 0;
    private const ushort BusMasterReload = 1 << 1;
    private const ushort SleepEnable = 1 << 13;
    private const int SleepTypeShift = 10;
    private const ushort SleepType = 7 << SleepTypeShift;
    private const ushort ControlBits = BusMasterReload | SleepType;
    private const long NanosecondsPerSecond = 1_000_000_000;

    // A century, far from what the arithmetic holds.
    private const long Longest = 100L * 366 * 24 * 3600 * NanosecondsPerSecond;

    private readonly LevelLine _sci;
    private readonly IPowerControl _power;
    private readonly Func<long> _clock;
    private readonly DeviceLock _lock = new();
    private long _start;
    private ushort _status;
    private ushort _enable;
    private ushort _control;

    /// <param name="sci">Interrupts for the events that the guest has enabled.</param>
    /// <param name="power">Told when the guest switches off.</param>
    public AcpiPm(ILevelInterrupt sci, IPowerControl power)
        : this(sci, power, Stopwatch.GetTimestamp)
    {
    }

    /// <param name="clock">As <see cref="Stopwatch"/>'s.</param>
    internal AcpiPm(ILevelInterrupt sci, IPowerControl power, Func<long> clock)
    {
        (_sci, _power, _clock) = (new(sci), power, clock);
        _start = clock();
    }

    /// <inheritdoc/>
    public IAccessWords CreateWords() => new AcpiPmWords();

    public string StateName => "acpi-pm";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        using (_lock.Hold())
        {
            writer.WriteUInt16(_status);
            writer.WriteUInt16(_enable);
            writer.WriteUInt16(_control);
            writer.WriteInt64((long)((Int128)(_clock() - _start) * NanosecondsPerSecond / Stopwatch.Frequency));
        }
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        bool sciChanged;
        using (_lock.Hold())
        {
            _status = reader.ReadUInt16();
            reader.Check((_status & ~PowerButton) == 0, $"status 0x{_status:x4}");
            _enable = reader.ReadUInt16();
            reader.Check((_enable & ~EnableBits) == 0, $"enable 0x{_enable:x4}");
            _control = reader.ReadUInt16();
            reader.Check((_control & ~ControlBits) == 0, $"control 0x{_control:x4}");
            long nanoseconds = reader.ReadInt64();
            reader.Check(nanoseconds is >= 0 and <= Longest, $"a PM timer that has run for {nanoseconds} ns");
            _start = _clock() - (long)((Int128)nanoseconds * Stopwatch.Frequency / NanosecondsPerSecond);
            sciChanged = UpdateSci();
        }

        // The interrupt controllers' state has the pin's level, but KVM does not have who holds it up.
        if (sciChanged)
            _sci.Drive();
    }

    public void Read(ulong offset, Span<byte> data)
    {
        // The registers side by side, as a guest sees them; an access of any width cuts its bytes out.
        Span<byte> registers = stackalloc byte[16];
        registers.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(registers, Volatile.Read(ref _status));
        BinaryPrimitives.WriteUInt16LittleEndian(registers[2..], _enable);
        BinaryPrimitives.WriteUInt16LittleEndian(registers[4..], (ushort)(_control | SciEnable));
        BinaryPrimitives.WriteUInt32LittleEndian(registers[8..], Ticks(_clock() - _start));
        registers.Slice((int)offset, data.Length).CopyTo(data);
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        ushort control;
        bool sciChanged;
        using (_lock.Hold())
        {
            // The status register as zeros: a 1 clears, and bytes not written must clear nothing.
            Span<byte> registers = stackalloc byte[16];
            registers.Clear();
            BinaryPrimitives.WriteUInt16LittleEndian(registers[2..], _enable);
            BinaryPrimitives.WriteUInt16LittleEndian(registers[4..], _control);
            data.CopyTo(registers[(int)offset..]);
            _status &= (ushort)~BinaryPrimitives.ReadUInt16LittleEndian(registers);
            _enable = (ushort)(BinaryPrimitives.ReadUInt16LittleEndian(registers[2..]) & EnableBits);
            control = BinaryPrimitives.ReadUInt16LittleEndian(registers[4..]);
            _control = (ushort)(control & ControlBits);
            sciChanged = UpdateSci();
        }

        if (sciChanged)
            _sci.Drive();
        if ((control & SleepEnable) != 0 && (control & SleepType) >> SleepTypeShift == IoPorts.AcpiSleepTypeS5)
            _power.PowerOff();
    }

    /// <summary>
    /// Presses the power button and lets it go. Any thread may call it. The press stays pending until the guest clears
    /// it; a second one meanwhile is the same press.
    /// </summary>
    /// <returns>
    /// Whether the guest has enabled the button's event. If not, it learns of the press when it enables the event without
    /// clearing it first; Linux and FreeBSD clear it.
    /// </returns>
    public bool PressPowerButton()
    {
        bool enabled;
        bool sciChanged;
        using (_lock.Hold())
        {
            _status |= PowerButton;
            enabled = (_enable & PowerButton) != 0;
            sciChanged = UpdateSci();
        }

        if (sciChanged)
            _sci.Drive();
        return enabled;
    }

    /// <summary>
    /// PM timer ticks in so many <see cref="Stopwatch"/> ticks; whole seconds apart, so that nothing overflows.
    /// </summary>
    internal static uint Ticks(long elapsed)
    {
        (ulong seconds, ulong rest) = Math.DivRem((ulong)elapsed, (ulong)Stopwatch.Frequency);
        return (uint)(seconds * TimerFrequency + rest * TimerFrequency / (ulong)Stopwatch.Frequency);
    }

    /// <summary>Works out the SCI's level from the registers, under the lock.</summary>
    /// <returns>Whether it changed.</returns>
    private bool UpdateSci() => _sci.Want((_status & _enable) != 0);
}
