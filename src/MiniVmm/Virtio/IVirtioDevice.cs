using MiniVmm.Devices;

namespace MiniVmm.Virtio;

/// <summary>
/// A device of virtio 1.2, section 5, without its transport: it knows its queues, its features and its configuration
/// space, and neither registers nor interrupts nor KVM.
/// </summary>
/// <remarks>
/// <see cref="Notify"/> and what was given to <see cref="IDeviceLoop"/> run on the device's own threads.
/// <see cref="Activate"/> and <see cref="Reset"/> run while all of those are parked, on whatever thread, so that a device
/// with one thread needs no lock. So do <see cref="ISuspendable.Save"/>, after <see cref="Quiesce"/>, and
/// <see cref="ISuspendable.Restore"/>, after Activate where the device was active. Disposed after its threads have ended.
/// </remarks>
public interface IVirtioDevice : ISuspendable, IDisposable
{
    /// <summary>Device type (virtio 1.2, 5): 1 network, 2 block, 3 console, 4 entropy, 5 balloon, 24 memory.</summary>
    uint DeviceType { get; }

    /// <summary>The features of its own that it offers; those of every device are the transport's.</summary>
    ulong Features { get; }

    /// <summary>Most descriptors of each queue, a power of two, in the order of the specification.</summary>
    IReadOnlyList<ushort> QueueSizes { get; }

    /// <summary>How many threads its queues are spread over, at least 1.</summary>
    int Threads => 1;

    /// <summary>Which of the threads serves a queue.</summary>
    int ThreadOf(int queue) => 0;

    /// <summary>Gives it its threads, before they start, and its way to call the driver. Once.</summary>
    void Attach(IVirtioInterrupt interrupt, IReadOnlyList<IDeviceLoop> threads);

    /// <summary>Fills <paramref name="data"/> from the configuration space; what is beyond its end reads as 0.</summary>
    /// <remarks>From any vCPU's thread; allocates nothing, waits for nothing.</remarks>
    void ReadConfiguration(uint offset, Span<byte> data);

    /// <summary>Takes a write to the configuration space; what is not writable is left alone.</summary>
    /// <remarks>From any vCPU's thread; allocates nothing, waits for nothing.</remarks>
    void WriteConfiguration(uint offset, ReadOnlySpan<byte> data);

    /// <summary>The driver is ready (DRIVER_OK): its queues may be used from now on.</summary>
    /// <param name="features">What was negotiated, the transport's bits among them.</param>
    /// <param name="queues">One for each of <see cref="QueueSizes"/>; those that the driver left out have size 0.</param>
    void Activate(ulong features, IReadOnlyList<Virtqueue> queues);

    /// <summary>
    /// The driver put something into a queue, or might have: on that queue's thread. A late one may come when the device is
    /// not active any more, or again: there is nothing to do then.
    /// </summary>
    void Notify(int queue);

    /// <summary>
    /// Returns when nothing of the device is at work: no queue, no guest RAM and nothing of the host's is touched until
    /// its threads go on, which are parked. For a device that has others at work beside them.
    /// </summary>
    void Quiesce()
    {
    }

    /// <summary>
    /// The driver takes one queue back: what the device holds of it is forgotten, like <see cref="Reset"/> on all of
    /// them. Nothing is in flight. For a device that keeps buffers beyond <see cref="Notify"/>.
    /// </summary>
    void ResetQueue(int queue)
    {
    }

    /// <summary>
    /// Back to the state before Activate: when this returns, nothing of the queues or of guest RAM is touched any more.
    /// </summary>
    void Reset();
}

/// <summary>How a device calls its driver: a transport's end. From any thread; takes no lock, allocates nothing.</summary>
public interface IVirtioInterrupt
{
    /// <summary>Something was completed in the queue, and <see cref="Virtqueue.ShouldInterrupt"/> said yes.</summary>
    void QueueUsed(int queue);

    /// <summary>The configuration space changed.</summary>
    void ConfigurationChanged();

    /// <summary>The driver broke the rules (<see cref="Virtqueue.Error"/>): the device waits for a reset.</summary>
    void NeedsReset();
}
