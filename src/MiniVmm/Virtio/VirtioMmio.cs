using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Virtio;

/// <summary>
/// The memory-mapped transport (virtio 1.2, 4.2), version 2: the registers of one device. Notifications come by
/// ioeventfd and never get here; what does is set-up, at most a few dozen accesses in a machine's life.
/// </summary>
public sealed class VirtioMmio : IBusDevice, IVirtioInterrupt
{
    /// <summary>Bytes of the window.</summary>
    public const int Length = 0x1000;

    /// <summary>Offset of QueueNotify: a queue's number written here.</summary>
    public const int QueueNotify = 0x50;

    private const int Configuration = 0x100;
    private const uint Magic = 0x7472_6976; // "virt"
    private const uint Version = 2;
    private const uint Vendor = 0x4d56_4d4d; // "MMVM"
    private const uint UsedBuffer = 1;
    private const uint ConfigurationChange = 2;
    private const VirtioStatus DriversBits = VirtioStatus.Acknowledge | VirtioStatus.Driver | VirtioStatus.DriverOk
        | VirtioStatus.FeaturesOk | VirtioStatus.Failed;

    private readonly Lock _lock = new();
    private readonly IVirtioDevice _device;
    private readonly IDeviceThreads _threads;
    private readonly IInterruptTrigger _interrupt;
    private readonly Virtqueue[] _queues;
    private readonly QueueAddresses[] _addresses;
    private int _status;
    private ulong _driverFeatures;
    private uint _deviceFeaturesSelect;
    private uint _driverFeaturesSelect;
    private uint _queueSelect;
    private uint _generation;
    private uint _interruptStatus;
    private bool _active;

    /// <param name="device">The device behind the registers.</param>
    /// <param name="threads">Those that touch its queues.</param>
    /// <param name="memory">Guest RAM.</param>
    /// <param name="interrupt">Its line; edges.</param>
    public VirtioMmio(IVirtioDevice device, IDeviceThreads threads, GuestMemory memory, IInterruptTrigger interrupt)
    {
        ArgumentNullException.ThrowIfNull(device);
        _device = device;
        _threads = threads;
        _interrupt = interrupt;
        _queues = [.. device.QueueSizes.Select(size => new Virtqueue(memory, size))];
        ArgumentOutOfRangeException.ThrowIfZero(_queues.Length);
        _addresses = new QueueAddresses[_queues.Length];
        ResetAddresses();
    }

    private VirtioStatus Status => (VirtioStatus)Volatile.Read(ref _status);

    private ulong Offered => _device.Features
        | (ulong)(VirtioFeatures.Version1 | VirtioFeatures.IndirectDescriptors | VirtioFeatures.EventIndex);

    public void Read(ulong offset, Span<byte> data)
    {
        if (offset >= Configuration)
        {
            _device.ReadConfiguration((uint)offset - Configuration, data);
            return;
        }

        // Registers are 32 bits wide and read whole (4.2.2.2).
        data.Clear();
        if (data.Length == sizeof(uint) && offset % sizeof(uint) == 0)
            BinaryPrimitives.WriteUInt32LittleEndian(data, ReadRegister((uint)offset));
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        if (offset >= Configuration)
        {
            _device.WriteConfiguration((uint)offset - Configuration, data);
            return;
        }

        if (data.Length != sizeof(uint) || offset % sizeof(uint) != 0)
            return;
        bool done;
        lock (_lock)
            done = WriteRegister((uint)offset, BinaryPrimitives.ReadUInt32LittleEndian(data));
        if (!done)
            NeedsReset();
    }

    public void QueueUsed(int queue) => Raise(UsedBuffer);

    public void ConfigurationChanged()
    {
        Interlocked.Increment(ref _generation);
        Raise(ConfigurationChange);
    }

    public void NeedsReset()
    {
        // Without the lock: a vCPU that resets the device holds it, and waits for the thread that calls here. Once is
        // enough, however often the driver knocks.
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

    /// <summary>Stops the device, as a reset does; for the machine's end, when no vCPU runs any more.</summary>
    public void Stop()
    {
        lock (_lock)
            Reset();
    }

    private void Raise(uint cause)
    {
        Interlocked.Or(ref _interruptStatus, cause);
        _interrupt.Trigger();
    }

    private uint ReadRegister(uint offset)
    {
        lock (_lock)
        {
            ref QueueAddresses selected = ref Selected(out bool exists);
            return offset switch
            {
                0x00 => Magic,
                0x04 => Version,
                0x08 => _device.DeviceType,
                0x0c => Vendor,
                0x10 => _deviceFeaturesSelect switch { 0 => (uint)Offered, 1 => (uint)(Offered >> 32), _ => 0 },
                0x34 => exists ? _queues[_queueSelect].MaxSize : 0u,
                0x44 => exists && selected.Ready ? 1u : 0u,
                0x60 => Volatile.Read(ref _interruptStatus),
                0x70 => (uint)Status,
                0xb0 or 0xb4 or 0xb8 or 0xbc => uint.MaxValue, // no shared memory (4.2.2)
                0xfc => Volatile.Read(ref _generation),
                _ => 0,
            };
        }
    }

    /// <summary>False where the device could not start as the driver set it up.</summary>
    private bool WriteRegister(uint offset, uint value)
    {
        switch (offset)
        {
            case 0x14:
                _deviceFeaturesSelect = value;
                break;
            case 0x20 when !Has(VirtioStatus.FeaturesOk):
                SetDriverFeatures(value);
                break;
            case 0x24:
                _driverFeaturesSelect = value;
                break;
            case 0x30:
                _queueSelect = value;
                break;
            case 0x64:
                Interlocked.And(ref _interruptStatus, ~value);
                break;
            case 0x70:
                return SetStatus((VirtioStatus)(value & 0xff));
            case QueueNotify when value < _queues.Length && Has(VirtioStatus.DriverOk):
                _threads.Ring((int)value); // from a KVM that has no ioeventfd for it
                break;
            default:
                WriteQueueRegister(offset, value);
                break;
        }

        return true;
    }

    private void WriteQueueRegister(uint offset, uint value)
    {
        ref QueueAddresses queue = ref Selected(out bool exists);

        // A queue that is in use does not move (4.2.3.2): a driver that wants that resets the device.
        if (!exists || Has(VirtioStatus.DriverOk))
            return;
        switch (offset)
        {
            case 0x38:
                queue.Size = (ushort)Math.Min(value, ushort.MaxValue);
                break;
            case 0x44:
                queue.Ready = (value & 1) != 0;
                break;
            case 0x80:
                SetLow(ref queue.Descriptors, value);
                break;
            case 0x84:
                SetHigh(ref queue.Descriptors, value);
                break;
            case 0x90:
                SetLow(ref queue.Available, value);
                break;
            case 0x94:
                SetHigh(ref queue.Available, value);
                break;
            case 0xa0:
                SetLow(ref queue.Used, value);
                break;
            case 0xa4:
                SetHigh(ref queue.Used, value);
                break;
            default:
                break;
        }
    }

    private void SetDriverFeatures(uint value)
    {
        if (_driverFeaturesSelect == 0)
            SetLow(ref _driverFeatures, value);
        else if (_driverFeaturesSelect == 1)
            SetHigh(ref _driverFeatures, value);
    }

    /// <summary>virtio 1.2, 3.1.1: the order of a driver's steps, and what the device has to say to each.</summary>
    private bool SetStatus(VirtioStatus wanted)
    {
        if (wanted == VirtioStatus.None)
        {
            Reset();
            return true;
        }

        if (wanted.HasFlag(VirtioStatus.FeaturesOk) && !Has(VirtioStatus.FeaturesOk)
            && ((_driverFeatures & ~Offered) != 0 || (_driverFeatures & (ulong)VirtioFeatures.Version1) == 0))
            wanted &= ~VirtioStatus.FeaturesOk; // the driver reads it back and sees
        if (!(wanted | Status).HasFlag(VirtioStatus.FeaturesOk))
            wanted &= ~VirtioStatus.DriverOk;
        bool starts = wanted.HasFlag(VirtioStatus.DriverOk) && !Has(VirtioStatus.DriverOk);

        // Bits only come: a driver takes none back but by a reset (2.1.1).
        Interlocked.Or(ref _status, (int)(wanted & DriversBits));
        return !starts || Start();
    }

    private bool Has(VirtioStatus bits) => Status.HasFlag(bits);

    private bool Start()
    {
        _threads.Park();
        try
        {
            for (int i = 0; i < _queues.Length; i++)
            {
                QueueAddresses at = _addresses[i];
                if (at.Ready && !_queues[i].TryEnable(
                    at.Size, at.Descriptors, at.Available, at.Used, (VirtioFeatures)_driverFeatures))
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
        for (int i = 0; i < _queues.Length; i++)
        {
            if (_queues[i].Size != 0)
                _threads.Ring(i);
        }

        return true;
    }

    /// <summary>
    /// Done when the driver reads the status again (2.4): the one access that makes a vCPU wait, for the requests in flight.
    /// </summary>
    private void Reset()
    {
        _threads.Park();
        try
        {
            if (_active)
                _device.Reset();
            _active = false;
            DisableQueues();
            ResetAddresses();
            Volatile.Write(ref _status, 0);
            Volatile.Write(ref _interruptStatus, 0);
        }
        finally
        {
            _threads.Resume();
        }

        _driverFeatures = 0;
        _deviceFeaturesSelect = _driverFeaturesSelect = _queueSelect = 0;
    }

    private void DisableQueues()
    {
        foreach (Virtqueue queue in _queues)
            queue.Disable();
    }

    private void ResetAddresses()
    {
        for (int i = 0; i < _queues.Length; i++)
            _addresses[i] = new QueueAddresses { Size = _queues[i].MaxSize };
    }

    private ref QueueAddresses Selected(out bool exists)
    {
        exists = _queueSelect < _queues.Length;
        return ref _addresses[exists ? _queueSelect : 0];
    }

    private static void SetLow(ref ulong field, uint value) => field = (field & ~0xffff_ffffUL) | value;

    private static void SetHigh(ref ulong field, uint value) => field = (uint)field | ((ulong)value << 32);

    private struct QueueAddresses
    {
        public ushort Size;
        public bool Ready;
        public ulong Descriptors;
        public ulong Available;
        public ulong Used;
    }
}

/// <summary>The device's status field (virtio 1.2, 2.1).</summary>
[Flags]
public enum VirtioStatus : byte
{
    None = 0,
    Acknowledge = 1,
    Driver = 2,
    DriverOk = 4,
    FeaturesOk = 8,
    NeedsReset = 64,
    Failed = 128,
}
