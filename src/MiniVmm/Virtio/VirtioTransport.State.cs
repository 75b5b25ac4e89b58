using MiniVmm.Devices;

namespace MiniVmm.Virtio;

/// <summary>The state of a transport: its own, its queues' and, in a record of its own, the device's.</summary>
public sealed partial class VirtioTransport : ISuspendable
{
    public string StateName => "virtio";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        Park();
        try
        {
            writer.WriteByte((byte)Status);
            writer.WriteUInt64(_driverFeatures);
            writer.WriteUInt32(Generation);
            writer.WriteByte((byte)InterruptCauses);
            writer.WriteBool(_active);
            writer.WriteUInt16((ushort)_queues.Length);
            for (int i = 0; i < _queues.Length; i++)
            {
                writer.WriteUInt16(_setups[i].Size);
                writer.WriteBool(_setups[i].IsEnabled);
                writer.WriteUInt64(_setups[i].Descriptors);
                writer.WriteUInt64(_setups[i].Available);
                writer.WriteUInt64(_setups[i].Used);
                if (_active && _setups[i].IsEnabled)
                    _queues[i].Save(writer);
            }

            writer.WriteRecord(_device);
        }
        finally
        {
            Resume();
        }
    }

    /// <inheritdoc/>
    /// <remarks>A driver that was there is forgotten; where this fails, nothing comes in its place.</remarks>
    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        Park();
        try
        {
            Reset();
            RestoreParked(reader);
        }
        catch
        {
            Reset();
            throw;
        }
        finally
        {
            Resume();
        }

        // What waited in the queues, doorbells and timers of before; and an interrupt that was still on its way through KVM.
        RingAll();
        for (int i = 0; i < _queues.Length && InterruptCauses.HasFlag(InterruptCauses.UsedBuffer); i++)
        {
            if (_queues[i].Size != 0)
                _vectors.QueueUsed(i);
        }

        if (InterruptCauses.HasFlag(InterruptCauses.ConfigurationChange))
            _vectors.ConfigurationChanged();
    }

    private void RestoreParked(StateReader reader)
    {
        VirtioStatus status = (VirtioStatus)reader.ReadByte();
        ulong features = reader.ReadUInt64();
        uint generation = reader.ReadUInt32();
        InterruptCauses causes = (InterruptCauses)reader.ReadByte();
        bool active = reader.ReadBool();
        CheckStatus(reader, status, active);
        if (status.HasFlag(VirtioStatus.FeaturesOk) && !CanTake(features))
        {
            throw reader.Impossible($"features 0x{features:x} were negotiated, and this device offers "
                + $"0x{OfferedFeatures:x}");
        }

        reader.Check(
            (causes & ~(InterruptCauses.UsedBuffer | InterruptCauses.ConfigurationChange)) == 0,
            $"interrupt status 0x{(int)causes:x}");

        // In this order: what the device tells its driver when it begins is told on top of this.
        _driverFeatures = features;
        Volatile.Write(ref _generation, generation);
        Volatile.Write(ref _causes, (int)causes);
        Volatile.Write(ref _status, (int)status);
        RestoreQueues(reader, active);
        if (active)
        {
            _active = true;
            _device.Activate(features, _queues);
        }

        reader.ReadRecord(_device);
    }

    private void RestoreQueues(StateReader reader, bool active)
    {
        ushort count = reader.ReadUInt16();
        reader.Check(count == _queues.Length, $"{count} queues, and this device has {_queues.Length}");
        for (int i = 0; i < _queues.Length; i++)
        {
            QueueSetup at = new()
            {
                Size = reader.ReadUInt16(),
                IsEnabled = reader.ReadBool(),
                Descriptors = reader.ReadUInt64(),
                Available = reader.ReadUInt64(),
                Used = reader.ReadUInt64(),
            };
            _setups[i] = at;
            if (!active || !at.IsEnabled)
                continue;
            reader.Check(
                TryEnable(i),
                $"queue {i} of {at.Size} at 0x{at.Descriptors:x}, 0x{at.Available:x}, 0x{at.Used:x}: not all of it is in "
                    + $"RAM, or the size is none up to {_queues[i].MaxSize}");
            _queues[i].Restore(reader);
        }
    }

    private static void CheckStatus(StateReader reader, VirtioStatus status, bool active)
    {
        bool runs = status.HasFlag(VirtioStatus.DriverOk);
        bool broken = status.HasFlag(VirtioStatus.NeedsReset);

        // A device that could not start as it was set up is in need of a reset without ever having been active.
        bool possible = (status & ~(DriversBits | VirtioStatus.NeedsReset)) == 0
            && (!runs || status.HasFlag(VirtioStatus.FeaturesOk)) && (runs || !active && !broken)
            && (active || !runs || broken);
        reader.Check(possible, $"status 0x{(int)status:x2} of a device that is {(active ? "" : "not ")}active");
    }
}
