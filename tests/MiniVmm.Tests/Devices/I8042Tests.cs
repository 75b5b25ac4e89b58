using CsCheck;
using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

/// <summary>The keyboard controller with its keyboard and mouse, as a driver talks to them.</summary>
public sealed class I8042Tests
{
    private const ulong Data = 0;
    private const ulong Command = 4;
    private const byte A = 0x1e, AInSet2 = 0x1c;
    private readonly RecordingInterrupt _irq1 = new();
    private readonly RecordingInterrupt _irq12 = new();
    private readonly I8042 _controller;

    public I8042Tests() => _controller = new(new RecordingPower()) { KeyboardLine = _irq1, MouseLine = _irq12 };

    [Fact]
    public void A_kernel_that_does_nothing_but_listen_gets_scan_codes_of_set_1_with_an_interrupt_each()
    {
        Press(A);
        Release(A);

        Assert.Equal(1, _irq1.Taken()); // the next byte comes when the first has been read
        Assert.Equal(0x01, In(Command) & 0x21);
        Assert.Equal(A, In(Data));
        Assert.Equal(1, _irq1.Taken());
        Assert.Equal(A | 0x80, In(Data));
        Assert.Equal(0, _irq1.Taken());
        Assert.Equal(0x00, In(Command) & 0x21);
        Assert.Equal(0, _irq12.Edges);
    }

    [Fact]
    public void Without_interrupts_the_status_tells_of_a_key()
    {
        WriteCommandByte(0x40);

        Press(A);

        Assert.Equal(0, _irq1.Edges);
        Assert.Equal(1, In(Command) & 1);
        Assert.Equal(A, In(Data));
    }

    [Fact]
    public void A_key_that_waits_interrupts_as_soon_as_interrupts_are_on()
    {
        WriteCommandByte(0x40);
        Press(A);
        WriteCommandByte(0x41);

        Assert.Equal(1, _irq1.Taken());
    }

    [Fact]
    public void Without_translation_the_keyboard_is_heard_as_it_speaks()
    {
        WriteCommandByte(0x01);
        Press(A);
        Release(A);

        Assert.Equal([AInSet2, 0xf0, AInSet2], Read());
    }

    [Fact]
    public void Every_key_is_the_same_in_set_1_and_in_set_2_translated()
    {
        foreach (ushort code in KeysOfAKeyboard)
        {
            foreach (bool down in (bool[])[true, false])
            {
                byte[] set1 = Sequence(new(code), 1, down), translated = Translated(Sequence(new(code), 2, down));
                Assert.Equal(set1, translated);
            }
        }
    }

    [Fact]
    public void In_set_2_no_two_keys_send_the_same() =>
        Assert.Equal(
            KeysOfAKeyboard.Length, KeysOfAKeyboard.Select(code => Convert.ToHexString(Sequence(new(code), 2, down: true))).Distinct().Count());

    [Theory]
    [InlineData(0x76, 0x01)] // Esc
    [InlineData(0x05, 0x3b)] // F1
    [InlineData(0x83, 0x41)] // F7
    [InlineData(0x07, 0x58)] // F12
    [InlineData(0x5a, 0x1c)] // Enter
    [InlineData(0x12, 0x2a)] // left Shift
    [InlineData(0x29, 0x39)] // space
    [InlineData(0xfa, 0xfa)] // an answer passes
    [InlineData(0xaa, 0xaa)]
    public void Translation_is_the_8042s(byte set2, byte set1) => Assert.Equal(set1, ScanCode.Translate(set2));

    [Fact]
    public void A_driver_resets_the_keyboard_asks_who_it_is_sets_its_lights_and_its_scan_codes()
    {
        Assert.Equal([0xfa, 0xaa], Ask(0xff));
        Assert.Equal([0xfa, 0xab, 0x41], Ask(0xf2)); // 0x83, translated
        Assert.Equal([0xfa], Ask(0xed));
        Assert.Equal([0xfa], Ask(0x07));
        Assert.Equal([0xfa], Ask(0xf3));
        Assert.Equal([0xfa], Ask(0x20));
        Assert.Equal([0xee], Ask(0xee));
        Assert.Equal([0xfe], Ask(0x12)); // no command
        WriteCommandByte(0x01);
        Assert.Equal([0xfa], Ask(0xf0));
        Assert.Equal([0xfa, 0x02], Ask(0x00));
        Assert.Equal([0xfa], Ask(0xf0));
        Assert.Equal([0xfa], Ask(0x01));
        Press(A);
        Assert.Equal([A], Read());
        Assert.Equal([0xfa], Ask(0xf5));
        Press(A);
        Assert.Equal([], Read()); // not scanning
        Assert.Equal([0xfa], Ask(0xf4));
        Press(A);
        Assert.Equal([AInSet2], Read()); // 0xf5 has set the defaults
        Assert.Equal([AInSet2], Ask(0xfe)); // say that again
    }

    [Fact]
    public void A_disabled_keyboard_keeps_its_keys()
    {
        _controller.Out(Command, 0xad);
        Press(A);
        Assert.Equal(0, _irq1.Edges);

        _controller.Out(Command, 0xae);

        Assert.Equal([A], Read());
        Assert.Equal(1, _irq1.Edges);
    }

    [Fact]
    public void Pause_and_print_screen_send_their_sequences()
    {
        Press(ScanCode.Pause.code);
        Release(ScanCode.Pause.code);
        Assert.Equal([0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5], Read());
        Press(ScanCode.PrintScreen.code);
        Release(ScanCode.PrintScreen.code);
        Assert.Equal([0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa], Read());
    }

    [Fact]
    public void A_guest_that_never_reads_is_not_typed_at_without_end()
    {
        int pressed = 0;
        while (_controller.TryReport(new(A), down: true))
            pressed++;

        Assert.InRange(pressed, Ps2Keyboard.QueueSize - 1, Ps2Keyboard.QueueSize + 1);
        Assert.Equal(pressed, Read().Length);
    }

    [Fact]
    public void The_mouse_is_found_with_its_wheel_and_moves()
    {
        Assert.Equal(0x00, Controller(0xa9));
        _controller.Out(Command, 0xa8);
        WriteCommandByte(0x43);
        Assert.Equal([0xfa, 0xaa, 0x00], AskMouse(0xff));
        foreach (byte rate in (byte[])[200, 100, 80])
        {
            Assert.Equal([0xfa], AskMouse(0xf3));
            Assert.Equal([0xfa], AskMouse(rate));
        }

        Assert.Equal([0xfa, 0x03], AskMouse(0xf2));
        _controller.MoveMouse(1, 1, 0, 0);
        Assert.Empty(Read()); // not enabled
        Assert.Equal([0xfa, 0x08, 0x01, 0x01, 0x00], AskMouse(0xf4));
        _irq12.Taken();

        _controller.MoveMouse(5, -3, 1, 0x01);

        Assert.Equal(0x21, In(Command) & 0x21);
        Assert.Equal([0x29, 0x05, 0xfd, 0x01], Read());
        Assert.Equal(4, _irq12.Taken());
        Assert.Equal(0, _irq1.Edges);
    }

    [Fact]
    public void A_long_way_is_several_packets_and_no_movement_is_lost()
    {
        AskMouse(0xf4);
        for (int i = 0; i < 100; i++)
            _controller.MoveMouse(100, -100, 0, 0);

        int x = 0, y = 0;
        foreach (byte[] packet in Read().Chunk(3))
        {
            x += packet[1] - ((packet[0] & 0x10) << 4);
            y += packet[2] - ((packet[0] & 0x20) << 3);
        }

        Assert.Equal((10_000, -10_000), (x, y));
    }

    [Fact]
    public void A_click_is_reported_without_movement()
    {
        AskMouse(0xf4);
        _controller.MoveMouse(0, 0, 0, 2);
        _controller.MoveMouse(0, 0, 0, 0);

        Assert.Equal([0x0a, 0, 0, 0x08, 0, 0], Read());
    }

    [Fact]
    public void Whatever_a_guest_writes_the_controller_goes_on_and_answers_a_reset()
    {
        Gen<(int Kind, byte Value)[]> steps = Gen.Select(Gen.Int[0, 4], Gen.Byte).Array[0, 300];
        steps.Sample(all =>
        {
            I8042 controller = new(new RecordingPower()) { KeyboardLine = new RecordingInterrupt() };
            foreach ((int kind, byte value) in all)
            {
                switch (kind)
                {
                    case 0:
                        controller.Out(Data, value);
                        break;
                    case 1:
                        controller.Out(Command, value);
                        break;
                    case 2:
                        _ = controller.In(Data);
                        break;
                    case 3:
                        controller.TryReport(new((ushort)(value & 0x7f)), down: value > 0x7f);
                        break;
                    default:
                        controller.MoveMouse(value * 100, -value, value, value);
                        break;
                }
            }

            controller.Out(Command, 0x60); // no interrupts, all on
            controller.Out(Data, 0x00);
            for (int i = 0; i < 10_000 && (controller.In(Command) & 1) != 0; i++)
                _ = controller.In(Data);
            controller.Out(Data, 0xff); // ends a command that waits for a byte
            while ((controller.In(Command) & 1) != 0)
                _ = controller.In(Data);
            controller.Out(Data, 0xff);
            Assert.Equal(0xfaUL, controller.In(Data));
            Assert.Equal(0xaaUL, controller.In(Data));
        });
    }

    [Fact]
    public void Nothing_is_allocated_when_a_guest_uses_it()
    {
        Press(A);
        Assert.Equal(0, Allocations.Steady(() =>
        {
            byte[] data = [0xf2];
            long before = GC.GetAllocatedBytesForCurrentThread();
            _controller.Write(Data, data);
            for (int i = 0; i < 4; i++)
                _controller.Read(Data, data);
            _controller.TryReport(new(A), down: true);
            _controller.Read(Command, data);
            _controller.Read(Data, data);
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));
    }

    private static ushort[] KeysOfAKeyboard =>
    [
        .. Enumerable.Range(0x01, 0x54).Select(code => (ushort)code), 0x56, 0x57, 0x58,
        0xe01c, 0xe01d, 0xe035, 0xe038, 0xe047, 0xe048, 0xe049, 0xe04b, 0xe04d, 0xe04f, 0xe050, 0xe051, 0xe052, 0xe053,
        0xe05b, 0xe05c, 0xe05d,
    ];

    private static byte[] Sequence(ScanCode key, byte set, bool down)
    {
        byte[] bytes = new byte[ScanCode.MostBytes];
        return bytes[..key.Write(set, down, bytes)];
    }

    private static byte[] Translated(byte[] set2)
    {
        List<byte> bytes = [];
        for (int i = 0; i < set2.Length; i++)
        {
            bool released = set2[i] == 0xf0;
            bytes.Add((byte)(ScanCode.Translate(set2[released ? ++i : i]) | (released ? 0x80 : 0)));
        }

        return [.. bytes];
    }

    private void Press(ushort code) => Assert.True(_controller.TryReport(new(code), down: true));

    private void Release(ushort code) => Assert.True(_controller.TryReport(new(code), down: false));

    private byte In(ulong offset) => (byte)_controller.In(offset);

    private byte[] Read()
    {
        List<byte> bytes = [];
        while ((In(Command) & 1) != 0)
            bytes.Add(In(Data));
        return [.. bytes];
    }

    private byte[] Ask(byte command)
    {
        _controller.Out(Data, command);
        return Read();
    }

    private byte[] AskMouse(byte command)
    {
        _controller.Out(Command, 0xd4);
        return Ask(command);
    }

    private byte Controller(byte command)
    {
        _controller.Out(Command, command);
        return In(Data);
    }

    private void WriteCommandByte(byte value)
    {
        _controller.Out(Command, 0x60);
        _controller.Out(Data, value);
    }
}
