namespace MiniVmm.Tests.Devices;

/// <summary>The registers against National's PC16550D data sheet, and against what drivers do with them.</summary>
public sealed class Serial16550Tests : Serial16550Bench
{
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
}
