using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Pci;

namespace MiniVmm.Virtio;

/// <summary>
/// The PCI transport (virtio 1.2, 4.1), modern only: registers of one BAR in front of a <see cref="VirtioTransport"/>.
/// A legacy driver finds a device ID that it does not know (4.1.2.1). Notifications come by ioeventfd and never get here.
/// </summary>
/// <param name="transport">The core.</param>
/// <param name="vectors">Its interrupts.</param>
internal sealed class VirtioPci(VirtioTransport transport, VirtioPciVectors vectors) : IBusDevice, ISuspendable
{
    /// <summary>Bytes of the BAR.</summary>
    public const uint Length = 0x4000;

    /// <summary>Offset of the first queue's doorbell.</summary>
    public const uint Notify = 0x3000;

    /// <summary>Bytes from a doorbell to the next.</summary>
    public const uint NotifyMultiplier = 4;

    /// <summary>What a driver writes to a doorbell: 16 bits, the queue's number.</summary>
    public const uint NotifyLength = sizeof(ushort);

    private const uint Isr = 0x1000;
    private const uint Device = 0x2000;
    private const uint RegionLength = 0x1000;
    private const uint CommonLength = 0x3c;
    private readonly Lock _lock = new();
    private uint _deviceFeaturesSelect;
    private uint _driverFeaturesSelect;
    private ushort _queueSelect;

    public string StateName => "virtio-pci";

    public ushort StateVersion => 1;

    /// <summary>Where the driver finds what, as capabilities of the function.</summary>
    /// <param name="bar">The index of the registers' BAR.</param>
    public IEnumerable<PciCapability> Capabilities(int bar) =>
    [
        new VirtioPciCapability(VirtioPciRegion.Common, bar, 0, CommonLength),
        new VirtioPciCapability(VirtioPciRegion.Isr, bar, Isr, 1),
        new VirtioPciCapability(VirtioPciRegion.Device, bar, Device, RegionLength),
        new VirtioPciNotifyCapability(bar, Notify, (uint)transport.QueueCount * NotifyMultiplier, NotifyMultiplier),
        new VirtioPciAccessCapability(bar, this),
    ];

    public void Read(ulong offset, Span<byte> data)
    {
        data.Clear();
        uint at = (uint)offset;
        switch (at & ~(RegionLength - 1))
        {
            case 0 when at + data.Length <= CommonLength:
                Span<byte> field = stackalloc byte[sizeof(ulong)];
                lock (_lock)
                    BinaryPrimitives.WriteUInt64LittleEndian(field, ReadCommon(at));
                field[..Math.Min(data.Length, field.Length)].CopyTo(data);
                break;
            case Isr when at == Isr:
                data[0] = (byte)transport.Acknowledge(InterruptCauses.UsedBuffer | InterruptCauses.ConfigurationChange);
                break;
            case Device:
                transport.ReadConfiguration(at - Device, data);
                break;
        }
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        uint at = (uint)offset;
        switch (at & ~(RegionLength - 1))
        {
            case 0 when at + data.Length <= CommonLength:
                Span<byte> field = stackalloc byte[sizeof(ulong)];
                field.Clear();
                data[..Math.Min(data.Length, field.Length)].CopyTo(field);
                bool done;
                lock (_lock)
                    done = WriteCommon(at, data.Length, BinaryPrimitives.ReadUInt64LittleEndian(field));
                if (!done)
                    transport.NeedsReset();
                break;
            case Device:
                transport.WriteConfiguration(at - Device, data);
                break;
            case Notify when at % NotifyMultiplier == 0:
                transport.Notify((at - Notify) / NotifyMultiplier); // of a width that no ioeventfd is for
                break;
        }
    }

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        lock (_lock)
        {
            writer.WriteUInt32(_deviceFeaturesSelect);
            writer.WriteUInt32(_driverFeaturesSelect);
            writer.WriteUInt16(_queueSelect);
            writer.WriteUInt16(vectors.OfConfiguration);
            for (uint queue = 0; queue < transport.QueueCount; queue++)
                writer.WriteUInt16(vectors.OfQueue(queue));
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
            _queueSelect = reader.ReadUInt16();
            ushort vector = reader.ReadUInt16();
            vectors.OfConfiguration = vector;
            reader.Check(vectors.OfConfiguration == vector, $"vector {vector}");
            for (uint queue = 0; queue < transport.QueueCount; queue++)
            {
                vector = reader.ReadUInt16();
                vectors.SetOfQueue(queue, vector);
                reader.Check(vectors.OfQueue(queue) == vector, $"vector {vector} of queue {queue}");
            }

            reader.ReadRecord(transport);
        }
    }

    /// <summary>A field of struct virtio_pci_common_cfg (4.1.4.3) and what follows it, from its offset on.</summary>
    private ulong ReadCommon(uint offset)
    {
        QueueSetup queue = transport.SetupOf(_queueSelect);
        return offset switch
        {
            0x00 => _deviceFeaturesSelect,
            0x04 => Half(transport.OfferedFeatures, _deviceFeaturesSelect),
            0x08 => _driverFeaturesSelect,
            0x0c => Half(transport.DriverFeatures, _driverFeaturesSelect),
            0x10 => vectors.OfConfiguration | ((ulong)transport.QueueCount << 16),
            0x12 => (ulong)transport.QueueCount,
            0x14 => (ulong)transport.Status | ((transport.Generation & 0xff) << 8),
            0x15 => transport.Generation & 0xff,
            0x16 => _queueSelect,
            0x18 => transport.MaxSizeOf(_queueSelect) == 0 ? 0ul : queue.Size,
            0x1a => vectors.OfQueue(_queueSelect),
            0x1c => queue.IsEnabled ? 1ul : 0,
            0x1e => _queueSelect < transport.QueueCount ? _queueSelect : 0ul,
            0x20 => queue.Descriptors,
            0x24 => queue.Descriptors >> 32,
            0x28 => queue.Available,
            0x2c => queue.Available >> 32,
            0x30 => queue.Used,
            0x34 => queue.Used >> 32,
            0x38 => _queueSelect,
            _ => 0,
        };
    }

    /// <summary>False where the device could not go on as the driver set it up.</summary>
    private bool WriteCommon(uint offset, int length, ulong value)
    {
        switch (offset)
        {
            case 0x00:
                _deviceFeaturesSelect = (uint)value;
                break;
            case 0x08:
                _driverFeaturesSelect = (uint)value;
                break;
            case 0x0c when _driverFeaturesSelect < 2:
                transport.DriverFeatures = WithHalf(transport.DriverFeatures, _driverFeaturesSelect, (uint)value);
                break;
            case 0x10:
                vectors.OfConfiguration = (ushort)value;
                break;
            case 0x14:
                VirtioStatus status = (VirtioStatus)(value & 0xff);
                if (status == VirtioStatus.None)
                {
                    _deviceFeaturesSelect = _driverFeaturesSelect = _queueSelect = 0;
                    vectors.Reset();
                }

                return transport.TrySetStatus(status);
            case 0x16:
                _queueSelect = (ushort)value;
                break;
            case 0x1a:
                vectors.SetOfQueue(_queueSelect, (ushort)value);
                break;
            case 0x1c when (ushort)value == 1: // a driver takes it back by a reset only (4.1.4.3.2)
                return Enable();
            case 0x3a when (ushort)value == 1:
                transport.ResetQueue(_queueSelect);
                break;
            default:
                Place(offset, length, value);
                break;
        }

        return true;
    }

    private bool Enable()
    {
        if (transport.Status.HasFlag(VirtioStatus.DriverOk))
            return transport.TryEnableQueue(_queueSelect);
        transport.SetUp(_queueSelect, transport.SetupOf(_queueSelect) with { IsEnabled = true });
        return true;
    }

    private void Place(uint offset, int length, ulong value)
    {
        QueueSetup queue = transport.SetupOf(_queueSelect);
        if (queue.IsEnabled)
            return; // not in use any more but by a reset
        switch (offset)
        {
            case 0x18:
                queue.Size = (ushort)value;
                break;
            case 0x20 or 0x24:
                queue.Descriptors = With(queue.Descriptors, offset, length, value);
                break;
            case 0x28 or 0x2c:
                queue.Available = With(queue.Available, offset, length, value);
                break;
            case 0x30 or 0x34:
                queue.Used = With(queue.Used, offset, length, value);
                break;
            default:
                return;
        }

        transport.SetUp(_queueSelect, queue);
    }

    /// <summary>An address with one half of it, or all, written.</summary>
    private static ulong With(ulong address, uint offset, int length, ulong value) =>
        length == sizeof(ulong) ? value : WithHalf(address, (offset >> 2) & 1, (uint)value);

    private static ulong WithHalf(ulong field, uint half, uint value) => half == 0
        ? (field & ~0xffff_ffffUL) | value
        : (uint)field | ((ulong)value << 32);

    private static ulong Half(ulong field, uint half) => half switch
    {
        0 => (uint)field,
        1 => field >> 32,
        _ => 0,
    };
}
