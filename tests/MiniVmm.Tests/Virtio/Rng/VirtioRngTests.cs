using MiniVmm.Virtio;
using MiniVmm.Virtio.Rng;

namespace MiniVmm.Tests.Virtio.Rng;

public sealed class VirtioRngTests : IDisposable
{
    private const ushort QueueSize = 16;
    private readonly TestMemory _memory = new();
    private readonly FakeInterrupt _interrupt = new();
    private readonly FakeLoop _loop = new();
    private readonly VirtioRng _rng = new();
    private readonly TestDriver _driver;

    public VirtioRngTests()
    {
        _driver = new TestDriver(_memory, QueueSize);
        _rng.Attach(_interrupt, [_loop]);
        _rng.Activate((ulong)VirtioFeatures.Version1, [_driver.Enable()]);
    }

    public void Dispose()
    {
        _rng.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void It_is_an_entropy_device_with_one_queue_and_no_configuration()
    {
        byte[] configuration = [1, 2, 3, 4];
        _rng.ReadConfiguration(0, configuration);
        _rng.WriteConfiguration(0, configuration);

        Assert.Equal(4u, _rng.DeviceType);
        Assert.Equal(0ul, _rng.Features);
        Assert.Single(_rng.QueueSizes);
        Assert.Equal(new byte[4], configuration);
    }

    [Fact]
    public void Every_piece_of_a_request_is_filled_and_nothing_beside_it()
    {
        ulong[] pieces = [_memory.Allocate(1000), _memory.Allocate(1), _memory.Allocate(333)];
        ulong behind = _memory.Place(new byte[64]);
        ushort head = _driver.Add(
            TestBuffer.Writable(pieces[0], 1000),
            TestBuffer.Writable(pieces[1], 1),
            TestBuffer.Writable(pieces[2], 333));

        _rng.Notify(0);

        Assert.True(_driver.TryReap(out ushort done, out uint written));
        Assert.Equal((head, 1334u), (done, written));
        Assert.True(DifferentBytes(pieces[0], 1000) > 200);
        Assert.True(DifferentBytes(pieces[2], 333) > 100);
        Assert.Equal(-1, _memory.Bytes(behind, 64).IndexOfAnyExcept((byte)0));
        Assert.Equal(1, _interrupt.Used(0));
    }

    [Fact]
    public void Two_requests_get_different_bytes()
    {
        ulong first = _memory.Allocate(32);
        ulong second = _memory.Allocate(32);
        _driver.Add(TestBuffer.Writable(first, 32));
        _driver.Add(TestBuffer.Writable(second, 32));

        _rng.Notify(0);

        Assert.False(_memory.Bytes(first, 32).SequenceEqual(_memory.Bytes(second, 32)));
        Assert.Equal(1, _interrupt.Used(0)); // one for the batch
    }

    [Fact]
    public void A_request_gets_no_more_than_64_KiB()
    {
        ulong first = _memory.Allocate(60_000);
        ulong second = _memory.Allocate(60_000);
        _driver.Add(TestBuffer.Writable(first, 60_000), TestBuffer.Writable(second, 60_000));

        _rng.Notify(0);

        Assert.True(_driver.TryReap(out _, out uint written));
        Assert.Equal(64u * 1024, written);
        int rest = VirtioRng.MostBytes - 60_000;
        Assert.True(DifferentBytes(second, rest) > 200);
        Assert.Equal(-1, _memory.Bytes(second + (ulong)rest, 60_000 - rest).IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void A_request_without_a_buffer_to_write_is_given_back_untouched()
    {
        ulong text = _memory.Place("unchanged"u8);
        _driver.Add(TestBuffer.Readable(text, 9));

        _rng.Notify(0);

        Assert.True(_driver.TryReap(out _, out uint written));
        Assert.Equal(0u, written);
        Assert.Equal("unchanged"u8, _memory.Bytes(text, 9));
    }

    [Fact]
    public void A_guest_that_always_has_another_request_leaves_the_thread_a_pause_and_is_served_after_it()
    {
        ulong buffer = _memory.Allocate(16);
        for (int i = 0; i < QueueSize; i++)
            _driver.Add(TestBuffer.Writable(buffer, 16));
        _rng.Notify(0);
        Assert.Equal(QueueSize, _driver.UsedIndex);
        while (_driver.TryReap(out _, out _))
            _driver.Add(TestBuffer.Writable(buffer, 16));

        Assert.Equal(1, _loop.Elapse());
        Assert.Equal(2 * QueueSize, _driver.UsedIndex);
    }

    [Fact]
    public void A_buffer_outside_of_ram_asks_for_a_reset()
    {
        _driver.Add(TestBuffer.Writable(1 << 20, 16));

        _rng.Notify(0);

        Assert.Equal(1, _interrupt.Resets);
        Assert.Equal(0, _driver.UsedIndex);
    }

    [Fact]
    public void After_a_reset_nothing_is_written()
    {
        ulong buffer = _memory.Allocate(16);
        for (int i = 0; i < QueueSize; i++)
            _driver.Add(TestBuffer.Writable(buffer, 16));
        _rng.Notify(0);
        _rng.Reset();
        _memory.Bytes(buffer, 16).Clear();

        _rng.Notify(0);

        Assert.Equal(0, _loop.Elapse());
        Assert.Equal(-1, _memory.Bytes(buffer, 16).IndexOfAnyExcept((byte)0));
    }

    [Fact]
    public void A_request_allocates_nothing()
    {
        ulong buffer = _memory.Allocate(64);
        Serve(buffer);
        Assert.Equal(0, Allocations.Steady(() => Serve(buffer)));
    }

    /// <returns>What the device allocated.</returns>
    private long Serve(ulong buffer)
    {
        _driver.Add(TestBuffer.Writable(buffer, 64));
        long before = GC.GetAllocatedBytesForCurrentThread();
        _rng.Notify(0);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.True(_driver.TryReap(out _, out _));
        return allocated;
    }

    /// <summary>How many of the 256 values occur: of 1000 random bytes about 250, and never close to few.</summary>
    private int DifferentBytes(ulong address, int length) =>
        _memory.Bytes(address, length).ToArray().Distinct().Count();
}
