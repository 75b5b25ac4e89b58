using CsCheck;
using MiniVmm.Devices;

namespace MiniVmm.Tests.Devices;

/// <summary>When INTR rises, what IIR then says, and what takes it back.</summary>
public sealed class Serial16550InterruptTests : Serial16550Bench
{
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
}
