using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Network;
using MiniVmm.Tests.Devices.State;
using MiniVmm.Tests.Virtio.Net;
using MiniVmm.Virtio;
using MiniVmm.Virtio.Balloon;
using MiniVmm.Virtio.Console;
using MiniVmm.Virtio.Net;

namespace MiniVmm.Tests.Virtio;

/// <summary>What a virtio device had in hand when its state was saved, and where its state cannot go.</summary>
public sealed class VirtioStateTests : IDisposable
{
    private readonly TestMemory _memory = new();
    private RegisterDriver? _driver;

    public void Dispose()
    {
        _driver?.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void Text_in_the_middle_of_its_buffers_is_printed_once()
    {
        NarrowSink sink = new() { Room = 5 };
        RegisterDriver driver = Plug(new VirtioConsole(sink));
        TestDriver queue = driver.Queues[1];
        queue.Add(
            TestBuffer.Readable(_memory.Place("abc"u8), 3), TestBuffer.Readable(_memory.Place("defg"u8), 4));
        queue.Add(TestBuffer.Readable(_memory.Place("hi"u8), 2));
        driver.Kick(1);
        Assert.Equal(("abcde", 2), (sink.Text, queue.Outstanding));

        driver.HandOver(() => new VirtioConsole(sink));
        sink.Room = 100;
        driver.Threads.Run();

        Assert.Equal("abcdefghi", sink.Text);
        Assert.True(queue.TryReap(out _, out _));
        Assert.True(queue.TryReap(out _, out _));
    }

    [Fact]
    public void What_was_typed_ahead_comes_once_there_is_a_buffer()
    {
        VirtioConsole console = new(new NarrowSink());
        RegisterDriver driver = Plug(console);
        console.Resize(80, 25);
        console.Receive("typed"u8);

        driver.HandOver(() => new VirtioConsole(new NarrowSink()));
        ulong at = _memory.Allocate(16);
        driver.Queues[0].Add(TestBuffer.Writable(at, 16));
        driver.Write(VirtioMmio.QueueNotify, 0);
        driver.Threads.Run();

        Assert.True(driver.Queues[0].TryReap(out _, out uint written));
        Assert.Equal("typed"u8, _memory.Bytes(at, (int)written));
        Assert.Equal([80, 0, 25, 0], driver.ReadConfiguration(0, 4));
    }

    [Fact]
    public void A_frame_that_waits_for_buffers_arrives_whole()
    {
        VirtioNet card = Card(out SocketEndpoint endpoint);
        RegisterDriver driver = Plug(card);
        byte[] frame = Net.Card.Frame(300);
        List<ulong> buffers = [];
        Offer();
        driver.Kick(0);
        Assert.True(endpoint.Send([.. new byte[Net.Card.Header], .. frame]));
        driver.Threads.Loops[0].Poll(0);
        Assert.Equal(1, driver.Queues[0].Outstanding);
        Offer();

        driver.HandOver(() => Card(out _));
        driver.Threads.Run();
        Assert.Equal(2, driver.Queues[0].Outstanding); // still too few
        driver.HandOver(() => Card(out _));
        Offer();
        driver.Write(VirtioMmio.QueueNotify, 0);
        driver.Threads.Run();

        List<byte> received = [];
        foreach (ulong buffer in buffers)
        {
            Assert.True(driver.Queues[0].TryReap(out _, out uint written));
            received.AddRange(_memory.Bytes(buffer, (int)written));
        }

        Assert.Equal(3, BinaryPrimitives.ReadUInt16LittleEndian([.. received[10..12]]));
        Assert.Equal(frame, received[Net.Card.Header..]);

        void Offer()
        {
            ulong at = _memory.Allocate(120);
            buffers.Add(at);
            driver.Queues[0].Add(TestBuffer.Writable(at, 120));
        }
    }

    [Theory]
    [InlineData(8, "8 bytes, 8 of them")] // no more than a header
    [InlineData(7, "7 bytes, 8 of them")]
    public void A_frame_that_no_card_could_have_read_is_refused(ulong length, string named)
    {
        RegisterDriver driver = Plug(Card(out SocketEndpoint endpoint));
        driver.Queues[0].Add(TestBuffer.Writable(_memory.Allocate(120), 120));
        driver.Kick(0);
        Assert.True(endpoint.Send(new byte[128]));
        driver.Threads.Loops[0].Poll(0);
        byte[] state = StateWriter.Save(driver.Registers);
        byte[] field = [.. BitConverter.GetBytes(128ul), 8, 0, 0, 0];
        int at = state.AsSpan().IndexOf(field);
        Assert.True(at > 0);

        byte[] altered =
            StateDamage.Altered(state, bytes => BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), length));

        Assert.Contains(
            $"a frame of {named} beside its buffers",
            Assert.Throws<StateException>(() => StateReader.Restore(driver.Registers, altered)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Statistics_can_be_asked_for_when_the_buffer_was_here()
    {
        RegisterDriver driver = Plug(Balloon());
        TestDriver queue = driver.Queues[2];
        queue.Add(TestBuffer.Readable(_memory.Allocate(10), 10));
        driver.Kick(2);
        Assert.Equal(1, queue.Outstanding);
        VirtioBalloon? balloon = null;

        driver.HandOver(() => balloon = Balloon());
        driver.Threads.Run();
        Assert.False(queue.TryReap(out _, out _));
        Assert.Null(balloon!.RequestStatistics(TimeSpan.Zero));
        driver.Threads.Loops[0].Poll(0);

        Assert.True(queue.TryReap(out _, out _));
    }

    [Fact]
    public void A_doorbell_that_nobody_heard_is_heard_by_the_next_device()
    {
        RegisterDriver driver = Plug(new EchoDevice(8));
        driver.Queues[0].Add(TestBuffer.Readable(_memory.Allocate(4), 4));
        driver.Write(VirtioMmio.QueueNotify, 0);

        driver.HandOver(() => new EchoDevice(8));
        driver.Threads.Run();

        Assert.True(driver.Queues[0].TryReap(out _, out _));
        Assert.Equal(1u, driver.InterruptStatus);
    }

    [Fact]
    public void Indices_go_on_beyond_the_end_of_16_bits()
    {
        RegisterDriver driver = Plug(new EchoDevice(8));
        TestDriver queue = driver.Queues[0];
        ulong at = _memory.Allocate(4);
        for (int i = 0; i < 65_600; i++)
        {
            if (i is 3 or 65_534 or 65_536)
                driver.HandOver(() => new EchoDevice(8));
            queue.Add(TestBuffer.Readable(at, 4));
            driver.Write(VirtioMmio.QueueNotify, 0);
            driver.Threads.Run();
            Assert.True(queue.TryReap(out _, out _));
        }
    }

    [Fact]
    public void A_device_that_could_not_start_is_still_one_that_could_not()
    {
        RegisterDriver driver = _driver = new RegisterDriver(new EchoDevice(8), _memory);
        Assert.True(driver.Negotiate(ulong.MaxValue));
        driver.SetUpQueue(0, 8);
        driver.Write(0x38, 3);
        driver.Status |= VirtioStatus.DriverOk;
        EchoDevice next = new(8);

        driver.HandOver(() => next);

        Assert.True(driver.Status.HasFlag(VirtioStatus.NeedsReset));
        Assert.False(next.IsActive);
        driver.Start();
        Assert.True(next.IsActive);
    }

    [Fact]
    public void Features_that_are_not_offered_any_more_are_named()
    {
        byte[] state = Started(new EchoDevice(8) { Features = 0b1010 });
        Assert.Equal(
            "saved state of virtio: impossible: features 0x13000000a were negotiated, and this device offers 0x130000002",
            Refusal(new EchoDevice(8) { Features = 0b0010 }, state));
    }

    [Fact]
    public void A_queue_outside_of_RAM_is_named()
    {
        byte[] state = Started(new EchoDevice(8));
        using TestMemory small = new((0x8_0000, 0x1000));
        using EchoDevice device = new(8);
        using RegisterDriver driver = new(device, small);
        StateException refusal = Assert.Throws<StateException>(() => StateReader.Restore(driver.Registers, state));
        Assert.StartsWith(
            "saved state of virtio: impossible: queue 0 of 8 at 0x1000, 0x1080, 0x10a0: not all of it is in RAM",
            refusal.Message,
            StringComparison.Ordinal);
        Assert.Equal(VirtioStatus.None, driver.Status);
        Assert.False(device.IsActive);
    }

    [Fact]
    public void Another_number_of_queues_is_named()
    {
        byte[] state = Started(new EchoDevice(8, 8));
        Assert.Equal(
            "saved state of virtio: impossible: 2 queues, and this device has 3", Refusal(new EchoDevice(8, 8, 8), state));
    }

    [Fact]
    public void After_a_refusal_a_driver_finds_a_device_that_was_reset()
    {
        byte[] state = Started(new EchoDevice(8, 8));
        RegisterDriver driver = _driver = new RegisterDriver(new EchoDevice(8), _memory);
        driver.Start();
        Assert.Throws<StateException>(() => StateReader.Restore(driver.Registers, state));
        Assert.Equal(VirtioStatus.None, driver.Status);
        Assert.False(driver.Threads.IsParked);
        driver.Start();
    }

    private static VirtioNet Card(out SocketEndpoint endpoint) => new(
        endpoint = new SocketEndpoint(hasHeader: true, offloads: NetOffloads.All), Net.Card.Mac);

    private VirtioBalloon Balloon() =>
        new(new BalloonOptions(4096), _memory.Memory, new Balloon.RecordingRelease(), _ => { });

    private RegisterDriver Plug(IVirtioDevice device)
    {
        _driver = new RegisterDriver(device, _memory);
        _driver.Start(largest: 8);
        return _driver;
    }

    private byte[] Started(EchoDevice device)
    {
        using RegisterDriver driver = new(device, _memory);
        driver.Start(largest: 8);
        return StateWriter.Save(driver.Registers);
    }

    private string Refusal(EchoDevice device, byte[] state)
    {
        using RegisterDriver driver = new(device, _memory);
        return Assert.Throws<StateException>(() => StateReader.Restore(driver.Registers, state)).Message;
    }

    private sealed class NarrowSink : IConsoleSink
    {
        public int Room { get; set; } = int.MaxValue;

        public string Text { get; private set; } = "";

        public void Write(byte value) => Text += (char)value;

        public int TryWrite(ReadOnlySpan<byte> text)
        {
            int taken = Math.Min(text.Length, Room);
            Room -= taken;
            Text += System.Text.Encoding.ASCII.GetString(text[..taken]);
            return taken;
        }
    }
}
