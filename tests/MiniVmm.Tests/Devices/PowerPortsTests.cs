using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

/// <summary>The ports by which a guest resets, exits, or prints without a driver.</summary>
public sealed class PowerPortsTests
{
    private readonly RecordingPower _power = new();

    [Theory]
    [InlineData(0x06)]
    [InlineData(0x04)]
    [InlineData(0xff)]
    public void The_reset_register_resets_with_bit_2(byte value)
    {
        ResetControl reset = new(_power);

        reset.Out(0, 0x02); // what Linux writes first: a hard reset is meant
        Assert.Equal(0x02, reset.In(0));
        Assert.Empty(_power.Calls);
        reset.Out(0, value);

        Assert.Equal(["reset"], _power.Calls);
    }

    [Fact]
    public void Port_92_has_A20_open_always_and_resets_with_bit_0()
    {
        SystemControlPortA port = new(_power);

        port.Out(0, 0x00);
        Assert.Equal(0x02, port.In(0));
        port.Out(0, 0x02);
        Assert.Empty(_power.Calls);
        port.Out(0, 0x03);

        Assert.Equal(["reset"], _power.Calls);
    }

    [Fact]
    public void The_i8042_resets_on_command_fe()
    {
        I8042 controller = new(_power);

        controller.Out(4, 0xfe);

        Assert.Equal(["reset"], _power.Calls);
    }

    [Fact]
    public void The_i8042_resets_when_the_output_ports_bit_0_goes_low()
    {
        I8042 controller = new(_power);

        controller.Out(4, 0xd1);
        controller.Out(0, 0xdf); // A20 open
        controller.Out(0, 0xfe); // no command waits for this one
        Assert.Empty(_power.Calls);
        controller.Out(4, 0xd1);
        controller.Out(0, 0xfe);

        Assert.Equal(["reset"], _power.Calls);
    }

    [Theory]
    [InlineData(0xaa, 0x55)]
    [InlineData(0xa9, 0x00)]
    [InlineData(0xab, 0x00)]
    [InlineData(0xd0, 0x03)]
    [InlineData(0x20, 0x65)]
    public void The_i8042_answers_a_command_with_its_output_full_until_the_answer_is_read(byte command, byte answer)
    {
        I8042 controller = new(_power);
        Assert.Equal(0x1c, controller.In(4));

        controller.Out(4, command);

        Assert.Equal(0x1d, controller.In(4));
        Assert.Equal(answer, controller.In(0));
        Assert.Equal(0x1c, controller.In(4));
        Assert.Empty(_power.Calls);
    }

    [Fact]
    public void The_i8042_keeps_its_command_byte()
    {
        I8042 controller = new(_power);

        controller.Out(4, 0x60);
        controller.Out(0, 0x47);
        controller.Out(0, 0xee); // to the keyboard
        Assert.Equal(0xee, controller.In(0));
        controller.Out(4, 0x20);

        Assert.Equal(0x47, controller.In(0));
    }

    [Fact]
    public void The_i8042s_ports_between_data_and_command_are_open()
    {
        I8042 controller = new(_power);

        for (ulong offset = 1; offset < 4; offset++)
        {
            controller.Out(offset, 0xfe);
            Assert.Equal(0xff, controller.In(offset));
        }

        Assert.Empty(_power.Calls);
        Assert.Equal(0xffff_ff00UL, controller.In(0, 4));
    }

    [Theory]
    [InlineData(0, 1, 0x12, "debug exit 12")]
    [InlineData(0, 2, 0x1234, "debug exit 1234")]
    [InlineData(0, 4, 0x12345678, "debug exit 12345678")]
    [InlineData(3, 1, 0x21, "debug exit 21")]
    public void Debug_exit_takes_any_width_at_any_of_its_ports(ulong offset, int width, ulong value, string call)
    {
        DebugExit exit = new(_power);

        exit.Out(offset, value, width);

        Assert.Equal([call], _power.Calls);
        Assert.Equal(0UL, exit.In(offset, width));
    }

    [Fact]
    public void The_debug_console_prints_and_says_that_it_is_there()
    {
        RecordingSink sink = new();
        DebugConsole console = new(sink);

        console.Out(0, (byte)'x');

        Assert.Equal([(byte)'x'], sink.Bytes);
        Assert.Equal(0xe9, console.In(0));
    }
}
