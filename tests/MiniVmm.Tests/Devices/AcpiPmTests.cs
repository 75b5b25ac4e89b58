using System.Diagnostics;
using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

public sealed class AcpiPmTests
{
    private const ulong Enable = 2;
    private const ulong Control = 4;
    private const ulong Timer = 8;
    private readonly RecordingPower _power = new();
    private readonly AcpiPm _pm;

    public AcpiPmTests() => _pm = new(_power);

    [Fact]
    public void At_first_ACPI_mode_is_on_and_nothing_is_pending()
    {
        Assert.Equal(0x0000UL, _pm.In(0, 2));
        Assert.Equal(0x0000UL, _pm.In(Enable, 2));
        Assert.Equal(0x0001UL, _pm.In(Control, 2));
    }

    [Theory]
    [InlineData(4, 2, 0x2000)]
    [InlineData(4, 2, 0x2001)]
    [InlineData(4, 4, 0x2000)]
    [InlineData(5, 1, 0x20)]
    public void Sleep_enable_with_type_0_switches_the_machine_off(ulong offset, int width, ulong value)
    {
        _pm.Out(offset, value, width);

        Assert.Equal(["power off"], _power.Calls);
        Assert.Equal(0x0001UL, _pm.In(Control, 2)); // SLP_EN always reads 0
    }

    [Fact]
    public void The_sleep_type_can_be_written_ahead_of_the_enable_bit()
    {
        _pm.Out(Control, 0x1c00, 2);
        _pm.Out(Control, 0x0001, 2);
        Assert.Empty(_power.Calls);

        _pm.Out(Control, 0x2001, 2);

        Assert.Equal(["power off"], _power.Calls);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(7)]
    public void Other_sleep_types_are_ignored(uint type)
    {
        _pm.Out(Control, (type << 10) | 0x2000, 2);

        Assert.Empty(_power.Calls);
        Assert.Equal((type << 10) | 1, _pm.In(Control, 2));
    }

    [Fact]
    public void Writes_of_the_low_byte_alone_or_of_other_registers_switch_nothing_off()
    {
        _pm.Out(Control, 0xff);
        _pm.Out(0, 0x2000, 2);
        _pm.Out(Enable, 0x2000, 2);
        _pm.Out(6, 0x2000, 2);
        _pm.Out(Timer, 0x2000_2000, 4);

        Assert.Empty(_power.Calls);
    }

    [Fact]
    public void Event_enable_bits_are_kept_and_status_bits_never_set()
    {
        _pm.Out(0, 0xffff_ffff, 4);

        Assert.Equal(0xffff_0000UL, _pm.In(0, 4));
        _pm.Out(3, 0x01);
        Assert.Equal(0x01ffUL, _pm.In(Enable, 2));
    }

    [Fact]
    public void An_access_of_any_width_that_fits_is_served_and_narrow_reads_agree_with_wide_ones()
    {
        _pm.Out(Enable, 0xa5c3, 2);
        _pm.Out(Control, 0x1402, 2);
        byte[] registers = [0, 0, 0xc3, 0xa5, 0x03, 0x14, 0, 0];
        foreach (int width in (int[])[1, 2, 4, 8])
        {
            for (int offset = 0; offset + width <= AcpiPm.Length; offset++)
            {
                byte[] data = new byte[width];
                _pm.Read((ulong)offset, data);
                int known = Math.Clamp(registers.Length - offset, 0, width);
                Assert.Equal(registers.Skip(offset).Take(known), data.Take(known));
                _pm.Write((ulong)offset, data);
            }
        }

        Assert.Empty(_power.Calls);
        Assert.Equal(0xa5c3UL, _pm.In(Enable, 2));
    }

    [Fact]
    public void The_timer_goes_forward()
    {
        uint first = (uint)_pm.In(Timer, 4);
        long since = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(since) < TimeSpan.FromMicroseconds(50))
        {
        }

        uint passed = (uint)_pm.In(Timer, 4) - first;

        Assert.InRange(passed, 50 * 3u, uint.MaxValue / 2);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(60)]
    [InlineData(1199)]
    [InlineData(1200)] // about where 32 bits are full
    [InlineData(86_400)]
    [InlineData(365L * 86_400)]
    [InlineData(100L * 365 * 86_400)]
    public void The_timer_counts_3579545_a_second_modulo_32_bits_for_years(long seconds)
    {
        UInt128 ticks = (UInt128)seconds * 3_579_545;
        long elapsed = seconds * Stopwatch.Frequency;

        Assert.Equal((uint)ticks, AcpiPm.Ticks(elapsed));
        Assert.Equal((uint)(ticks + 3_579_545 / 2), AcpiPm.Ticks(elapsed + Stopwatch.Frequency / 2));
    }
}
