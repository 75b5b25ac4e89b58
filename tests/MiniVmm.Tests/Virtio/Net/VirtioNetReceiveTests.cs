using MiniVmm.Virtio.Net;

namespace MiniVmm.Tests.Virtio.Net;

public sealed class VirtioNetReceiveTests
{
    private static readonly byte[] OneBuffer = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0];

    [Fact]
    public void A_frame_gets_a_header_where_the_endpoint_has_none()
    {
        using Card card = new();
        ulong at = card.AddRx(2000);
        card.Memory.Bytes(at, 100).Fill(0xff);
        card.Device.Notify(0);
        card.Endpoint.Send(Card.Frame(60));

        Assert.Equal(1, card.Loops[0].Poll(0));

        Assert.True(card.Rx.TryReap(out _, out uint written));
        Assert.Equal(72u, written);
        Assert.Equal([.. OneBuffer, .. Card.Frame(60)], card.Memory.Bytes(at, 72).ToArray());
        Assert.Equal(1, card.Interrupt.Used(0));
    }

    [Fact]
    public void A_header_of_the_endpoint_is_passed_on_with_the_number_of_buffers()
    {
        using Card card = new(hasHeader: true, features: NetFeatures.MrgRxbuf | NetFeatures.GuestCsum);
        ulong at = card.AddRx(2000);
        card.Device.Notify(0);
        card.Endpoint.Send([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99, 99, .. Card.Frame(60)]);

        card.Loops[0].Poll(0);

        byte[] expected = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 0, .. Card.Frame(60)];
        Assert.Equal(expected, card.Memory.Bytes(at, 72).ToArray());
    }

    [Fact]
    public void A_guest_that_knows_no_unfinished_checksums_gets_no_flags()
    {
        using Card card = new(hasHeader: true);
        ulong at = card.AddRx(2000);
        card.Device.Notify(0);
        card.Endpoint.Send([2, .. new byte[11], .. Card.Frame(60)]);

        card.Loops[0].Poll(0);

        Assert.Equal(0, card.Memory.Read<byte>(at));
    }

    [Theory]
    [InlineData(false, 1)]
    [InlineData(false, 5)]
    [InlineData(false, 12)]
    [InlineData(true, 1)]
    [InlineData(true, 11)]
    public void The_header_may_lie_in_pieces(bool hasHeader, int first)
    {
        using Card card = new(hasHeader);
        ulong a = card.Memory.Allocate(first);
        ulong b = card.Memory.Allocate(7);
        ulong c = card.Memory.Allocate(100);
        card.Rx.Add(TestBuffer.Writable(a, first), TestBuffer.Writable(b, 7), TestBuffer.Writable(c, 100));
        card.Device.Notify(0);
        card.Endpoint.Send([.. new byte[hasHeader ? 12 : 0], .. Card.Frame(60)]);

        card.Loops[0].Poll(0);

        byte[] got =
        [
            .. card.Memory.Bytes(a, first), .. card.Memory.Bytes(b, 7), .. card.Memory.Bytes(c, 72 - 7 - first),
        ];
        Assert.Equal([.. OneBuffer, .. Card.Frame(60)], got);
    }

    [Fact]
    public void A_large_frame_fills_several_buffers_which_the_driver_sees_at_once()
    {
        using Card card = new(features: NetFeatures.MrgRxbuf);
        ulong[] at = [.. Enumerable.Range(0, 4).Select(_ => card.AddRx(512))];
        card.Device.Notify(0);
        card.Endpoint.Send(Card.Frame(1200));

        card.Loops[0].Poll(0);

        Assert.Equal(3, card.Rx.UsedIndex);
        byte[] expected = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, .. Card.Frame(1200)];
        byte[] got = [.. at.SelectMany(address => card.Memory.Bytes(address, 512).ToArray())];
        Assert.Equal(expected, got[..1212]);
        uint[] lengths = [.. Enumerable.Range(0, 3).Select(_ => Reap(card))];
        Assert.Equal([512u, 512u, 188u], lengths);
    }

    [Fact]
    public void Buffers_that_a_frame_left_over_are_for_the_next_one()
    {
        using Card card = new(hasHeader: true, NetFeatures.MrgRxbuf | NetFeatures.GuestCsum | NetFeatures.GuestTso4);
        ulong[] at = [.. Enumerable.Range(0, 3).Select(_ => card.AddRx(2000))];
        card.Device.Notify(0);
        for (byte i = 0; i < 3; i++)
            card.Endpoint.Send([.. new byte[12], .. Card.Frame(100, i)]);

        card.Loops[0].Poll(0);

        Assert.Equal(3, card.Rx.UsedIndex);
        for (byte i = 0; i < 3; i++)
            Assert.Equal(Card.Frame(100, i), card.Memory.Bytes(at[i] + 12, 100).ToArray());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_frame_larger_than_all_buffers_waits_for_more_of_them(bool hasHeader)
    {
        using Card card = new(hasHeader, NetFeatures.MrgRxbuf | NetFeatures.GuestCsum | NetFeatures.GuestTso4);
        List<ulong> at = [card.AddRx(500)];
        card.Device.Notify(0);
        card.Endpoint.Send([.. new byte[hasHeader ? 12 : 0], .. Card.Frame(60_000)]);
        card.Loops[0].Poll(0);
        Assert.Equal(0, card.Rx.UsedIndex);
        Assert.Equal(0, card.Loops[0].Poll(0));
        Assert.True(card.Rx.ShouldKick() || card.Rx.Outstanding > 0);

        for (int i = 0; i < 40; i++)
        {
            at.Add(card.AddRx(1536));
            if (i == 20)
                card.Device.Notify(0);
        }

        card.Device.Notify(0);

        Assert.True(card.Rx.TryReap(out _, out uint first));
        Assert.Equal(500u, first);
        List<byte> got = [.. card.Memory.Bytes(at[0], 500)];
        for (int i = 1; card.Rx.TryReap(out _, out uint written); i++)
            got.AddRange(card.Memory.Bytes(at[i], (int)written));
        Assert.Equal(Card.Frame(60_000), got[12..]);
        Assert.Equal(40, got[10]);
    }

    [Fact]
    public void Without_merging_a_frame_that_does_not_fit_is_dropped_and_its_buffer_kept()
    {
        using Card card = new(features: NetFeatures.None);
        ulong at = card.AddRx(1000);
        card.AddRx(1000);
        card.Device.Notify(0);
        card.Endpoint.Send(Card.Frame(1200));
        card.Endpoint.Send(Card.Frame(60));

        card.Loops[0].Poll(0);

        Assert.Equal(1, card.Rx.UsedIndex);
        Assert.Equal([.. OneBuffer, .. Card.Frame(60)], card.Memory.Bytes(at, 72).ToArray());
    }

    [Fact]
    public void Without_buffers_frames_stay_where_they_are_until_the_driver_gives_some()
    {
        using Card card = new();
        card.Device.Notify(0);
        card.Endpoint.Send(Card.Frame(60));
        Assert.Equal(0, card.Loops[0].Poll(0)); // the watch rests, or the thread would spin

        ulong at = card.AddRx(2000);
        Assert.True(card.Rx.ShouldKick());
        card.Device.Notify(0);

        Assert.Equal(Card.Frame(60), card.Memory.Bytes(at + 12, 60).ToArray());
    }

    [Fact]
    public void A_pass_is_bounded_and_has_one_interrupt()
    {
        using Card card = new(queueSize: 256);
        for (int i = 0; i < 150; i++)
            card.AddRx(200);
        int sent = 0;
        while (sent < 100 && card.Endpoint.Send(Card.Frame(60)))
            sent++;

        card.Device.Notify(0);
        int first = card.Rx.UsedIndex;
        Assert.InRange(first, 1, sent - 1);
        Assert.Equal(1, card.Interrupt.Used(0));
        while (card.Loops[0].Poll(0) != 0)
        {
        }

        Assert.Equal(sent, card.Rx.UsedIndex);
    }

    [Fact]
    public void A_limit_leaves_frames_where_they_are_until_its_timer()
    {
        using Card card = new(hasHeader: true, NetFeatures.MrgRxbuf, bandwidth: 1);
        for (int i = 0; i < 60; i++)
            card.AddRx(4096);
        card.Device.Notify(0);
        card.Endpoint.Send([.. new byte[12], .. Card.Frame(60_000)]);
        card.Loops[0].Poll(0);
        card.Endpoint.Send([.. new byte[12], .. Card.Frame(60_000)]);
        card.Loops[0].Poll(0);
        int used = card.Rx.UsedIndex;
        Assert.Equal(30, used);
        card.Endpoint.Send([.. new byte[12], .. Card.Frame(60)]);

        card.Device.Notify(0);

        Assert.Equal(used, card.Rx.UsedIndex);
        Assert.Equal(0, card.Loops[0].Poll(0));
        Assert.Single(card.Loops[0].Timers, timer => timer.Delay is not null);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(11)]
    public void A_buffer_without_room_for_the_header_asks_for_a_reset(int length)
    {
        using Card card = new();
        card.AddRx(length);

        card.Device.Notify(0);

        Assert.Equal(1, card.Interrupt.Resets);
    }

    [Fact]
    public void After_a_reset_no_frame_is_written_and_a_new_driver_gets_them()
    {
        using Card card = new();
        ulong at = card.AddRx(2000);
        card.Device.Notify(0);
        card.Device.Reset();
        card.Endpoint.Send(Card.Frame(60));
        card.Device.Notify(0);
        Assert.Equal(0, card.Loops[0].Poll(0));
        Assert.Equal(-1, card.Memory.Bytes(at, 100).IndexOfAnyExcept((byte)0));

        card.Activate(NetFeatures.None);
        card.Device.Notify(0);

        Assert.Equal([.. OneBuffer, .. Card.Frame(60)], card.Memory.Bytes(at, 72).ToArray());
    }

    [Fact]
    public void A_frame_allocates_nothing()
    {
        using Card card = new(hasHeader: true, NetFeatures.MrgRxbuf | NetFeatures.GuestCsum | NetFeatures.GuestTso4);
        byte[] frame = [.. new byte[12], .. Card.Frame(3000)];
        ulong at = card.Memory.Allocate(2000);
        for (int i = 0; i < 50; i++)
            card.Rx.Add(TestBuffer.Writable(at, 2000));
        card.Device.Notify(0);
        Receive();
        Assert.Equal(0, Allocations.Steady(Receive));

        long Receive()
        {
            Assert.True(card.Endpoint.Send(frame));
            long before = GC.GetAllocatedBytesForCurrentThread();
            card.Device.Notify(0);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            for (int i = 0; i < 2; i++)
            {
                Assert.True(card.Rx.TryReap(out _, out _));
                card.Rx.Add(TestBuffer.Writable(at, 2000));
            }

            return allocated;
        }
    }

    private static uint Reap(Card card) => card.Rx.TryReap(out _, out uint written) ? written : 0;
}
