using CsCheck;
using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

/// <summary>The registers against National's PC16550D data sheet, and against what drivers do with them.</summary>
public sealed class Serial16550Tests
{
    private const ulong Data = 0;
    private const ulong Ier = 1;
    private const ulong IirFcr = 2;
    private const ulong Lcr = 3;
    private const ulong Mcr = 4;
    private const ulong Lsr = 5;
    private const ulong Msr = 6;
    private const ulong Scratch = 7;
    private const byte Loop = 0x10;

    private readonly RecordingSink _sink = new();
    private readonly RecordingInterrupt _interrupt = new();
    private readonly Serial16550 _serial;

    public Serial16550Tests() => _serial = new(_sink, _interrupt);

    [Fact]
    public void After_reset_nothing_is_enabled_or_pending_and_the_line_is_8N1()
    {
        Assert.Equal(0x00, _serial.In(Ier));
        Assert.Equal(0x01, _serial.In(IirFcr));
        Assert.Equal(0x03, _serial.In(Lcr));
        Assert.Equal(0x60, _serial.In(Lsr));
        Assert.Equal(0xb0, _serial.In(Msr));
        Assert.Equal(0x00, _serial.In(Scratch));
        Assert.Equal(0x00, _serial.In(Data));
        Assert.Equal(0, _interrupt.Edges);
    }

    [Fact]
    public void What_is_written_to_the_transmitter_goes_out_in_order()
    {
        foreach (byte value in "hello"u8)
            _serial.Out(Data, value);

        Assert.Equal("hello"u8.ToArray(), _sink.Bytes);
        Assert.Equal(0x60, _serial.In(Lsr));
    }

    [Fact]
    public void The_divisor_latch_lies_over_data_and_IER_and_sends_nothing()
    {
        _serial.Out(Ier, 0x05);
        _serial.Out(Lcr, 0x83);
        _serial.Out(Data, 0x0c);
        _serial.Out(Ier, 0x34);

        Assert.Equal(0x0c, _serial.In(Data));
        Assert.Equal(0x34, _serial.In(Ier));
        Assert.Equal(0x83, _serial.In(Lcr));
        _serial.Out(Lcr, 0x03);
        Assert.Equal(0x05, _serial.In(Ier));
        Assert.Empty(_sink.Bytes);
        _serial.Out(Lcr, 0x80);
        Assert.Equal(0x340cUL, _serial.In(Data, 2));
    }

    [Theory]
    [InlineData(Ier, 0x0f)]
    [InlineData(Lcr, 0xff)]
    [InlineData(Mcr, 0x1f)]
    [InlineData(Scratch, 0xff)]
    public void Unused_register_bits_read_0(ulong register, byte kept)
    {
        _serial.Out(register, 0xff);
        Assert.Equal(kept, _serial.In(register));
        _serial.Out(Lcr, 0);
        _serial.Out(register, 0);
        Assert.Equal(0, _serial.In(register));
    }

    [Fact]
    public void Line_and_modem_status_cannot_be_written()
    {
        _serial.Out(Lsr, 0xff);
        _serial.Out(Msr, 0xff);

        Assert.Equal(0x60, _serial.In(Lsr));
        Assert.Equal(0xb0, _serial.In(Msr));
    }

    [Theory]
    [InlineData(0x01, 0xc1)]
    [InlineData(0xc1, 0xc1)]
    [InlineData(0x21, 0xc1)]
    [InlineData(0x00, 0x01)]
    [InlineData(0xc0, 0x01)]
    public void IIR_tells_whether_the_FIFOs_are_on_and_bits_4_and_5_are_0(byte control, byte identification)
    {
        _serial.Out(IirFcr, control);

        Assert.Equal(identification, _serial.In(IirFcr));
    }

    [Theory]
    [InlineData(0x01, 1)]
    [InlineData(0x41, 4)]
    [InlineData(0x81, 8)]
    [InlineData(0xc1, 14)]
    public void Below_the_trigger_level_received_data_is_a_character_timeout(byte control, int level)
    {
        _serial.Out(IirFcr, control);
        _serial.Out(Ier, 0x01);

        for (int i = 1; i < level; i++)
        {
            _serial.Receive([1]);
            Assert.Equal(0xcc, _serial.In(IirFcr));
        }

        _serial.Receive([1]);
        Assert.Equal(0xc4, _serial.In(IirFcr));
        Assert.Equal(1, _interrupt.Edges);
        for (int i = 0; i < level; i++)
            _serial.In(Data);
        Assert.Equal(0xc1, _serial.In(IirFcr));
    }

    [Fact]
    public void Received_bytes_are_read_in_order_with_data_ready_until_the_last()
    {
        byte[] sent = [.. Enumerable.Range(0, 40).Select(i => (byte)i)];
        _serial.Out(IirFcr, 0x01);

        Assert.Equal(40, _serial.Receive(sent));

        List<byte> read = [];
        while ((_serial.In(Lsr) & 1) != 0)
            read.Add(_serial.In(Data));
        Assert.Equal(sent, read);
    }

    [Fact]
    public void A_full_queue_takes_no_more_and_loses_nothing()
    {
        byte[] sent = [.. Enumerable.Range(0, 10_000).Select(i => (byte)(i * 7))];
        List<byte> read = [];
        int at = 0;
        while (at < sent.Length || (_serial.In(Lsr) & 1) != 0)
        {
            int taken = _serial.Receive(sent.AsSpan(at));
            at += taken;
            Assert.Equal(0, at < sent.Length ? _serial.Receive(sent.AsSpan(at)) : 0);
            for (int i = 0; i < 1000 && (_serial.In(Lsr) & 1) != 0; i++)
                read.Add(_serial.In(Data));
        }

        Assert.Equal(sent, read);
        Assert.Equal(0x60, _serial.In(Lsr));
    }

    [Fact]
    public void Clearing_the_receive_FIFO_drops_the_16_bytes_in_it_and_not_those_on_the_line()
    {
        _serial.Out(IirFcr, 0x01);
        _serial.Receive([.. Enumerable.Range(0, 20).Select(i => (byte)i)]);

        _serial.Out(IirFcr, 0x03);

        Assert.Equal(16, _serial.In(Data));
    }

    [Theory]
    [InlineData(0x01, 0x00)]
    [InlineData(0x00, 0x01)]
    public void Switching_the_FIFOs_on_or_off_clears_them(byte from, byte to)
    {
        _serial.Out(IirFcr, from);
        _serial.Receive([1]);

        _serial.Out(IirFcr, to);

        Assert.Equal(0x60, _serial.In(Lsr));
    }

    [Fact]
    public void Clear_and_trigger_bits_do_nothing_without_the_enable_bit()
    {
        _serial.Receive([7]);

        _serial.Out(IirFcr, 0xc6);

        Assert.Equal(7, _serial.In(Data));
        Assert.Equal(0x01, _serial.In(IirFcr));
    }

    [Fact]
    public void Clearing_the_transmit_FIFO_keeps_received_bytes()
    {
        _serial.Out(IirFcr, 0x01);
        _serial.Receive([7]);

        _serial.Out(IirFcr, 0x05);

        Assert.Equal(7, _serial.In(Data));
    }

    [Fact]
    public void Causes_are_reported_by_priority_and_each_goes_with_its_own_acknowledgement()
    {
        _serial.Out(Mcr, Loop); // drops CTS, DSR and DCD: a modem status change
        _serial.Out(Mcr, 0x08);
        _serial.Out(Ier, 0x0f); // and the transmitter is empty
        _serial.SendBreak();

        Assert.Equal(0x06, _serial.In(IirFcr));
        Assert.Equal(0x71, _serial.In(Lsr));
        Assert.Equal(0x04, _serial.In(IirFcr));
        Assert.Equal(0x00, _serial.In(Data));
        Assert.Equal(0x02, _serial.In(IirFcr)); // reading it is what acknowledges
        Assert.Equal(0x00, _serial.In(IirFcr));
        Assert.Equal(0xbb, _serial.In(Msr));
        Assert.Equal(0x01, _serial.In(IirFcr));
        Assert.Equal(0xb0, _serial.In(Msr));
        Assert.Equal(1, _interrupt.Edges); // INTR was high all the time
    }

    [Fact]
    public void An_IIR_read_that_reports_a_higher_cause_does_not_acknowledge_the_transmitter()
    {
        _serial.Out(Ier, 0x03);
        _serial.Receive([1]);

        Assert.Equal(0x04, _serial.In(IirFcr));
        _serial.In(Data);
        Assert.Equal(0x02, _serial.In(IirFcr));
        Assert.Equal(0x01, _serial.In(IirFcr));
    }

    [Fact]
    public void Enabling_the_transmit_interrupt_raises_it_each_time_as_Linux_tests_at_startup()
    {
        for (int i = 0; i < 2; i++)
        {
            _serial.Out(Ier, 0x02);
            Assert.Equal(1, _interrupt.Taken());
            Assert.Equal(0x02, _serial.In(IirFcr));
            _serial.Out(Ier, 0x00);
        }

        // And the test for a transmitter whose interrupt does not come: status empty, yet nothing in IIR.
        _serial.Out(Ier, 0x02);
        Assert.Equal(0x60, _serial.In(Lsr) & 0x60);
        Assert.Equal(0, _serial.In(IirFcr) & 1);
        _serial.Out(Ier, 0x00);
        Assert.Equal(0x01, _serial.In(IirFcr));
    }

    [Fact]
    public void Writing_IER_again_with_the_transmit_interrupt_on_raises_nothing_new()
    {
        _serial.Out(Ier, 0x02);
        _serial.In(IirFcr);
        _serial.Out(Ier, 0x03);

        Assert.Equal(0x01, _serial.In(IirFcr));
        Assert.Equal(1, _interrupt.Edges);
    }

    [Fact]
    public void A_driver_that_sends_a_byte_an_interrupt_gets_an_edge_for_each()
    {
        _serial.Out(Ier, 0x02);
        foreach (byte value in "abc"u8)
        {
            Assert.Equal(1, _interrupt.Taken());
            Assert.Equal(0x02, _serial.In(IirFcr));
            _serial.Out(Data, value);
        }

        Assert.Equal(1, _interrupt.Taken());
        Assert.Equal(0x02, _serial.In(IirFcr));
        Assert.Equal(0, _interrupt.Taken());
        Assert.Equal("abc"u8.ToArray(), _sink.Bytes);
    }

    [Fact]
    public void More_input_while_the_interrupt_is_pending_makes_no_second_edge_and_draining_it_allows_the_next()
    {
        _serial.Out(Ier, 0x01);
        _serial.Receive([1]);
        _serial.Receive([2, 3]);
        Assert.Equal(1, _interrupt.Taken());

        for (int i = 0; i < 3; i++)
            _serial.In(Data);
        Assert.Equal(0, _interrupt.Taken());

        _serial.Receive([4]);
        Assert.Equal(1, _interrupt.Taken());
    }

    [Fact]
    public void Input_that_waits_interrupts_once_it_is_enabled()
    {
        _serial.Receive([1]);
        Assert.Equal(0, _interrupt.Taken());

        _serial.Out(Ier, 0x01);

        Assert.Equal(1, _interrupt.Taken());
    }

    [Fact]
    public void A_break_is_a_NUL_with_the_break_bit_which_a_read_of_LSR_clears()
    {
        _serial.Out(Ier, 0x04);
        _serial.SendBreak();

        Assert.Equal(1, _interrupt.Edges);
        Assert.Equal(0x71, _serial.In(Lsr));
        Assert.Equal(0x61, _serial.In(Lsr));
        Assert.Equal(0, _serial.In(Data));
        Assert.Equal(0x60, _serial.In(Lsr));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_break_behind_unread_input_shows_with_its_own_byte(byte fifos)
    {
        _serial.Out(IirFcr, fifos);
        _serial.Receive("ab"u8);
        _serial.SendBreak();
        _serial.SendBreak();
        _serial.Receive("c"u8);

        List<(int Status, int Data)> read = [];
        for (int status = _serial.In(Lsr); (status & 1) != 0; status = _serial.In(Lsr))
            read.Add((status, _serial.In(Data)));

        Assert.Equal([(0x61, 'a'), (0x61, 'b'), (0x71, 0), (0x61, 'c')], read);
    }

    [Fact]
    public void A_break_that_is_cleared_with_the_FIFO_never_shows()
    {
        _serial.Out(IirFcr, 0x01);
        _serial.Receive("ab"u8);
        _serial.SendBreak();

        _serial.Out(IirFcr, 0x03);
        _serial.Receive("c"u8);

        Assert.Equal(0x61, _serial.In(Lsr));
        Assert.Equal((byte)'c', _serial.In(Data));
    }

    [Theory]
    [InlineData(0x01, 0x20)]
    [InlineData(0x02, 0x10)]
    [InlineData(0x04, 0x40)]
    [InlineData(0x08, 0x80)]
    [InlineData(0x0a, 0x90)]
    [InlineData(0x0f, 0xf0)]
    [InlineData(0x00, 0x00)]
    public void In_loopback_the_modem_outputs_come_back_as_inputs(byte outputs, byte inputs)
    {
        _serial.Out(Mcr, (byte)(Loop | outputs));

        Assert.Equal(inputs, _serial.In(Msr) & 0xf0);
        _serial.Out(Mcr, outputs);
        Assert.Equal(0xb0, _serial.In(Msr) & 0xf0);
    }

    [Fact]
    public void Ring_indicator_counts_on_its_trailing_edge_only()
    {
        _serial.Out(Mcr, Loop | 0x0b); // as outside: CTS, DSR, DCD
        _serial.In(Msr);

        _serial.Out(Mcr, Loop | 0x0f);
        Assert.Equal(0xf0, _serial.In(Msr));
        _serial.Out(Mcr, Loop | 0x0b);
        Assert.Equal(0xb4, _serial.In(Msr));
        Assert.Equal(0xb0, _serial.In(Msr));
    }

    [Fact]
    public void In_loopback_bytes_come_back_and_none_goes_out()
    {
        _serial.Out(IirFcr, 0xc7);
        _serial.Out(Mcr, 0x1e);

        _serial.Out(Data, 0xae);

        Assert.Equal(0x61, _serial.In(Lsr));
        Assert.Equal(0xae, _serial.In(Data));
        Assert.Empty(_sink.Bytes);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(100)]
    public void Input_that_waits_does_not_disturb_a_loopback_test_and_is_there_afterwards(int waiting)
    {
        byte[] input = [.. Enumerable.Range(0, waiting).Select(i => (byte)(i + 1))];
        _serial.Receive(input);
        _serial.Out(Mcr, 0x1e);
        _serial.Out(Data, 0xae);
        Assert.Equal(0xae, _serial.In(Data));
        Assert.Equal(0x60, _serial.In(Lsr));

        _serial.Out(Mcr, 0x0f);

        byte[] read = [.. input.Select(_ => _serial.In(Data))];
        Assert.Equal(input, read);
    }

    [Fact]
    public void With_FIFOs_the_17th_looped_byte_is_an_overrun_and_the_first_16_stay()
    {
        _serial.Out(IirFcr, 0x01);
        _serial.Out(Mcr, Loop);
        for (byte i = 0; i < 17; i++)
            _serial.Out(Data, i);

        Assert.Equal(0x63, _serial.In(Lsr));
        Assert.Equal(0x61, _serial.In(Lsr));
        for (byte i = 0; i < 16; i++)
            Assert.Equal(i, _serial.In(Data));
        Assert.Equal(0x60, _serial.In(Lsr));
    }

    [Fact]
    public void Without_FIFOs_the_second_looped_byte_replaces_the_first()
    {
        _serial.Out(Mcr, Loop);
        _serial.Out(Data, 1);
        _serial.Out(Data, 2);

        Assert.Equal(0x63, _serial.In(Lsr));
        Assert.Equal(2, _serial.In(Data));
        Assert.Equal(0x60, _serial.In(Lsr));
    }

    [Fact]
    public void Interrupts_work_in_loopback()
    {
        _serial.Out(Mcr, Loop);
        _serial.In(Msr);
        _serial.Out(Ier, 0x0d);
        Assert.Equal(0, _interrupt.Taken());

        _serial.Out(Data, 1);
        Assert.Equal(1, _interrupt.Taken());
        _serial.In(Data);
        _serial.Out(Mcr, Loop | 0x01);
        Assert.Equal(1, _interrupt.Taken());
        Assert.Equal(0x00, _serial.In(IirFcr));
    }

    /// <summary>The steps of Linux's drivers/tty/serial/8250/8250_port.c, autoconfig and what it calls.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(64)]
    public void Linux_takes_it_for_a_16550A(int waiting)
    {
        _serial.Receive(new byte[waiting]);

        _serial.Out(Ier, 0);
        Assert.Equal(0, _serial.In(Ier) & 0x0f);
        _serial.Out(Ier, 0x0f);
        Assert.Equal(0x0f, _serial.In(Ier) & 0x0f);
        _serial.Out(Ier, 0);

        byte modem = _serial.In(Mcr);
        _serial.Out(Mcr, Loop | 0x0a);
        Assert.Equal(0x90, _serial.In(Msr) & 0xf0);
        _serial.Out(Mcr, modem);

        _serial.Out(Lcr, 0xbf);
        _serial.Out(IirFcr, 0);
        _serial.Out(Lcr, 0);
        _serial.Out(IirFcr, 0x01);
        Assert.Equal(3, _serial.In(IirFcr) >> 6); // 16550A or better

        _serial.Out(Lcr, 0x80);
        Assert.NotEqual(0, _serial.In(IirFcr)); // no extended features register, as a 16650 has
        _serial.Out(Lcr, 0xbf);
        Assert.NotEqual(0, _serial.In(IirFcr)); // nor a later 16650

        _serial.Out(Lcr, 0); // National's SuperIO shows MCR's loop bit in its second bank
        byte before = _serial.In(Mcr);
        _serial.Out(Lcr, 0xe0);
        Assert.Equal(0, (_serial.In(IirFcr) ^ before) & Loop);
        _serial.Out(Lcr, 0);
        _serial.Out(Mcr, (byte)(before ^ Loop));
        _serial.Out(Lcr, 0xe0);
        Assert.Equal(0, (_serial.In(IirFcr) ^ before) & Loop);
        _serial.Out(Lcr, 0);
        _serial.Out(Mcr, before);

        _serial.Out(IirFcr, 0x21); // a 16750 shows a 64-byte FIFO in bit 5, with DLAB set
        Assert.Equal(6, _serial.In(IirFcr) >> 5);
        _serial.Out(IirFcr, 0x01);
        _serial.Out(Lcr, 0x80);
        _serial.Out(IirFcr, 0x21);
        Assert.Equal(6, _serial.In(IirFcr) >> 5);
        _serial.Out(IirFcr, 0x01);
        _serial.Out(Lcr, 0);

        _serial.Out(Ier, 0x40); // XScale's unit enable
        Assert.Equal(0, _serial.In(Ier) & 0x40);
        _serial.Out(Ier, 0);

        Assert.Equal(16, CountFifo()); // 64 would be a U6 16550A
    }

    [Fact]
    public void Wide_accesses_are_taken_apart_lowest_register_first()
    {
        _serial.Out(Lcr, 0x80);
        _serial.Out(Data, 0x0302, 2);
        Assert.Equal(0x8001_0302UL, _serial.In(Data, 4));
        _serial.Out(Lcr, 0x03);

        _serial.Out(Data, 0x0f_41, 2);

        Assert.Equal([0x41], _sink.Bytes);
        Assert.Equal(0x0f, _serial.In(Ier));
        _serial.Out(Ier, 0x00_0b_03_00_00, 4);
        Assert.Equal(0x0b03UL, _serial.In(Lcr, 2));
    }

    [Fact]
    public void Whatever_a_guest_does_a_reported_cause_was_announced_by_an_edge_and_none_comes_without_IER() =>
        Gen.Select(Gen.Int[0, 20], Gen.ULong[0, 7], Gen.Byte).Array[1, 300].Sample(
            steps =>
            {
                RecordingInterrupt interrupt = new();
                Serial16550 serial = new(new RecordingSink(), interrupt);
                bool everEnabled = false;
                foreach ((int action, ulong register, byte value) in steps)
                {
                    switch (action)
                    {
                        case < 9:
                            // Interrupts and the FIFO are switched often, the divisor latch seldom.
                            serial.Out(
                                register, register == Lcr ? (byte)(value & 0x7f | (value == 0xff ? 0x80 : 0)) : value);
                            everEnabled |= register == Ier && (value & 0x0f) != 0;
                            break;
                        case < 18:
                            byte read = serial.In(register);
                            if (register == IirFcr && (read & 1) != 0)
                                interrupt.Taken();
                            else if (register == IirFcr)
                                Assert.True(interrupt.Edges > interrupt.Seen);
                            break;
                        case 18:
                            serial.SendBreak();
                            break;
                        default:
                            serial.Receive(new byte[value]);
                            break;
                    }

                    Assert.True(everEnabled || interrupt.Edges == 0);
                    Assert.Equal(0x60, serial.In(Lsr) & 0x60);
                }
            },
            iter: 300, threads: 1);

    /// <summary>How Linux counts what the FIFO holds (size_fifo).</summary>
    private int CountFifo()
    {
        byte fifo = _serial.In(IirFcr);
        byte modem = _serial.In(Mcr);
        _serial.Out(IirFcr, 0x07);
        _serial.Out(Mcr, Loop);
        _serial.Out(Lcr, 0x80);
        _serial.Out(Data, 0x0001, 2);
        _serial.Out(Lcr, 0x03);
        for (int i = 0; i < 256; i++)
            _serial.Out(Data, (byte)i);
        int count = 0;
        for (; (_serial.In(Lsr) & 1) != 0 && count < 256; count++)
            _serial.In(Data);
        _serial.Out(IirFcr, fifo);
        _serial.Out(Mcr, modem);
        return count;
    }
}
