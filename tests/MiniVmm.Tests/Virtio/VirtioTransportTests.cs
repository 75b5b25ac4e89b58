using MiniVmm.Devices;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

/// <summary>What an adapter of another kind than MMIO needs: PCI's interrupts, and setting up by whole queues.</summary>
public sealed class VirtioTransportTests : IDisposable
{
    private const VirtioStatus ToFeatures =
        VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.FeaturesOk;

    private readonly TestMemory _memory = new();
    private readonly EchoDevice _device = new(8, 16);
    private readonly FakeThreads _threads;
    private readonly FakeVectors _vectors = new();
    private readonly VirtioTransport _transport;

    public VirtioTransportTests()
    {
        _threads = new FakeThreads(_device);
        _transport = new VirtioTransport(_device, _threads, _memory.Memory, _vectors);
        _device.Attach(_transport, _threads.Loops);
    }

    public void Dispose()
    {
        _transport.Reset();
        _device.Dispose();
        _memory.Dispose();
    }

    [Fact]
    public void Each_queue_interrupts_by_its_number_and_the_configuration_by_its_own_vector()
    {
        TestDriver[] queues = Start();
        queues[1].Add(TestBuffer.Readable(0x8000, 4), TestBuffer.Writable(0x9000, 4));
        _transport.Notify(1);
        _threads.Run();

        Assert.True(queues[1].TryReap(out _, out _));
        Assert.Equal(["queue 1"], _vectors.Raised);
        _transport.ConfigurationChanged();
        _transport.NeedsReset();
        Assert.Equal(["queue 1", "configuration", "configuration"], _vectors.Raised);
    }

    [Fact]
    public void A_cause_that_the_driver_has_not_taken_interrupts_once_more_after_a_restore()
    {
        Start(); // a vector each, of which only the device knew which it had used
        _transport.QueueUsed(0);
        _transport.ConfigurationChanged();
        byte[] state = StateWriter.Save(_transport);
        _transport.Acknowledge((InterruptCauses)byte.MaxValue);
        _vectors.Raised.Clear();
        byte[] quiet = StateWriter.Save(_transport);

        StateReader.Restore(_transport, state);
        Assert.Equal(["queue 0", "queue 1", "configuration"], _vectors.Raised);
        StateReader.Restore(_transport, quiet);
        Assert.Equal(["queue 0", "queue 1", "configuration"], _vectors.Raised);
    }

    [Fact]
    public void Causes_are_taken_one_by_one_or_all_at_once_and_what_was_there_is_said()
    {
        const InterruptCauses Both = InterruptCauses.UsedBuffer | InterruptCauses.ConfigurationChange;
        _transport.QueueUsed(0);
        _transport.ConfigurationChanged();
        Assert.Equal(Both, _transport.InterruptCauses);
        Assert.Equal(Both, _transport.Acknowledge(InterruptCauses.UsedBuffer));

        // A read of PCI's ISR takes all of them (4.1.4.5).
        Assert.Equal(InterruptCauses.ConfigurationChange, _transport.Acknowledge((InterruptCauses)byte.MaxValue));
        Assert.Equal(InterruptCauses.None, _transport.InterruptCauses);
    }

    [Fact]
    public void A_queue_reads_back_as_it_was_set_up_until_a_reset()
    {
        Assert.Equal(new QueueSetup { Size = 16 }, _transport.SetupOf(1));
        QueueSetup setup = new() { Size = 4, IsEnabled = true, Descriptors = 1, Available = 2, Used = 3 };

        _transport.SetUp(1, setup);

        Assert.Equal(setup, _transport.SetupOf(1));
        Assert.Equal(new QueueSetup { Size = 8 }, _transport.SetupOf(0));
        Assert.True(_transport.TrySetStatus(VirtioStatus.None));
        Assert.Equal(new QueueSetup { Size = 16 }, _transport.SetupOf(1));
    }

    [Fact]
    public void A_queue_that_is_not_there_has_no_size_and_takes_nothing()
    {
        _transport.SetUp(2, new QueueSetup { Size = 4, IsEnabled = true });
        Assert.Equal((0, 0), (_transport.MaxSizeOf(2), _transport.MaxSizeOf(uint.MaxValue)));
        Assert.Equal(default, _transport.SetupOf(2));
        Start();
        _threads.Run();
        _transport.Notify(2);
        _transport.Notify(uint.MaxValue);
        Assert.Equal(0, _threads.Run());
    }

    [Fact]
    public void A_device_that_cannot_start_says_so_and_calls_nobody_until_told_to()
    {
        _transport.DriverFeatures = _transport.OfferedFeatures;
        _transport.SetUp(0, new QueueSetup { Size = 3, IsEnabled = true });
        Assert.True(_transport.TrySetStatus(ToFeatures));

        Assert.False(_transport.TrySetStatus(ToFeatures | VirtioStatus.DriverOk));

        Assert.Empty(_vectors.Raised);
        Assert.False(_device.IsActive);
        _transport.NeedsReset();
        Assert.Equal(["configuration"], _vectors.Raised);
    }

    [Fact]
    public void Features_are_fixed_once_they_are_agreed_on()
    {
        Start();
        _transport.DriverFeatures = 0;
        Assert.Equal(_transport.OfferedFeatures, _transport.DriverFeatures);
        _transport.Reset();
        Assert.Equal(0ul, _transport.DriverFeatures);
    }

    private TestDriver[] Start()
    {
        _transport.DriverFeatures = _transport.OfferedFeatures;
        Assert.True(_transport.TrySetStatus(ToFeatures));
        TestDriver[] queues = [new(_memory, 8, eventIndex: true), new(_memory, 16, eventIndex: true)];
        for (uint i = 0; i < queues.Length; i++)
        {
            _transport.SetUp(i, new QueueSetup
            {
                Size = queues[i].Size,
                IsEnabled = true,
                Descriptors = queues[i].Descriptors,
                Available = queues[i].Available,
                Used = queues[i].Used,
            });
        }

        Assert.True(_transport.TrySetStatus(ToFeatures | VirtioStatus.DriverOk));
        return queues;
    }

    private sealed class FakeVectors : IVirtioVectors
    {
        public List<string> Raised { get; } = [];

        public void QueueUsed(int queue) => Raised.Add($"queue {queue}");

        public void ConfigurationChanged() => Raised.Add("configuration");
    }
}
