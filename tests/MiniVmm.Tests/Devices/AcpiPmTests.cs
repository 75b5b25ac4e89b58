using System.Diagnostics;
using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

public sealed class AcpiPmTests
{
    private const ulong Enable = 2;
    private const ulong Control = 4;
    private const ulong Timer = 8;
    private const ulong PowerButton = 0x100;
    private readonly RecordingLevel _sci = new();
    private readonly RecordingPower _power = new();
    private readonly AcpiPm _pm;

    public AcpiPmTests() => _pm = new(_sci, _power);

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
    public void The_enable_bits_of_the_five_fixed_events_are_kept_and_no_status_bit_is_set_by_a_write()
    {
        _pm.Out(0, 0xffff_ffff, 4);

        Assert.Equal(0x0721_0000UL, _pm.In(0, 4));
        _pm.Out(3, 0x01);
        Assert.Equal(0x0121UL, _pm.In(Enable, 2));
        Assert.Empty(_sci.Calls);
    }

    [Fact]
    public void The_release_bit_of_the_global_lock_and_reserved_control_bits_read_0()
    {
        _pm.Out(Control, 0xdfff, 2);

        Assert.Equal(0x1c03UL, _pm.In(Control, 2));
    }

    [Fact]
    public void A_press_that_the_guest_listens_for_asserts_the_interrupt_until_the_guest_clears_the_status()
    {
        _pm.Out(Enable, PowerButton, 2);

        Assert.True(_pm.PressPowerButton());

        Assert.Equal(PowerButton, _pm.In(0, 2));
        Assert.Equal([true], _sci.Calls);
        _pm.Out(0, PowerButton, 2);
        Assert.Equal(0UL, _pm.In(0, 2));
        Assert.Equal([true, false], _sci.Calls);
    }

    [Fact]
    public void A_press_without_a_listener_is_told_so_and_stays_pending_without_an_interrupt()
    {
        _pm.Out(Enable, 0x0621, 2); // every event but the button

        Assert.False(_pm.PressPowerButton());

        Assert.Equal(PowerButton, _pm.In(0, 2));
        Assert.Empty(_sci.Calls);
    }

    [Fact]
    public void A_press_before_the_event_is_enabled_interrupts_when_it_is()
    {
        _pm.PressPowerButton();

        _pm.Out(Enable, PowerButton, 2);

        Assert.Equal([true], _sci.Calls);
    }

    [Fact]
    public void A_pending_press_that_is_cleared_before_the_event_is_enabled_does_not_interrupt()
    {
        _pm.PressPowerButton();

        _pm.Out(0, PowerButton, 2);
        _pm.Out(Enable, PowerButton, 2);

        Assert.Empty(_sci.Calls);
    }

    [Fact]
    public void A_restored_press_holds_the_interrupt_until_the_guest_clears_it()
    {
        _pm.Out(Enable, PowerButton, 2);
        _pm.PressPowerButton();
        RecordingLevel sci = new();
        AcpiPm other = new(sci, _power);

        StateReader.Restore(other, StateWriter.Save(_pm));

        Assert.Equal([true], sci.Calls);
        other.Out(0, PowerButton, 2);
        Assert.Equal([true, false], sci.Calls);
    }

    [Fact]
    public void Disabling_the_event_takes_the_interrupt_back_and_enabling_it_brings_it_again()
    {
        _pm.Out(Enable, PowerButton, 2);
        _pm.PressPowerButton();

        _pm.Out(Enable, 0, 2);
        _pm.Out(Enable, PowerButton, 2);

        Assert.Equal([true, false, true], _sci.Calls);
        Assert.Equal(PowerButton, _pm.In(0, 2));
    }

    [Theory]
    [InlineData(0, 2, 0x0000)] // zeros clear nothing
    [InlineData(0, 2, 0xfeff)] // nor do the ones of other bits
    [InlineData(0, 1, 0xff)]
    [InlineData(1, 1, 0xfe)]
    [InlineData(2, 2, 0x0100)] // nor what is written to other registers
    [InlineData(2, 1, 0x21)]
    [InlineData(3, 1, 0x01)]
    [InlineData(4, 2, 0xdfff)]
    [InlineData(8, 4, 0xffff_ffff)]
    public void Only_a_1_in_its_own_bit_clears_a_press(ulong offset, int width, ulong value)
    {
        _pm.Out(Enable, PowerButton, 2);
        _pm.PressPowerButton();

        _pm.Out(offset, value, width);

        Assert.Equal(PowerButton, _pm.In(0, 2));
        Assert.Equal([true], _sci.Calls);
    }

    [Theory]
    [InlineData(0, 2, 0x0100)]
    [InlineData(1, 1, 0x01)]
    [InlineData(0, 4, 0x0100_0100)]
    [InlineData(0, 2, 0xffff)]
    public void A_press_is_cleared_by_accesses_of_each_width(ulong offset, int width, ulong value)
    {
        _pm.Out(Enable, PowerButton, 2);
        _pm.PressPowerButton();

        _pm.Out(offset, value, width);

        Assert.Equal(0UL, _pm.In(0, 2));
        Assert.Equal(PowerButton, _pm.In(Enable, 2));
        Assert.Equal([true, false], _sci.Calls);
    }

    [Fact]
    public void A_second_press_before_the_first_is_cleared_is_the_same_one()
    {
        _pm.Out(Enable, PowerButton, 2);

        Assert.True(_pm.PressPowerButton());
        Assert.True(_pm.PressPowerButton());

        Assert.Equal([true], _sci.Calls);
        _pm.Out(0, PowerButton, 2);
        Assert.True(_pm.PressPowerButton());
        Assert.Equal([true, false, true], _sci.Calls);
    }

    [Fact]
    public void A_clear_that_overtakes_the_press_on_its_way_to_the_line_leaves_the_line_low()
    {
        _pm.Out(Enable, PowerButton, 2);
        _sci.Meanwhile = () => _pm.Out(0, PowerButton, 2);

        _pm.PressPowerButton();

        Assert.Equal([false, true, false], _sci.Calls);
    }

    [Fact]
    public void A_press_that_overtakes_the_clear_on_its_way_to_the_line_leaves_the_line_high()
    {
        _pm.Out(Enable, PowerButton, 2);
        _pm.PressPowerButton();
        _sci.Meanwhile = () => _pm.PressPowerButton();

        _pm.Out(0, PowerButton, 2);

        Assert.Equal([true, true, false, true], _sci.Calls);
        Assert.True(_sci.Asserted);
    }

    [Fact]
    public void An_access_of_any_width_that_fits_is_served_and_narrow_reads_agree_with_wide_ones()
    {
        _pm.Out(Enable, 0x0521, 2);
        _pm.Out(Control, 0x1402, 2);
        byte[] registers = [0, 0, 0x21, 0x05, 0x03, 0x14, 0, 0];
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
        Assert.Equal(0x0521UL, _pm.In(Enable, 2));
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
