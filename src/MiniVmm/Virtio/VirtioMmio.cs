using System.Buffers.Binary;
using MiniVmm.Devices;

namespace MiniVmm.Virtio;

/// <summary>
/// The memory-mapped transport (virtio 1.2, 4.2), version 2: registers in front of a <see cref="VirtioTransport"/>.
/// Notifications come by ioeventfd and never get here; what does is set-up, at most a few dozen accesses in a machine's
/// life.
/// </summary>
public sealed class VirtioMmio(VirtioTransport transport) : IBusDevice, ISuspendable, IDescribesAccesses
{
    /// <summary>Bytes of the window.</summary>
    public const int Length = 0x1000;

    /// <summary>Offset of QueueNotify: a queue's number written here.</summary>
    public const int QueueNotify = 0x50;

    private const int Configuration = 0x100;
    private const uint Magic = 0x7472_6976; // "virt"
    private const uint Version = 2;
    private const uint Vendor = 0x4d56_4d4d; // "MMVM"
    private readonly Lock _lock = new();
    private uint _deviceFeaturesSelect;
    private uint _driverFeaturesSelect;
    private uint _queueSelect;

    public void Read(ulong offset, Span<byte> data)
    {
        if (offset >= Configuration)
        {
            transport.ReadConfiguration((uint)offset - Configuration, data);
            return;
        }

        // Registers are 32 bits wide and read whole (4.2.2.2).
        data.Clear();
        if (data.Length == sizeof(uint) && offset % sizeof(uint) == 0)
        {
            lock (_lock)
                BinaryPrimitives.WriteUInt32LittleEndian(data, ReadRegister((uint)offset));
        }
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        if (offset >= Configuration)
        {
            transport.WriteConfiguration((uint)offset - Configuration, data);
            return;
        }

        if (data.Length != sizeof(uint) || offset % sizeof(uint) != 0)
            return;
        bool done;
        lock (_lock)
            done = WriteRegister((uint)offset, BinaryPrimitives.ReadUInt32LittleEndian(data));
        if (!done)
            transport.NeedsReset();
    }

    /// <inheritdoc/>
    public IAccessWords CreateWords() => new RegisterWords(
        (0x00, "MagicValue"), (0x04, "Version"), (0x08, "DeviceID"), (0x0c, "VendorID"), (0x10, "DeviceFeatures"),
        (0x14, "DeviceFeaturesSel"), (0x20, "DriverFeatures"), (0x24, "DriverFeaturesSel"), (0x30, "QueueSel"), (0x34, "QueueNumMax"),
        (0x38, "QueueNum"), (0x44, "QueueReady"), (QueueNotify, "QueueNotify"), (0x60, "InterruptStatus"), (0x64, "InterruptACK"),
        (0x70, "Status"), (0x80, "QueueDescLow"), (0x84, "QueueDescHigh"), (0x90, "QueueDriverLow"), (0x94, "QueueDriverHigh"),
        (0xa0, "QueueDeviceLow"), (0xa4, "QueueDeviceHigh"), (0xfc, "ConfigGeneration"));

    public string StateName => "virtio-mmio";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        lock (_lock)
        {
            writer.WriteUInt32(_deviceFeaturesSelect);
            writer.WriteUInt32(_driverFeaturesSelect);
            writer.WriteUInt32(_queueSelect);
            writer.WriteRecord(transport);
        }
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        lock (_lock)
        {
            _deviceFeaturesSelect = reader.ReadUInt32();
            _driverFeaturesSelect = reader.ReadUInt32();
            _queueSelect = reader.ReadUInt32();
            reader.ReadRecord(transport);
        }
    }

    private uint ReadRegister(uint offset) => offset switch
    {
        0x00 => Magic,
        0x04 => Version,
        0x08 => transport.DeviceType,
        0x0c => Vendor,
        0x10 => _deviceFeaturesSelect switch
        {
            0 => (uint)transport.OfferedFeatures,
            1 => (uint)(transport.OfferedFeatures >> 32),
            _ => 0,
        },
        0x34 => transport.MaxSizeOf(_queueSelect),
        0x44 => transport.SetupOf(_queueSelect).IsEnabled ? 1u : 0u,
        0x60 => (uint)transport.InterruptCauses,
        0x70 => (uint)transport.Status,
        0xb0 or 0xb4 or 0xb8 or 0xbc => uint.MaxValue, // no shared memory (4.2.2)
        0xfc => transport.Generation,
        _ => 0,
    };

    /// <summary>False where the device could not start as the driver set it up.</summary>
    private bool WriteRegister(uint offset, uint value)
    {
        switch (offset)
        {
            case 0x14:
                _deviceFeaturesSelect = value;
                break;
            case 0x20:
                WriteDriverFeatures(value);
                break;
            case 0x24:
                _driverFeaturesSelect = value;
                break;
            case 0x30:
                _queueSelect = value;
                break;
            case QueueNotify:
                transport.Notify(value); // from a KVM that has no ioeventfd for it
                break;
            case 0x64:
                transport.Acknowledge((InterruptCauses)value);
                break;
            case 0x70:
                VirtioStatus status = (VirtioStatus)(value & 0xff);
                if (status == VirtioStatus.None)
                    _deviceFeaturesSelect = _driverFeaturesSelect = _queueSelect = 0;
                return transport.TrySetStatus(status);
            default:
                WriteQueueRegister(offset, value);
                break;
        }

        return true;
    }

    private void WriteQueueRegister(uint offset, uint value)
    {
        QueueSetup queue = transport.SetupOf(_queueSelect);
        switch (offset)
        {
            case 0x38:
                queue.Size = (ushort)Math.Min(value, ushort.MaxValue);
                break;
            case 0x44:
                queue.IsEnabled = (value & 1) != 0;
                break;
            case 0x80:
                queue.Descriptors = WithLow(queue.Descriptors, value);
                break;
            case 0x84:
                queue.Descriptors = WithHigh(queue.Descriptors, value);
                break;
            case 0x90:
                queue.Available = WithLow(queue.Available, value);
                break;
            case 0x94:
                queue.Available = WithHigh(queue.Available, value);
                break;
            case 0xa0:
                queue.Used = WithLow(queue.Used, value);
                break;
            case 0xa4:
                queue.Used = WithHigh(queue.Used, value);
                break;
            default:
                return;
        }

        transport.SetUp(_queueSelect, queue);
    }

    private void WriteDriverFeatures(uint value)
    {
        if (_driverFeaturesSelect == 0)
            transport.DriverFeatures = WithLow(transport.DriverFeatures, value);
        else if (_driverFeaturesSelect == 1)
            transport.DriverFeatures = WithHigh(transport.DriverFeatures, value);
    }

    private static ulong WithLow(ulong field, uint value) => (field & ~0xffff_ffffUL) | value;

    private static ulong WithHigh(ulong field, uint value) => (uint)field | ((ulong)value << 32);
}
