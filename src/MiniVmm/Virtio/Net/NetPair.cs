using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Network;
using MiniVmm.Tracing;

namespace MiniVmm.Virtio.Net;

/// <summary>A pair of queues, receive and transmit, with one descriptor of the endpoint's and one thread.</summary>
internal sealed class NetPair : IDisposable
{
    private readonly NetEndpoint _endpoint;
    private readonly int _index;
    private readonly NetReceiver _receiver;
    private readonly NetTransmitter _transmitter;
    private readonly Action _lost;
    private readonly EventFd _turn = new();
    private IVirtioInterrupt? _interrupt;
    private IDeviceLoop? _loop;
    private IWatch? _watch;
    private Virtqueue? _receiveQueue;
    private Virtqueue? _transmitQueue;
    private volatile bool _wanted;
    private bool _active;
    private bool _complained;

    /// <param name="endpoint">The card's.</param>
    /// <param name="index">Of the descriptor; the queues are twice it and one more.</param>
    /// <param name="received">The limit of what comes in.</param>
    /// <param name="sent">Of what goes out.</param>
    /// <param name="lost">What to call when the host's end is gone.</param>
    public NetPair(NetEndpoint endpoint, int index, NetRateLimit? received, NetRateLimit? sent, Action lost)
    {
        _endpoint = endpoint;
        _index = index;
        _lost = lost;
        bool hasHeader = endpoint.HasVnetHeader;
        uint mostBytes = VirtioNet.TaggedHeader + (uint)(hasHeader ? ushort.MaxValue : endpoint.Mtu);
        _receiver = new NetReceiver(Fd, hasHeader, endpoint.Mtu, received) { Index = 2 * index };
        _transmitter = new NetTransmitter(Fd, hasHeader, mostBytes, sent) { Index = 2 * index + 1 };
    }

    /// <inheritdoc cref="ITracedRequests.Trace"/>
    public DeviceTrace? Trace
    {
        set => _receiver.Trace = _transmitter.Trace = value;
    }

    private int Fd => _endpoint.Descriptors[_index];

    public NetCounts Received => _receiver.Counts;

    public NetCounts Sent => _transmitter.Counts;

    public void Attach(IVirtioInterrupt interrupt, IDeviceLoop loop)
    {
        _interrupt = interrupt;
        _loop = loop;
        _receiver.Attach(loop, Receive);
        _transmitter.Attach(loop, Transmit);
        loop.Watch(_turn.Fd, Readiness.Read, _ => TakeTurn());
    }

    /// <summary>The driver's queues are there; while the thread is parked.</summary>
    public void Begin(Virtqueue receive, Virtqueue transmit, NetFeatures features)
    {
        _receiveQueue = receive;
        _transmitQueue = transmit;
        SetOffloads(features);
        _receiver.Begin(receive, features.HasFlag(NetFeatures.MrgRxbuf));
        _transmitter.Begin(transmit);
        _receiver.IsIdle = _transmitter.IsDropping = true;
        _wanted = _index == 0;
        SetActive(_wanted);
    }

    /// <summary>Back to before <see cref="Begin"/>; while the thread is parked.</summary>
    public void End()
    {
        _wanted = false;
        SetActive(false);
        _receiver.End();
        _transmitter.End();
        _receiveQueue = _transmitQueue = null;
        _complained = false;
    }

    /// <summary>The driver takes the receive queue back, but not the pair; while the thread is parked.</summary>
    public void ForgetBuffers() => _receiver.Forget();

    /// <summary>The same of the transmit queue; while the thread is parked.</summary>
    public void ForgetFrame()
    {
        _transmitter.Forget();
        UpdateWatch(null);
    }

    /// <summary>Sets whether the pair is in use; from any thread, and takes effect a moment later.</summary>
    public void Want(bool active)
    {
        _wanted = active;
        _turn.Signal();
    }

    /// <summary>What the driver takes on received frames has changed; from any thread.</summary>
    public void SetOffloads(NetFeatures features)
    {
        _receiver.TakesLarge = (features & (NetFeatures.GuestTso4 | NetFeatures.GuestTso6)) != 0;
        _receiver.TakesChecksums = features.HasFlag(NetFeatures.GuestCsum);
    }

    public void Receive()
    {
        if (_receiver.Run())
            _interrupt!.QueueUsed(_index * 2);
        UpdateWatch(_receiveQueue);
    }

    public void Transmit()
    {
        if (_transmitter.Run())
            _interrupt!.QueueUsed((_index * 2) + 1);
        UpdateWatch(_transmitQueue);
    }

    /// <summary>What it needs to go on; what is sent waits in its queue.</summary>
    public void Save(StateWriter writer)
    {
        writer.WriteBool(_wanted);
        _receiver.Save(writer);
    }

    public void Restore(StateReader reader)
    {
        bool wanted = reader.ReadBool();
        reader.Check(!wanted || _receiveQueue is not null, $"pair {_index} in use, and its queues are not there");
        _receiver.Restore(reader);
        _wanted = wanted;
        SetActive(wanted);
    }

    public void Dispose()
    {
        _watch?.Dispose();
        _receiver.Dispose();
        _transmitter.Dispose();
        _turn.Dispose();
    }

    private void TakeTurn()
    {
        _turn.Read();
        SetActive(_wanted);
        Receive();
        Transmit();
    }

    private void SetActive(bool active)
    {
        if (active == _active)
            return;
        _active = active;
        _receiver.IsIdle = _transmitter.IsDropping = !active;
        if (active)
        {
            _endpoint.SetPairActive(_index, true);
            _watch = _loop!.Watch(Fd, Readiness.None, Ready);
        }
        else
        {
            // In this order: a tap's detached descriptor is an error to poll, again and again.
            _watch?.Dispose();
            _watch = null;
            _endpoint.SetPairActive(_index, false);
        }
    }

    private void Ready(Readiness now)
    {
        if (now.HasFlag(Readiness.Read) && _receiver.WantsFrames)
            Receive();
        if (now.HasFlag(Readiness.Write) && _transmitter.WantsRoom)
            Transmit();
    }

    private void UpdateWatch(Virtqueue? queue)
    {
        if (queue is not null && (queue.Error != ChainError.None || _receiver.IsBroken) && !_complained)
        {
            _complained = true;
            _interrupt!.NeedsReset();
        }

        if (_receiver.IsGone)
            Lose();
        if (_watch is { } watch)
        {
            watch.Interest = (_receiver.WantsFrames ? Readiness.Read : Readiness.None)
                | (_transmitter.WantsRoom ? Readiness.Write : Readiness.None);
        }
        else if (_transmitter.WantsRoom)
        {
            _turn.Signal(); // there is more to drop, but after the thread's other work
        }
    }

    private void Lose()
    {
        if (_watch is null)
            return;
        _watch.Dispose();
        _watch = null;
        _receiver.IsIdle = _transmitter.IsDropping = true;
        _turn.Signal();
        _lost();
    }
}
