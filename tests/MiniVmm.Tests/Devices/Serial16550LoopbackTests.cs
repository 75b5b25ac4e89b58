namespace MiniVmm.Tests.Devices;

/// <summary>MCR's loop, and the ways in which drivers find out by it what the chip is.</summary>
public sealed class Serial16550LoopbackTests : Serial16550Bench
{
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
