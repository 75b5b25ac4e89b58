namespace MiniVmm.Tests.Virtio.Net;

public sealed class VirtioNetTransmitTests
{
    [Fact]
    public void A_frame_leaves_without_its_header_where_the_endpoint_has_none()
    {
        using Card card = new();
        byte[] frame = Card.Frame(60);

        card.Send(frame);

        Assert.Equal(frame, card.Endpoint.Receive());
        Assert.True(card.Tx.TryReap(out _, out uint written));
        Assert.Equal(0u, written);
        Assert.Equal(1, card.Interrupt.Used(1));
    }

    [Fact]
    public void A_frame_takes_its_header_along_where_the_endpoint_has_one()
    {
        using Card card = new(hasHeader: true);
        byte[] bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0, .. Card.Frame(5000)];
        card.Tx.Add(TestBuffer.Readable(card.Memory.Place(bytes), bytes.Length));

        card.Device.Notify(1);

        Assert.Equal(bytes, card.Endpoint.Receive());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Pieces_may_be_cut_anywhere_the_header_too(bool indirect)
    {
        byte[] frame = Card.Frame(100);
        byte[] bytes = [.. new byte[Card.Header], .. frame];
        for (int first = 1; first <= 16; first++)
        {
            using Card card = new();
            TestBuffer[] buffers =
            [
                TestBuffer.Readable(card.Memory.Place(bytes.AsSpan(0, first)), first),
                TestBuffer.Readable(card.Memory.Place(bytes.AsSpan(first, 3)), 3),
                TestBuffer.Readable(card.Memory.Place(bytes.AsSpan(first + 3)), bytes.Length - first - 3),
            ];
            _ = indirect ? card.Tx.AddIndirect(buffers) : card.Tx.Add(buffers);

            card.Device.Notify(1);

            Assert.Equal(frame, card.Endpoint.Receive());
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(25)] // 13 bytes of frame
    [InlineData(12 + 1500 + 18 + 1)]
    [InlineData(200_000)]
    public void What_is_no_frame_is_given_back_and_goes_nowhere(int length)
    {
        using Card card = new();
        card.Tx.Add(TestBuffer.Readable(card.Memory.Allocate(length), length));
        card.Send(Card.Frame(60));

        Assert.Equal(Card.Frame(60), card.Endpoint.Receive());
        Assert.Equal(2, card.Tx.UsedIndex);
        Assert.Equal(0, card.Interrupt.Resets);
    }

    [Fact]
    public void A_chain_of_buffers_to_write_is_given_back()
    {
        using Card card = new();
        card.Tx.Add(TestBuffer.Writable(card.Memory.Allocate(100), 100));

        card.Device.Notify(1);

        Assert.Equal(1, card.Tx.UsedIndex);
        Assert.Null(card.Endpoint.Receive());
    }

    [Fact]
    public void Frames_wait_for_room_and_none_is_lost()
    {
        using Card card = new(queueSize: 256);
        int sent = 0;
        while (card.Tx.Outstanding == 0 && sent < 5000)
        {
            card.Send(Card.Frame(1400, (byte)sent++));
            while (card.Tx.TryReap(out _, out _))
            {
            }
        }

        Assert.Equal(1, card.Tx.Outstanding);
        int received = 0;
        for (; card.Endpoint.Receive() is { } frame; received++)
            Assert.Equal(Card.Frame(1400, (byte)received), frame);
        Assert.Equal(sent - 1, received);

        Assert.Equal(1, card.Loops[0].Poll(0));
        Assert.Equal(Card.Frame(1400, (byte)received), card.Endpoint.Receive());
        Assert.True(card.Tx.TryReap(out _, out _));
        Assert.Equal(0, card.Loops[0].Poll(0)); // and nothing more is waited for
    }

    [Fact]
    public void A_pass_is_bounded_and_goes_on_after_the_other_direction()
    {
        using Card card = new(queueSize: 128);
        for (int i = 0; i < 100; i++)
        {
            byte[] bytes = [.. new byte[Card.Header], .. Card.Frame(60, (byte)i)];
            card.Tx.Add(TestBuffer.Readable(card.Memory.Place(bytes), bytes.Length));
        }

        card.Device.Notify(1);
        Assert.InRange(card.Tx.UsedIndex, 1, 99);
        Assert.Equal(1, card.Interrupt.Used(1)); // one for all of the pass

        Assert.Equal(1, card.Loops[0].Poll(0));
        Assert.Equal(100, card.Tx.UsedIndex);
        Assert.Equal(2, card.Interrupt.Used(1));
    }

    [Fact]
    public void While_busy_no_doorbell_is_asked_for_and_after_it_one_is()
    {
        using Card card = new();
        card.Send(Card.Frame(60));
        card.Tx.Add(TestBuffer.Readable(card.Memory.Allocate(100), 100));

        Assert.True(card.Tx.ShouldKick());
    }

    [Fact]
    public void A_limit_lets_the_burst_pass_and_then_waits_for_its_timer()
    {
        // 64 KiB is the least burst; at 1 byte a second nothing comes after it.
        using Card card = new(hasHeader: true, bandwidth: 1);
        card.Send(Card.Frame(60_000));
        card.Send(Card.Frame(60_000));
        card.Send(Card.Frame(60));

        Assert.Equal(2, card.Tx.UsedIndex);
        TimeSpan? delay = card.Loops[0].Timers.Single(timer => timer.Delay is not null).Delay;
        Assert.True(delay > TimeSpan.FromHours(1), $"{delay}");
        Assert.Equal(1, card.Loops[0].Elapse());
        Assert.Equal(2, card.Tx.UsedIndex); // asked again: not yet
    }

    [Fact]
    public void A_broken_ring_asks_for_a_reset_once()
    {
        using Card card = new();
        card.Tx.MakeAvailable(999);

        card.Device.Notify(1);
        card.Device.Notify(1);

        Assert.Equal(1, card.Interrupt.Resets);
    }

    [Fact]
    public void After_a_reset_nothing_is_sent()
    {
        using Card card = new();
        byte[] bytes = [.. new byte[Card.Header], .. Card.Frame(60)];
        card.Tx.Add(TestBuffer.Readable(card.Memory.Place(bytes), bytes.Length));

        card.Device.Reset();
        card.Device.Notify(1);

        Assert.Null(card.Endpoint.Receive());
    }

    [Fact]
    public void A_frame_that_waits_for_room_goes_nowhere_once_its_queue_is_reset()
    {
        using Card card = new(queueSize: 256);
        while (card.Tx.Outstanding == 0)
        {
            card.Send(Card.Frame(1400));
            while (card.Tx.TryReap(out _, out _))
            {
            }
        }

        while (card.Endpoint.Receive() is not null)
        {
        }

        card.ResetQueue(1);

        Assert.Equal(0, card.Loops[0].Poll(0)); // there is room, and nobody waits for it
        card.Device.Notify(1);
        Assert.Null(card.Endpoint.Receive());
        card.EnableQueue(1);
        card.Send(Card.Frame(60));
        Assert.Equal(Card.Frame(60), card.Endpoint.Receive());
        Assert.Equal(1, card.Tx.UsedIndex);
    }

    [Fact]
    public void A_reset_of_the_queue_ends_the_wait_for_the_limit_and_one_of_the_other_queue_does_not()
    {
        using Card card = new(hasHeader: true, bandwidth: 1);
        card.Send(Card.Frame(60_000));
        card.Send(Card.Frame(60_000));
        card.Send(Card.Frame(60));

        card.ResetQueue(0);
        Assert.Single(card.Loops[0].Timers, timer => timer.Delay is not null);
        card.ResetQueue(1);

        Assert.Equal(0, card.Loops[0].Elapse());
    }

    [Fact]
    public void With_the_other_end_gone_frames_are_thrown_away_and_the_link_is_down()
    {
        using Card card = new();
        card.Device.Notify(0);
        card.AddRx(2000);
        card.Device.Notify(0);
        card.Endpoint.HangUp();
        card.Loops[0].Poll(0);

        card.Send(Card.Frame(60));

        Assert.Equal(1, card.Tx.UsedIndex);
        Assert.Equal(1, card.Interrupt.Changes);
        byte[] status = new byte[2];
        card.Device.ReadConfiguration(6, status);
        Assert.Equal([0, 0], status);
    }

    [Fact]
    public void A_frame_allocates_nothing()
    {
        using Card card = new(hasHeader: true, bandwidth: 1UL << 40);
        byte[] bytes = [.. new byte[Card.Header], .. Card.Frame(1500)];
        ulong at = card.Memory.Place(bytes);
        Send();
        Assert.Equal(0, Allocations.Steady(Send));

        long Send()
        {
            card.Tx.Add(TestBuffer.Readable(at, bytes.Length));
            long before = GC.GetAllocatedBytesForCurrentThread();
            card.Device.Notify(1);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            Assert.True(card.Tx.TryReap(out _, out _));
            Assert.NotNull(card.Endpoint.Receive());
            return allocated;
        }
    }
}
