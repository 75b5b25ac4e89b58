using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Network;
using MiniVmm.Tracing;

namespace MiniVmm.Virtio.Net;

/// <summary>
/// A network card (virtio 1.2, 5.1) on an endpoint of the host's. Each pair of queues has a thread of its own; frames
/// go between guest RAM and the endpoint's descriptors without a copy.
/// </summary>
internal sealed class VirtioNet : IVirtioDevice, IDeviceCounters, ITracedRequests
{
    /// <summary>struct virtio_net_hdr_v1 (5.1.6).</summary>
    internal const int HeaderLength = NetEndpoint.VnetHeaderLength;

    /// <summary>Offset of its num_buffers.</summary>
    internal const int NumBuffers = 10;

    /// <summary>Two addresses and a type.</summary>
    internal const int EthernetHeader = 14;

    /// <summary>The same with a VLAN's tag.</summary>
    internal const int TaggedHeader = EthernetHeader + 4;

    /// <summary>Operations in traces.</summary>
    internal const uint ReceiveOperation = 0;
    internal const uint TransmitOperation = 1;

    private const ushort QueueSize = 256;
    private const ushort ControlSize = 64;
    private const ushort LinkUp = 1;
    private const int ConfigurationLength = 12;

    private readonly NetEndpoint _endpoint;
    private readonly NetPair[] _pairs;
    private readonly ushort[] _queueSizes;
    private readonly NetControl _control;
    private readonly ulong _ownMac;
    private IVirtioInterrupt? _interrupt;
    private ulong _mac;
    private ulong _negotiated;
    private ulong _guestOffloads;
    private int _controlQueue = -1;
    private volatile bool _linkLost;

    /// <param name="endpoint">The host's end; the card's from now on, also to dispose of, also where this fails.</param>
    /// <param name="mac">The card's address.</param>
    /// <param name="bandwidth">Bytes a second in each direction, over all queues; null is no limit.</param>
    /// <exception cref="Kvm.KvmException">No more files.</exception>
    public VirtioNet(NetEndpoint endpoint, MacAddress mac, ulong? bandwidth = null)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        _endpoint = endpoint;
        _ownMac = _mac = mac.Value;
        _control = new NetControl(this);
        NetRateLimit? received = bandwidth is { } down ? new NetRateLimit(down) : null;
        NetRateLimit? sent = bandwidth is { } up ? new NetRateLimit(up) : null;
        _pairs = new NetPair[endpoint.Descriptors.Count];
        try
        {
            for (int i = 0; i < _pairs.Length; i++)
                _pairs[i] = new NetPair(endpoint, i, received, sent, LoseLink);
        }
        catch
        {
            Dispose();
            throw;
        }

        _queueSizes = [.. Enumerable.Repeat(QueueSize, 2 * _pairs.Length), ControlSize];
        Features = (ulong)Offered(endpoint, _pairs.Length);
    }

    public uint DeviceType => 1;

    public ulong Features { get; }

    public IReadOnlyList<ushort> QueueSizes => _queueSizes;

    public int Threads => _pairs.Length;

    /// <summary>The card's address; the driver may have changed it.</summary>
    public MacAddress Mac => new(Volatile.Read(ref _mac));

    /// <summary>One line for people.</summary>
    public string Description => $"{_endpoint.Description}, {Mac}";

    public string Kind => "net";

    public DeviceTrace? Trace
    {
        set
        {
            foreach (NetPair pair in _pairs)
                pair.Trace = value;
        }
    }

    public IReadOnlyDictionary<string, long> ReadCounters() => new Dictionary<string, long>
    {
        ["received"] = _pairs.Sum(pair => pair.Received.Frames),
        ["receivedBytes"] = _pairs.Sum(pair => pair.Received.Bytes),
        ["receiveDrops"] = _pairs.Sum(pair => pair.Received.Dropped),
        ["sent"] = _pairs.Sum(pair => pair.Sent.Frames),
        ["sentBytes"] = _pairs.Sum(pair => pair.Sent.Bytes),
        ["sendDrops"] = _pairs.Sum(pair => pair.Sent.Dropped),
    };

    public int ThreadOf(int queue) => queue / 2 < _pairs.Length ? queue / 2 : 0;

    public void Attach(IVirtioInterrupt interrupt, IReadOnlyList<IDeviceLoop> threads)
    {
        ArgumentNullException.ThrowIfNull(threads);
        _interrupt = interrupt;
        for (int i = 0; i < _pairs.Length; i++)
            _pairs[i].Attach(interrupt, threads[i]);
    }

    public void ReadConfiguration(uint offset, Span<byte> data)
    {
        // struct virtio_net_config (5.1.4), as far as the features go.
        Span<byte> configuration = stackalloc byte[ConfigurationLength];
        Mac.CopyTo(configuration);
        BinaryPrimitives.WriteUInt16LittleEndian(configuration[6..], _linkLost ? (ushort)0 : LinkUp);
        BinaryPrimitives.WriteUInt16LittleEndian(configuration[8..], (ushort)_pairs.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(configuration[10..], _endpoint.Mtu);
        ConfigurationSpace.Read(configuration, offset, data);
    }

    public void WriteConfiguration(uint offset, ReadOnlySpan<byte> data)
    {
        // The address is set by the control queue; writing it here is for legacy drivers (5.1.4.2).
    }

    public void Activate(ulong features, IReadOnlyList<Virtqueue> queues)
    {
        ArgumentNullException.ThrowIfNull(queues);
        NetFeatures negotiated = (NetFeatures)features;
        Volatile.Write(ref _negotiated, features);
        _guestOffloads = (ulong)(negotiated & NetFeatures.GuestOffloads);
        _endpoint.SetGuestOffloads(OffloadFeatures.OfGuest(negotiated));

        // Without VIRTIO_NET_F_MQ there is one pair, and the control queue is right behind it (5.1.2).
        int pairs = negotiated.HasFlag(NetFeatures.Mq) ? _pairs.Length : 1;
        _controlQueue = negotiated.HasFlag(NetFeatures.CtrlVq) ? 2 * pairs : -1;
        if (_controlQueue >= 0)
            _control.Begin(queues[_controlQueue]);
        for (int i = 0; i < pairs; i++)
            _pairs[i].Begin(queues[2 * i], queues[(2 * i) + 1], negotiated);
    }

    public void Notify(int queue)
    {
        if (queue == _controlQueue)
        {
            if (_control.Run(out bool broken))
                _interrupt!.QueueUsed(queue);
            if (broken)
                _interrupt!.NeedsReset();
        }
        else if (queue / 2 < _pairs.Length)
        {
            NetPair pair = _pairs[queue / 2];
            if (queue % 2 == 0)
                pair.Receive();
            else
                pair.Transmit();
        }
    }

    public void ResetQueue(int queue)
    {
        if (queue == _controlQueue || queue / 2 >= _pairs.Length)
            return;
        if (queue % 2 == 0)
            _pairs[queue / 2].ForgetBuffers();
        else
            _pairs[queue / 2].ForgetFrame();
    }

    public string StateName => "virtio-net";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteUInt64(_mac);
        writer.WriteUInt16(_endpoint.Mtu);
        writer.WriteBool(_linkLost);
        writer.WriteUInt64(_guestOffloads);
        foreach (NetPair pair in _pairs)
            pair.Save(writer);
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ulong mac = reader.ReadUInt64();
        reader.Check(mac >> 48 == 0, $"a MAC address of 0x{mac:x}");
        Volatile.Write(ref _mac, mac);
        ushort mtu = reader.ReadUInt16();
        reader.Check(mtu == _endpoint.Mtu, $"an MTU of {mtu}, and the network has {_endpoint.Mtu}");
        bool lost = reader.ReadBool();
        ulong offloads = reader.ReadUInt64();
        reader.Check(
            (offloads & ~(_negotiated & (ulong)NetFeatures.GuestOffloads)) == 0,
            $"offloads 0x{offloads:x} that were not negotiated");
        if (_guestOffloads != offloads)
            SetOffloads((NetFeatures)offloads);
        foreach (NetPair pair in _pairs)
            pair.Restore(reader);

        // The cable is the host's, and in again if it was out.
        if (lost != _linkLost && _negotiated != 0)
            _interrupt!.ConfigurationChanged();
    }

    public void Reset()
    {
        _control.End();
        _controlQueue = -1;
        foreach (NetPair pair in _pairs)
            pair.End();
        _endpoint.SetGuestOffloads(NetOffloads.None);
        Volatile.Write(ref _negotiated, 0);
        _guestOffloads = 0;
        Volatile.Write(ref _mac, _ownMac);
    }

    public void Dispose()
    {
        foreach (NetPair? pair in _pairs)
            pair?.Dispose();
        _control.Dispose();
        _endpoint.Dispose();
    }

    internal bool Negotiated(NetFeatures feature) => ((NetFeatures)_negotiated & feature) == feature;

    internal bool TrySetMac(ReadOnlySpan<byte> bytes)
    {
        if (!Negotiated(NetFeatures.CtrlMacAddr))
            return false;
        Volatile.Write(ref _mac, BinaryPrimitives.ReadUInt64BigEndian([0, 0, .. bytes[..MacAddress.Length]]));
        return true;
    }

    internal bool TrySetPairs(int pairs)
    {
        if (!Negotiated(NetFeatures.Mq) || pairs < 1 || pairs > _pairs.Length)
            return false;
        for (int i = 1; i < _pairs.Length; i++)
            _pairs[i].Want(i < pairs);
        return true;
    }

    internal bool TrySetOffloads(ulong features)
    {
        NetFeatures allowed = (NetFeatures)_negotiated & NetFeatures.GuestOffloads;
        if (!Negotiated(NetFeatures.CtrlGuestOffloads) || (features & ~(ulong)allowed) != 0)
            return false;
        SetOffloads((NetFeatures)features);
        return true;
    }

    private void SetOffloads(NetFeatures features)
    {
        _guestOffloads = (ulong)features;
        _endpoint.SetGuestOffloads(OffloadFeatures.OfGuest(features));
        foreach (NetPair pair in _pairs)
            pair.SetOffloads(features);
    }

    private static NetFeatures Offered(NetEndpoint endpoint, int pairs)
    {
        NetFeatures features = NetFeatures.Mac | NetFeatures.Status | NetFeatures.Mtu | NetFeatures.MrgRxbuf
            | NetFeatures.CtrlVq | NetFeatures.CtrlRx | NetFeatures.CtrlRxExtra | NetFeatures.CtrlVlan
            | NetFeatures.CtrlMacAddr;
        if (endpoint.HasVnetHeader)
            features |= OffloadFeatures.Offered(endpoint.Offloads);
        if ((features & NetFeatures.GuestOffloads) != 0)
            features |= NetFeatures.CtrlGuestOffloads;
        if (pairs > 1)
            features |= NetFeatures.Mq;
        return features;
    }

    /// <summary>The host's end is gone: the guest sees its cable pulled.</summary>
    private void LoseLink()
    {
        if (_linkLost)
            return;
        _linkLost = true;
        _interrupt!.ConfigurationChanged();
    }
}
