using MiniVmm.Memory;

namespace MiniVmm.Virtio;

/// <summary>
/// What every transport does alike: the device's status and features, where its queues lie, why it interrupts
/// (virtio 1.2, 2 and 3.1). An adapter puts a bus' registers in front of it, as <see cref="VirtioMmio"/> does.
/// </summary>
/// <remarks>
/// The adapter makes one call at a time. <see cref="IVirtioInterrupt"/> is for the device, from any thread.
/// </remarks>
public sealed partial class VirtioTransport : IVirtioInterrupt
{
    private const VirtioStatus DriversBits = VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.DriverOk
        | VirtioStatus.FeaturesOk | VirtioStatus.Failed;

    private readonly IVirtioDevice _device;
    private readonly IDeviceThreads _threads;
    private readonly IVirtioVectors _vectors;
    private readonly Virtqueue[] _queues;
    private readonly QueueSetup[] _setups;
    private int _status;
    private ulong _driverFeatures;
    private uint _generation;
    private int _causes;
    private bool _active;

    /// <param name="device">The device behind it.</param>
    /// <param name="threads">Those that touch its queues.</param>
    /// <param name="memory">Guest RAM.</param>
    /// <param name="vectors">Its interrupts.</param>
    public VirtioTransport(IVirtioDevice device, IDeviceThreads threads, GuestMemory memory, IVirtioVectors vectors)
    {
        ArgumentNullException.ThrowIfNull(device);
        _device = device;
        _threads = threads;
        _vectors = vectors;
        _queues = [.. device.QueueSizes.Select(size => new Virtqueue(memory, size))];
        ArgumentOutOfRangeException.ThrowIfZero(_queues.Length);
        _setups = new QueueSetup[_queues.Length];
        ResetSetups();
    }

    public uint DeviceType => _device.DeviceType;

    public int QueueCount => _queues.Length;

    /// <summary>What the adapter's registers add to the features.</summary>
    internal VirtioFeatures AdapterFeatures { get; init; }

    /// <summary>The device's features and those of every device.</summary>
    public ulong OfferedFeatures => _device.Features
        | (ulong)(VirtioFeatures.Version1 | VirtioFeatures.IndirectDescriptors | VirtioFeatures.EventIndex | AdapterFeatures);

    /// <summary>Those that the driver takes; fixed from FEATURES_OK until a reset (3.1.1).</summary>
    public ulong DriverFeatures
    {
        get => _driverFeatures;
        set
        {
            if (!Has(VirtioStatus.FeaturesOk))
                _driverFeatures = value;
        }
    }

    public VirtioStatus Status => (VirtioStatus)Volatile.Read(ref _status);

    /// <summary>Another number after each change of the configuration space (2.5.1).</summary>
    public uint Generation => Volatile.Read(ref _generation);

    /// <summary>Those that the driver has not acknowledged.</summary>
    public InterruptCauses InterruptCauses => (InterruptCauses)Volatile.Read(ref _causes);

    /// <summary>Forgets causes.</summary>
    /// <returns>All that there were.</returns>
    public InterruptCauses Acknowledge(InterruptCauses causes) =>
        (InterruptCauses)Interlocked.And(ref _causes, (int)~causes);

    public void ReadConfiguration(uint offset, Span<byte> data) => _device.ReadConfiguration(offset, data);

    public void WriteConfiguration(uint offset, ReadOnlySpan<byte> data) => _device.WriteConfiguration(offset, data);

    /// <summary>Most descriptors of a queue; 0 where there is no such queue.</summary>
    public ushort MaxSizeOf(uint queue) => queue < _queues.Length ? _queues[queue].MaxSize : (ushort)0;

    /// <summary>How the driver set a queue up; all zeroes where there is no such queue.</summary>
    public QueueSetup SetupOf(uint queue) => queue < _setups.Length ? _setups[queue] : default;

    /// <summary>
    /// Takes what the driver wants of a queue, to be checked when the device starts. A queue that is in use does not move
    /// (4.2.3.2): a driver that wants that resets the device.
    /// </summary>
    public void SetUp(uint queue, QueueSetup setup)
    {
        if (queue < _setups.Length && (!Has(VirtioStatus.DriverOk) || (CanResetQueues && !_setups[queue].IsEnabled)))
            _setups[queue] = setup;
    }

    /// <summary>
    /// Takes one queue of a running device out of use and forgets where it was (virtio 1.2, 2.6.1); without effect where
    /// that was not negotiated. Waits for the requests in flight.
    /// </summary>
    public void ResetQueue(uint queue)
    {
        if (queue >= _setups.Length || !CanResetQueues)
            return;
        Park();
        try
        {
            if (_active)
                _device.ResetQueue((int)queue);
            _queues[queue].Disable();
            _setups[queue] = new QueueSetup { Size = _queues[queue].MaxSize };
        }
        finally
        {
            Resume();
        }
    }

    /// <summary>Takes a queue that was reset into use again, as it was set up meanwhile.</summary>
    /// <returns>False where it cannot be used so: call <see cref="NeedsReset"/> outside of locks.</returns>
    public bool TryEnableQueue(uint queue)
    {
        if (queue >= _setups.Length || _setups[queue].IsEnabled || !CanResetQueues)
            return true;
        _setups[queue].IsEnabled = true;
        if (!_active)
            return true;
        _threads.Park();
        try
        {
            if (!TryEnable((int)queue))
                return false;
        }
        finally
        {
            _threads.Resume();
        }

        _threads.Ring((int)queue);
        return true;
    }

    /// <summary>Has a queue looked at: a doorbell that did not come by ioeventfd.</summary>
    public void Notify(uint queue)
    {
        if (queue < _queues.Length && Has(VirtioStatus.DriverOk))
            _threads.Ring((int)queue);
    }

    /// <summary>virtio 1.2, 3.1.1: the order of a driver's steps, and what the device has to say to each.</summary>
    /// <returns>
    /// False where the device could not start as the driver set it up: call <see cref="NeedsReset"/> outside of locks.
    /// </returns>
    public bool TrySetStatus(VirtioStatus wanted)
    {
        if (wanted == VirtioStatus.None)
        {
            Reset();
            return true;
        }

        if (wanted.HasFlag(VirtioStatus.FeaturesOk) && !Has(VirtioStatus.FeaturesOk)
            && !CanTake(_driverFeatures))
            wanted &= ~VirtioStatus.FeaturesOk; // the driver reads it back and sees
        if (!(wanted | Status).HasFlag(VirtioStatus.FeaturesOk))
            wanted &= ~VirtioStatus.DriverOk;
        bool starts = wanted.HasFlag(VirtioStatus.DriverOk) && !Has(VirtioStatus.DriverOk);

        // Bits only come: a driver takes none back but by a reset (2.1.1).
        Interlocked.Or(ref _status, (int)(wanted & DriversBits));
        return !starts || Start();
    }

    /// <summary>
    /// Stops the device and forgets the driver. Done when the driver reads the status again (2.4): the one access that
    /// makes a vCPU wait, for the requests in flight. Also for the machine's end, when no vCPU runs any more.
    /// </summary>
    public void Reset()
    {
        _threads.Park();
        try
        {
            if (_active)
                _device.Reset();
            _active = false;
            DisableQueues();
            ResetSetups();
            Volatile.Write(ref _status, 0);
            Volatile.Write(ref _causes, 0);
        }
        finally
        {
            _threads.Resume();
        }

        _driverFeatures = 0;
    }

    /// <summary>
    /// Returns when nothing of the device is at work, and keeps it so until <see cref="Resume"/>, on any thread: requests
    /// that the host was at are completed by then, those that were not begun wait in their queues.
    /// </summary>
    public void Park()
    {
        _threads.Park();
        _device.Quiesce();
    }

    public void Resume() => _threads.Resume();

    public void QueueUsed(int queue)
    {
        Interlocked.Or(ref _causes, (int)InterruptCauses.UsedBuffer);
        _vectors.QueueUsed(queue);
    }

    public void ConfigurationChanged()
    {
        Interlocked.Increment(ref _generation);
        Interlocked.Or(ref _causes, (int)InterruptCauses.ConfigurationChange);
        _vectors.ConfigurationChanged();
    }

    public void NeedsReset()
    {
        // Without a lock: a vCPU that resets the device holds the adapter's, and waits for the thread that calls here.
        // Once is enough, however often the driver knocks.
        int status;
        do
        {
            status = Volatile.Read(ref _status);
            if (((VirtioStatus)status & (VirtioStatus.DriverOk | VirtioStatus.NeedsReset)) != VirtioStatus.DriverOk)
                return;
        }
        while (Interlocked.CompareExchange(ref _status, status | (int)VirtioStatus.NeedsReset, status) != status);
        ConfigurationChanged();
    }

    /// <summary>Whether a queue may be reset now: negotiated, and the driver is ready.</summary>
    private bool CanResetQueues =>
        Has(VirtioStatus.DriverOk) && ((VirtioFeatures)_driverFeatures).HasFlag(VirtioFeatures.RingReset);

    private bool Has(VirtioStatus bits) => Status.HasFlag(bits);

    /// <summary>Whether a driver may have these features, and no others (2.2.1, 6.1).</summary>
    private bool CanTake(ulong features) =>
        (features & ~OfferedFeatures) == 0 && (features & (ulong)VirtioFeatures.Version1) != 0;

    private bool Start()
    {
        _threads.Park();
        try
        {
            for (int i = 0; i < _queues.Length; i++)
            {
                if (_setups[i].IsEnabled && !TryEnable(i))
                {
                    DisableQueues();
                    return false;
                }
            }

            _device.Activate(_driverFeatures, _queues);
            _active = true;
        }
        finally
        {
            _threads.Resume();
        }

        // A driver may have filled queues before DRIVER_OK, and rung doorbells that nobody heard.
        RingAll();
        return true;
    }

    /// <summary>Takes a queue into use as it was set up.</summary>
    private bool TryEnable(int queue)
    {
        QueueSetup at = _setups[queue];
        return _queues[queue].TryEnable(
            at.Size, at.Descriptors, at.Available, at.Used, (VirtioFeatures)_driverFeatures);
    }

    private void RingAll()
    {
        for (int i = 0; i < _queues.Length; i++)
        {
            if (_queues[i].Size != 0)
                _threads.Ring(i);
        }
    }

    private void DisableQueues()
    {
        foreach (Virtqueue queue in _queues)
            queue.Disable();
    }

    private void ResetSetups()
    {
        for (int i = 0; i < _queues.Length; i++)
            _setups[i] = new QueueSetup { Size = _queues[i].MaxSize };
    }
}
