using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Memory;

namespace MiniVmm.Virtio.Mem;

/// <summary>
/// The memory device (virtio 1.2, 5.15): the host says how much of a region the guest is to have as RAM, and the guest
/// chooses blocks, plugs and unplugs them.
/// </summary>
/// <param name="blocks">The region; its blocks are the device's to change once it runs.</param>
internal sealed class VirtioMem(MemoryBlocks blocks) : IVirtioDevice
{
    private const int RequestSize = 24;
    private const int ResponseSize = 10;
    private const int ConfigurationSize = 56;

    private static readonly ushort[] Sizes = [16];
    private readonly Lock _sizing = new();
    private IVirtioInterrupt? _interrupt;
    private RequestQueue? _requests;
    private ulong _requested;
    private ulong _usable;
    private volatile bool _active;

    public uint DeviceType => 24;

    public ulong Features => (ulong)MemFeatures.UnpluggedInaccessible;

    public IReadOnlyList<ushort> QueueSizes => Sizes;

    /// <summary>Bytes that the guest can have plugged.</summary>
    public ulong MostBytes => Region.MostBytes;

    /// <summary>Bytes that the guest is to have plugged.</summary>
    public ulong Requested => Volatile.Read(ref _requested);

    /// <summary>Bytes that it has plugged.</summary>
    public ulong Plugged => blocks.Plugged;

    private PluggableRegion Region => blocks.Region;

    /// <summary>Asks the guest to have so much plugged. Any thread.</summary>
    /// <param name="bytes">Rounded down to whole blocks; at most what the region may have.</param>
    public void SetRequested(ulong bytes)
    {
        lock (_sizing)
        {
            ulong wanted = Math.Min(bytes - (bytes % Region.BlockSize), Region.MostBytes);

            // It shrinks only when all is unplugged (5.15.4.2).
            Volatile.Write(ref _usable, Math.Max(_usable, Region.UsableFor(wanted)));
            Volatile.Write(ref _requested, wanted);
        }

        if (_active)
            _interrupt!.ConfigurationChanged();
    }

    public void Attach(IVirtioInterrupt interrupt, IReadOnlyList<IDeviceLoop> threads)
    {
        ArgumentNullException.ThrowIfNull(threads);
        _interrupt = interrupt;
        _requests = new RequestQueue(interrupt, threads[0], Serve);
    }

    public void ReadConfiguration(uint offset, Span<byte> data)
    {
        Span<byte> all = stackalloc byte[ConfigurationSize];
        all.Clear(); // no node: that is the firmware's
        BinaryPrimitives.WriteUInt64LittleEndian(all, Region.BlockSize);
        BinaryPrimitives.WriteUInt64LittleEndian(all[16..], Region.Range.Start);
        BinaryPrimitives.WriteUInt64LittleEndian(all[24..], Region.Range.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(all[32..], Volatile.Read(ref _usable));
        BinaryPrimitives.WriteUInt64LittleEndian(all[40..], Plugged);
        BinaryPrimitives.WriteUInt64LittleEndian(all[48..], Requested);
        ConfigurationSpace.Read(all, offset, data);
    }

    public void WriteConfiguration(uint offset, ReadOnlySpan<byte> data)
    {
        // Nothing in it is the driver's.
    }

    public void Activate(ulong features, IReadOnlyList<Virtqueue> queues)
    {
        ArgumentNullException.ThrowIfNull(queues);
        _requests!.Activate(queues[0]);
        _active = true;
    }

    public void Notify(int queue) => _requests!.Notify();

    public string StateName => "virtio-mem";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteUInt64(Requested);
        writer.WriteUInt64(Volatile.Read(ref _usable));
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ulong requested = reader.ReadUInt64();
        ulong usable = reader.ReadUInt64();
        reader.Check(
            requested % Region.BlockSize == 0 && requested <= Region.MostBytes,
            $"{requested} bytes requested, and the guest may have {Region.MostBytes} in blocks of {Region.BlockSize}");
        reader.Check(
            usable % Region.BlockSize == 0 && usable <= Region.Range.Length && usable >= requested,
            $"{usable} bytes usable of {Region.Range.Length}");
        lock (_sizing)
        {
            Volatile.Write(ref _usable, usable);
            Volatile.Write(ref _requested, requested);
        }
    }

    /// <inheritdoc/>
    /// <remarks>Blocks stay as they are (5.15.5.2): the driver's successor unplugs them.</remarks>
    public void Reset()
    {
        _active = false;
        _requests!.Reset();
    }

    public void Dispose()
    {
        _active = false;
        _requests?.Dispose();
    }

    /// <returns>Bytes written.</returns>
    private unsafe uint Serve(DescriptorChain chain)
    {
        if (chain.WritableLength < ResponseSize)
            return 0; // nobody asked for an answer, and there is no request without
        Span<byte> request = stackalloc byte[RequestSize];
        byte* response = stackalloc byte[ResponseSize];
        Span<byte> fields = new(response, ResponseSize);
        fields.Clear();
        bool whole = new IoCursor(chain.Readable).TryCopyOut(request);
        MemResponse answer = whole ? Execute(request, fields[8..]) : MemResponse.Error;
        BinaryPrimitives.WriteUInt16LittleEndian(fields, (ushort)answer);
        new IoCursor(chain.Writable).CopyIn(response, ResponseSize);
        return ResponseSize;
    }

    /// <param name="request">5.15.6: type, address, number of blocks; padding is ignored.</param>
    /// <param name="state">Where the answer to a STATE request goes.</param>
    private MemResponse Execute(ReadOnlySpan<byte> request, Span<byte> state)
    {
        MemRequest type = (MemRequest)BinaryPrimitives.ReadUInt16LittleEndian(request);
        if (type == MemRequest.UnplugAll)
        {
            UnplugAll();
            return MemResponse.Ack;
        }

        ulong address = BinaryPrimitives.ReadUInt64LittleEndian(request[8..]);
        ushort count = BinaryPrimitives.ReadUInt16LittleEndian(request[16..]);
        GuestRange range = new(address, count * Region.BlockSize);
        GuestRange usable = Region.Range with { Length = Volatile.Read(ref _usable) };
        if (count == 0 || (address - usable.Start) % Region.BlockSize != 0 || !usable.Contains(address, range.Length))
            return MemResponse.Error;
        bool? plugged = blocks.AreAllPlugged(range);
        switch (type)
        {
            case MemRequest.Plug when plugged == false:
                // More than what was asked for is no mistake: the host may have changed its mind meanwhile.
                return range.Length > Requested - Math.Min(Plugged, Requested) ? MemResponse.Nack
                    : blocks.TryPlug(range) ? MemResponse.Ack : MemResponse.Busy;
            case MemRequest.Unplug when plugged == true:
                blocks.Unplug(range);
                return MemResponse.Ack;
            case MemRequest.State:
                MemState found = plugged switch
                {
                    true => MemState.Plugged,
                    false => MemState.Unplugged,
                    null => MemState.Mixed,
                };
                BinaryPrimitives.WriteUInt16LittleEndian(state, (ushort)found);
                return MemResponse.Ack;
            default:
                return MemResponse.Error;
        }
    }

    private void UnplugAll()
    {
        blocks.UnplugAll();
        lock (_sizing)
            Volatile.Write(ref _usable, Region.UsableFor(_requested));
    }

    /// <summary>virtio 1.2, 5.15.3.</summary>
    [Flags]
    private enum MemFeatures : ulong
    {
        None = 0,
        UnpluggedInaccessible = 1 << 1,
    }

    private enum MemRequest : ushort
    {
        Plug = 0,
        Unplug = 1,
        UnplugAll = 2,
        State = 3,
    }

    private enum MemResponse : ushort
    {
        Ack = 0,
        Nack = 1,
        Busy = 2,
        Error = 3,
    }

    private enum MemState : ushort
    {
        Plugged = 0,
        Unplugged = 1,
        Mixed = 2,
    }
}
