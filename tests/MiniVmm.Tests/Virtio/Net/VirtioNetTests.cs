using CsCheck;
using MiniVmm.Host;
using MiniVmm.Network;
using MiniVmm.Virtio.Net;

namespace MiniVmm.Tests.Virtio.Net;

public sealed class VirtioNetTests
{
    [Fact]
    public void The_configuration_has_the_address_the_link_the_pairs_and_the_mtu()
    {
        using Card card = new(pairs: 3);
        byte[] configuration = new byte[16];
        card.Device.ReadConfiguration(0, configuration);

        Assert.Equal([0x52, 0x54, 0, 0xab, 0xcd, 0xef, 1, 0, 3, 0, 0xdc, 5, 0, 0, 0, 0], configuration);
    }

    [Fact]
    public void The_configuration_can_be_read_in_any_piece_and_not_written()
    {
        using Card card = new();
        byte[] whole = new byte[24];
        card.Device.ReadConfiguration(0, whole);
        for (int offset = 0; offset < 20; offset++)
        {
            foreach (int length in (int[])[1, 2, 4])
            {
                byte[] part = [9, 9, 9, 9];
                card.Device.ReadConfiguration((uint)offset, part.AsSpan(0, length));
                Assert.Equal(whole[offset..(offset + length)], part[..length]);
            }
        }

        card.Device.ReadConfiguration(uint.MaxValue, whole);
        Assert.Equal(-1, whole.AsSpan().IndexOfAnyExcept((byte)0));
        card.Device.WriteConfiguration(0, [1, 2, 3, 4]);
        Assert.Equal(Card.Mac, card.Device.Mac);
    }

    [Fact]
    public void Offloads_are_offered_only_with_a_header_and_pairs_only_if_there_are_several()
    {
        using Card plain = new();
        using Card offloading = new(hasHeader: true, pairs: 2);

        Assert.Equal(NetFeatures.None, (NetFeatures)plain.Device.Features & NetFeatures.Offloads);
        Assert.False(((NetFeatures)plain.Device.Features).HasFlag(NetFeatures.Mq));
        Assert.Equal(NetFeatures.Offloads, (NetFeatures)offloading.Device.Features & NetFeatures.Offloads);
        Assert.True(((NetFeatures)offloading.Device.Features).HasFlag(NetFeatures.Mq | NetFeatures.CtrlGuestOffloads));
        Assert.Equal(5, offloading.Device.QueueSizes.Count);
        Assert.Equal(2, offloading.Device.Threads);
        Assert.Equal([0, 0, 1, 1, 0], Enumerable.Range(0, 5).Select(offloading.Device.ThreadOf));
    }

    [Fact]
    public void What_the_guest_takes_is_told_to_the_host_and_taken_back_by_a_reset()
    {
        using Card card = new(hasHeader: true, NetFeatures.GuestCsum | NetFeatures.GuestTso6 | NetFeatures.Csum);
        Assert.Equal(NetOffloads.Checksum | NetOffloads.Tso6, card.Endpoint.GuestOffloads);

        card.Device.Reset();
        Assert.Equal(NetOffloads.None, card.Endpoint.GuestOffloads);
    }

    [Fact]
    public void Offloads_change_at_run_time_within_what_was_negotiated()
    {
        using Card card = new(
            hasHeader: true, NetFeatures.CtrlVq | NetFeatures.CtrlGuestOffloads | NetFeatures.GuestCsum);

        Assert.Equal(1, card.Command(5, 0, 0x80, 0, 0, 0, 0, 0, 0, 0)); // GUEST_TSO4 was not
        Assert.Equal(NetOffloads.Checksum, card.Endpoint.GuestOffloads);
        Assert.Equal(0, card.Command(5, 0, 0, 0, 0, 0, 0, 0, 0, 0));
        Assert.Equal(NetOffloads.None, card.Endpoint.GuestOffloads);
    }

    [Fact]
    public void The_driver_sets_its_address_and_a_reset_takes_it_back()
    {
        using Card card = new(features: NetFeatures.CtrlVq | NetFeatures.CtrlMacAddr);

        Assert.Equal(0, card.Command(1, 1, 2, 0, 0, 0, 0, 7));
        Assert.Equal("02:00:00:00:00:07", card.Device.Mac.ToString());
        card.Device.Reset();
        Assert.Equal(Card.Mac, card.Device.Mac);
    }

    [Theory]
    [InlineData(0, 0, 0, 1)]
    [InlineData(0, 0, 5, 1)]
    [InlineData(0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)]
    [InlineData(0, 2, 0, 1, 0)]
    [InlineData(1, 0, 0)]
    [InlineData(1, 0, 9, 1)]
    [InlineData(1, 1, 0)]
    [InlineData(1, 1, 1, 1, 2, 3, 4, 5, 6)] // CTRL_MAC_ADDR was not negotiated
    [InlineData(1, 2, 0, 1)]
    [InlineData(1, 4, 0, 1, 0)] // nor MQ
    [InlineData(1, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0)]
    [InlineData(1, 77, 0)]
    public void Commands_are_answered(int answer, params int[] command)
    {
        using Card card = new(
            features: NetFeatures.CtrlVq | NetFeatures.CtrlRx | NetFeatures.CtrlRxExtra | NetFeatures.CtrlVlan);
        byte[] bytes = [.. command.Select(value => (byte)value)];

        Assert.Equal(answer, card.Command(bytes[0], bytes[1], bytes[2..]));
    }

    [Fact]
    public void A_command_without_room_for_an_answer_or_of_one_byte_harms_nothing()
    {
        using Card card = new();
        card.Control.Add(TestBuffer.Readable(card.Memory.Allocate(3), 3));
        ulong answer = card.Memory.Allocate(1);
        card.Control.Add(TestBuffer.Readable(card.Memory.Allocate(1), 1), TestBuffer.Writable(answer, 1));

        card.Device.Notify(2);

        Assert.Equal(2, card.Control.UsedIndex);
        Assert.Equal(1, card.Memory.Read<byte>(answer));
    }

    [Fact]
    public void A_control_queue_full_of_commands_is_answered_whole()
    {
        using Card card = new();
        ulong answer = card.Memory.Allocate(1);
        ulong command = card.Memory.Allocate(3);
        for (int i = 0; i < card.Control.Size; i++)
            card.Control.AddIndirect(TestBuffer.Readable(command, 3), TestBuffer.Writable(answer, 1));

        card.Device.Notify(2);

        Assert.Equal(card.Control.Size, card.Control.UsedIndex);
        Assert.Equal(0, card.Interrupt.Resets);
    }

    [Fact]
    public void A_card_that_cannot_be_made_disposes_of_its_endpoint_nevertheless()
    {
        using FailingEndpoint endpoint = new();

        Assert.Throws<SystemCallException>(() => new VirtioNet(endpoint, Card.Mac));

        Assert.True(endpoint.IsDisposed);
    }

    [Fact]
    public void Further_pairs_run_when_the_driver_asks_for_them()
    {
        using Card card = new(pairs: 3, features: NetFeatures.CtrlVq | NetFeatures.Mq | NetFeatures.MrgRxbuf);
        Assert.Equal([true, false, false], card.Endpoint.Active);
        card.Drivers[2].Add(TestBuffer.Writable(card.Memory.Allocate(2000), 2000));
        card.Device.Notify(2);
        card.Endpoint.Send(Card.Frame(60), pair: 1);
        Assert.Equal(0, card.Loops[1].Poll(0));

        Assert.Equal(0, card.Command(4, 0, 2, 0));
        card.Loops[1].Poll(0);
        card.Loops[2].Poll(0);

        Assert.Equal([true, true, false], card.Endpoint.Active);
        Assert.Equal(1, card.Drivers[2].UsedIndex);
        Assert.Equal(1, card.Interrupt.Used(2));
        card.Send(Card.Frame(70), queue: 3);
        Assert.Equal(Card.Frame(70), card.Endpoint.Receive(pair: 1));

        Assert.Equal(0, card.Command(4, 0, 1, 0));
        card.Loops[1].Poll(0);
        Assert.Equal([true, false, false], card.Endpoint.Active);
        card.Send(Card.Frame(70), queue: 3);
        Assert.Null(card.Endpoint.Receive(pair: 1));
        Assert.Equal(2, card.Drivers[3].UsedIndex); // thrown away
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(0x8000)]
    public void A_number_of_pairs_that_are_not_there_is_refused(int pairs)
    {
        using Card card = new(pairs: 2, features: NetFeatures.CtrlVq | NetFeatures.Mq);

        Assert.Equal(1, card.Command(4, 0, (byte)pairs, (byte)(pairs >> 8)));
        Assert.Equal([true, false], card.Endpoint.Active);
    }

    [Fact]
    public void Without_MQ_the_control_queue_is_the_third()
    {
        using Card card = new(pairs: 2, features: NetFeatures.CtrlVq | NetFeatures.CtrlRx);
        ulong command = card.Memory.Place([0, 0, 1]);
        ulong answer = card.Memory.Place<byte>(0xee);
        card.Drivers[2].Add(TestBuffer.Readable(command, 3), TestBuffer.Writable(answer, 1));

        card.Device.Notify(2);

        Assert.Equal(0, card.Memory.Read<byte>(answer));
    }

    [Fact]
    public void Doorbells_before_the_driver_is_ready_do_nothing()
    {
        using Card card = new();
        card.Device.Reset();
        for (int queue = 0; queue < 3; queue++)
            card.Device.Notify(queue);

        Assert.Equal(0, card.Interrupt.Used(0) + card.Interrupt.Used(1) + card.Interrupt.Used(2));
    }

    [Fact]
    public void What_passes_is_counted_both_ways()
    {
        using Card card = new();
        card.Send(Card.Frame(60));
        card.Send(Card.Frame(70));
        card.Send(Card.Frame(3)); // no frame
        card.AddRx(2000);
        card.Device.Notify(0);
        card.Endpoint.Send(Card.Frame(80));
        card.Loops[0].Poll(0);

        IReadOnlyDictionary<string, long> counts = card.Device.ReadCounters();

        Assert.Equal((2, 130, 1), (counts["sent"], counts["sentBytes"], counts["sendDrops"]));
        Assert.Equal((1, 80, 0), (counts["received"], counts["receivedBytes"], counts["receiveDrops"]));
        Assert.Equal("net", card.Device.Kind);
    }

    [Fact]
    public void Disposing_of_the_card_disposes_of_its_endpoint()
    {
        Card card = new();
        card.Dispose();

        Assert.True(card.Endpoint.IsDisposed);
    }

    /// <summary>Whatever the sizes of frames and buffers: each frame arrives whole, in order, or waits.</summary>
    [Fact]
    public void Every_frame_arrives_whole_in_buffers_of_any_size() =>
        Gen.Select(Gen.Int[14, 1518].Array[1, 12], Gen.Int[12, 900].Array[1, 40], Gen.Bool)
            .Sample(
                (frames, buffers, hasHeader) =>
                {
                    using Card card = new(hasHeader, NetFeatures.MrgRxbuf, queueSize: 64);
                    Queue<(ulong Address, int Length)> waiting = [];
                    foreach (int length in buffers)
                        waiting.Enqueue((card.AddRx(length), length));
                    for (int i = 0; i < frames.Length; i++)
                    {
                        byte[] header = new byte[hasHeader ? 12 : 0];
                        Assert.True(card.Endpoint.Send([.. header, .. Card.Frame(frames[i], (byte)i)]));
                    }

                    card.Device.Notify(0);
                    while (card.Loops[0].Poll(0) != 0)
                    {
                    }

                    int arrived = 0;
                    while (card.Rx.TryReap(out _, out uint written))
                    {
                        (ulong at, _) = waiting.Dequeue();
                        int count = card.Memory.Read<ushort>(at + 10);
                        List<byte> got = [.. card.Memory.Bytes(at, (int)written)];
                        for (int i = 1; i < count; i++)
                        {
                            Assert.True(card.Rx.TryReap(out _, out written));
                            got.AddRange(card.Memory.Bytes(waiting.Dequeue().Address, (int)written));
                        }

                        Assert.Equal(Card.Frame(frames[arrived], (byte)arrived), got[12..]);
                        arrived++;
                    }

                    // What is left over has no room.
                    if (arrived < frames.Length)
                        Assert.True(waiting.Sum(buffer => buffer.Length) < frames[arrived] + 12);
                },
                iter: 300, seed: "0000KOIq3kB2", threads: 1);

    /// <summary>The second of its pairs meets the limit of open files.</summary>
    private sealed class FailingEndpoint : NetEndpoint
    {
        private int _asked;

        public bool IsDisposed { get; private set; }

        public override IReadOnlyList<int> Descriptors { get; } = [-1, -1];

        public override bool HasVnetHeader => false;

        public override ushort Mtu => _asked++ < 2 ? (ushort)1500 : throw new SystemCallException("eventfd", 24);

        public override string Description => "none";

        protected override void Dispose(bool disposing) => IsDisposed = true;
    }
}
