using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

public sealed class VirtioMmioTests : IDisposable
{
    private const VirtioStatus Known = VirtioStatus.Acknowledge | VirtioStatus.Driver;
    private const ulong Transport = (1UL << 32) | (1UL << 28) | (1UL << 29);
    private readonly TestMemory _memory = new((0, 0x10000), (0x20000, 0x10000));
    private readonly EchoDevice _device = new(8, 16);
    private readonly RegisterDriver _driver;

    public VirtioMmioTests() => _driver = new RegisterDriver(_device, _memory);

    public void Dispose()
    {
        _driver.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void It_says_what_it_is()
    {
        Assert.Equal(0x7472_6976u, _driver.Read(0));
        Assert.Equal(2u, _driver.Read(4));
        Assert.Equal(42u, _driver.DeviceType);
        Assert.Equal(Transport | 0b1010, _driver.Offered);
        _driver.Write(0x14, 2);
        Assert.Equal(0u, _driver.Read(0x10));
    }

    [Fact]
    public void A_driver_gets_through_and_its_chains_come_back_with_an_interrupt()
    {
        _driver.Start();
        Assert.Equal(Transport | 0b1010, _device.Negotiated);
        TestDriver queue = _driver.Queues[1];
        ulong text = _memory.Place("hello"u8);
        ulong answer = _memory.Allocate(16);
        queue.Add(TestBuffer.Readable(text, 5), TestBuffer.Writable(answer, 16));

        _driver.Kick(1);

        Assert.True(queue.TryReap(out _, out uint written));
        Assert.Equal(5u, written);
        Assert.Equal("hello"u8, _memory.Bytes(answer, 5));
        Assert.Equal(1u, _driver.InterruptStatus);
        Assert.Equal(1, _driver.Line.Count);
        _driver.Write(0x64, 1);
        Assert.Equal(0u, _driver.InterruptStatus);
    }

    [Fact]
    public void What_a_driver_added_before_it_was_ready_is_seen_once_it_is()
    {
        Assert.True(_driver.Negotiate(ulong.MaxValue));
        TestDriver queue = _driver.SetUpQueue(0, 4);
        queue.Add(TestBuffer.Readable(0x4000, 1));
        _driver.Write(VirtioMmio.QueueNotify, 0);
        Assert.Equal(0, _driver.Threads.Run());

        _driver.Status |= VirtioStatus.DriverOk;

        Assert.True(_driver.Threads.IsRung(0));
        Assert.False(_driver.Threads.IsRung(1));
        _driver.Threads.Run();
        Assert.True(queue.TryReap(out _, out _));
        Assert.Equal([4, 0], _device.Queues.Select(each => (int)each.Size));
    }

    [Theory]
    [InlineData(0b0001 | (1UL << 32))] // not offered
    [InlineData(1UL << 33)]
    [InlineData(0b0010)] // without VERSION_1
    [InlineData(0)]
    public void Features_that_cannot_be_are_not_agreed_to(ulong features)
    {
        _driver.Status = VirtioStatus.Acknowledge;
        _driver.Status |= VirtioStatus.Driver;
        _driver.WriteFeatures(features);

        _driver.Status |= VirtioStatus.FeaturesOk;
        Assert.Equal(Known, _driver.Status);

        // And the driver that goes on does not get anywhere.
        _driver.Status = Known | VirtioStatus.FeaturesOk | VirtioStatus.DriverOk;
        Assert.Equal(Known, _driver.Status);
        Assert.Equal(0, _device.Activations);
    }

    [Fact]
    public void Features_are_fixed_once_they_are_agreed_to()
    {
        Assert.True(_driver.Negotiate(0b0010));
        _driver.WriteFeatures(0b1000 | (1UL << 32));
        _driver.Status |= VirtioStatus.DriverOk;
        Assert.Equal(0b0010 | (1UL << 32), _device.Negotiated);
    }

    [Fact]
    public void Nothing_starts_without_FEATURES_OK()
    {
        _driver.WriteFeatures(1UL << 32);
        _driver.Status = Known | VirtioStatus.DriverOk;
        Assert.Equal(Known, _driver.Status);
        Assert.Equal(0, _device.Activations);

        _driver.Status = Known | VirtioStatus.FeaturesOk | VirtioStatus.DriverOk;
        Assert.Equal(1, _device.Activations);
    }

    [Fact]
    public void A_driver_takes_no_bit_back_and_starts_nothing_twice()
    {
        _driver.Start();
        VirtioStatus running = _driver.Status;

        _driver.Status = VirtioStatus.Acknowledge;
        Assert.Equal(running, _driver.Status);
        _driver.Status = running;
        _driver.Status = running | (VirtioStatus)0x30 | VirtioStatus.NeedsReset;

        Assert.Equal(running, _driver.Status);
        Assert.Equal((1, 0), (_device.Activations, _device.Resets));
    }

    [Fact]
    public void A_reset_leaves_nothing_and_waits_for_the_devices_threads()
    {
        _driver.Start();
        _driver.Queues[0].Add(TestBuffer.Readable(0x4000, 1));
        _driver.Kick(0);
        _driver.Transport.NeedsReset();
        IReadOnlyList<Virtqueue> queues = _device.Queues;
        _driver.Queues[0].Add(TestBuffer.Readable(0x4000, 1));
        int parkings = _driver.Threads.Parkings;
        int used = _driver.Queues[0].UsedIndex;
        TestDriver old = _driver.Queues[0];

        _driver.Reset();

        Assert.Equal(parkings + 1, _driver.Threads.Parkings);
        Assert.False(_driver.Threads.IsParked);
        Assert.Equal(1, _device.Resets);
        Assert.Equal(0u, _driver.InterruptStatus);
        Assert.All(queues, queue => Assert.Equal(0, queue.Size));
        for (uint i = 0; i < 2; i++)
        {
            _driver.Write(0x30, i);
            Assert.Equal(0u, _driver.Read(0x44));
        }

        // A doorbell that was late.
        _driver.Threads.Ring(0);
        _driver.Threads.Run();
        Assert.Equal(used, old.UsedIndex);
        _driver.Start();
        Assert.Equal(2, _device.Activations);
    }

    [Fact]
    public void A_reset_of_what_never_ran_is_no_reset_of_the_device()
    {
        _driver.Status = Known;
        _driver.Reset();
        Assert.Equal(0, _device.Resets);
    }

    [Theory]
    [InlineData(0u, 0x1000ul)]
    [InlineData(3u, 0x1000ul)]
    [InlineData(32u, 0x1000ul)]
    [InlineData(65536u + 8, 0x1000ul)]
    [InlineData(8u, 0x1008ul)]
    [InlineData(8u, 0xfff0ul)]
    [InlineData(8u, 0xffff_ffff_ffff_fff0ul)]
    public void Queues_that_cannot_be_ask_for_a_reset(uint size, ulong descriptors)
    {
        Assert.True(_driver.Negotiate(0));
        _driver.SetUpQueue(0, 8);
        _driver.SetUpQueue(1, 8);
        _driver.Write(0x38, size);
        _driver.Write(0x80, (uint)descriptors);
        _driver.Write(0x84, (uint)(descriptors >> 32));
        uint generation = _driver.ConfigurationGeneration;

        _driver.Status |= VirtioStatus.DriverOk;

        Assert.True(_driver.Status.HasFlag(VirtioStatus.DriverOk | VirtioStatus.NeedsReset));
        Assert.Equal(2u, _driver.InterruptStatus);
        Assert.NotEqual(generation, _driver.ConfigurationGeneration);
        Assert.Equal(1, _driver.Line.Count);
        Assert.Equal(0, _device.Activations);
        _driver.Write(VirtioMmio.QueueNotify, 0);
        _driver.Threads.Run();
        _driver.Start();
        Assert.Equal((1, 0), (_device.Activations, _device.Resets));
    }

    [Fact]
    public void A_queue_in_use_does_not_move()
    {
        _driver.Start();
        _driver.Write(0x30, 0);
        foreach (int offset in (int[])[0x38, 0x44, 0x80, 0x84, 0x90, 0x94, 0xa0, 0xa4, 0xc0])
            _driver.Write(offset, 0);
        Assert.Equal(1u, _driver.Read(0x44));
        TestDriver queue = _driver.Queues[0];
        queue.Add(TestBuffer.Readable(0x4000, 1));
        _driver.Kick(0);
        Assert.True(queue.TryReap(out _, out _));
    }

    [Fact]
    public void A_queue_that_is_not_there_has_no_size_and_takes_nothing()
    {
        _driver.Write(0x30, 2);
        _driver.Write(0x44, 1);
        Assert.Equal((0u, 0u), (_driver.Read(0x34), _driver.Read(0x44)));
        _driver.Write(0x30, uint.MaxValue);
        Assert.Equal(0u, _driver.Read(0x34));
        _driver.Write(0x30, 1);
        Assert.Equal((16u, 0u), (_driver.Read(0x34), _driver.Read(0x44)));
        _driver.Start();
        _driver.Write(VirtioMmio.QueueNotify, 2);
        _driver.Write(VirtioMmio.QueueNotify, uint.MaxValue);
        Assert.Equal(0, _driver.Threads.Run());
    }

    [Fact]
    public void A_driver_that_breaks_the_rules_is_told_once_until_it_resets()
    {
        _driver.Transport.NeedsReset();
        Assert.Equal((VirtioStatus.None, 0), (_driver.Status, _driver.Line.Count));
        _driver.Start();
        _driver.Queues[0].MakeAvailable(99);
        for (int i = 0; i < 3; i++)
        {
            _driver.Write(VirtioMmio.QueueNotify, 0);
            _driver.Threads.Run();
        }

        Assert.True(_driver.Status.HasFlag(VirtioStatus.NeedsReset));
        Assert.Equal(2u, _driver.InterruptStatus);
        Assert.Equal(1, _driver.Line.Count);
        _driver.Start();
        Assert.False(_driver.Status.HasFlag(VirtioStatus.NeedsReset));
    }

    [Fact]
    public void Registers_take_whole_aligned_accesses_only()
    {
        Span<byte> eight = stackalloc byte[8];
        _driver.Registers.Read(0, eight);
        Assert.False(eight.ContainsAnyExcept((byte)0));
        eight.Fill(0xff);
        _driver.Registers.Read(2, eight[..4]);
        Assert.Equal([0, 0, 0, 0], eight[..4].ToArray());
        _driver.Registers.Write(0x70, [1]);
        _driver.Registers.Write(0x70, [1, 0]);
        _driver.Registers.Write(0x6e, [1, 0, 1, 0]);
        _driver.Registers.Write(0x70, [1, 0, 0, 0, 0, 0, 0, 0]);
        Assert.Equal(VirtioStatus.None, _driver.Status);
    }

    [Fact]
    public void Shared_memory_is_nowhere_and_a_queue_is_not_reset_by_itself()
    {
        Assert.All((int[])[0xb0, 0xb4, 0xb8, 0xbc], offset => Assert.Equal(uint.MaxValue, _driver.Read(offset)));
        Assert.Equal(0u, _driver.Read(0xc0));
    }

    [Fact]
    public void The_configuration_space_is_the_devices()
    {
        _driver.WriteConfiguration(2, [1, 2, 3]);
        Assert.Equal([0, 0, 1, 2, 3, 0, 0, 0, 0, 0], _driver.ReadConfiguration(0, 10));
        Assert.Equal([0], _driver.ReadConfiguration(0xeff, 1));
    }

    [Fact]
    public void A_change_of_the_configuration_has_a_number_and_an_interrupt()
    {
        uint generation = _driver.ConfigurationGeneration;
        _driver.Transport.ConfigurationChanged();
        Assert.NotEqual(generation, _driver.ConfigurationGeneration);
        Assert.Equal(2u, _driver.InterruptStatus);
        _driver.Transport.QueueUsed(0);
        Assert.Equal(3u, _driver.InterruptStatus);
        _driver.Write(0x64, 2);
        Assert.Equal(1u, _driver.InterruptStatus);
        Assert.Equal(2, _driver.Line.Count);
    }
}
