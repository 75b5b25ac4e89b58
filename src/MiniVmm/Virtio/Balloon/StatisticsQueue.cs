using MiniVmm.Devices;
using MiniVmm.Host;

namespace MiniVmm.Virtio.Balloon;

/// <summary>
/// The balloon's statistics queue (virtio 1.2, 5.5.6.3): the driver's one buffer stays with the device; to give it back
/// is to ask for fresh figures.
/// </summary>
internal sealed class StatisticsQueue : IDisposable
{
    private readonly object _lock = new(); // of a kind that can be waited on; held for a few instructions
    private EventFd? _asked;
    private Virtqueue? _queue;
    private DescriptorChain? _chain;
    private readonly ulong?[] _latest = new ulong?[BalloonStatistics.Tags];
    private int _answers;
    private int _held = -1; // the buffer's head
    private bool _wanted;

    /// <param name="loop">The device's.</param>
    /// <param name="given">Called there when the buffer was given back.</param>
    public void Attach(IDeviceLoop loop, Action given)
    {
        _asked = new EventFd();
        loop.Watch(_asked.Fd, Readiness.Read, _ =>
        {
            _asked.Read();
            if (GiveBack())
                given();
        });
    }

    /// <summary>Asks the guest, and waits for its answer. Any thread but the device's.</summary>
    public BalloonStatistics? Request(TimeSpan wait)
    {
        long end = Environment.TickCount64 + (long)wait.TotalMilliseconds;
        lock (_lock)
        {
            int answers = _answers;
            while (_queue is not null)
            {
                if (!_wanted)
                {
                    _wanted = true;
                    _asked!.Signal();
                }

                long left = end - Environment.TickCount64;
                if (left <= 0 || !Monitor.Wait(_lock, (int)Math.Min(left, int.MaxValue)))
                    return null;
                if (_answers != answers)
                    return new BalloonStatistics(_latest);
            }

            return null;
        }
    }

    public void Activate(Virtqueue queue)
    {
        _chain ??= new DescriptorChain(queue.LongestChain);
        lock (_lock)
            _queue = queue;
    }

    /// <summary>Takes what the driver filled; on the device's thread.</summary>
    public void Take()
    {
        lock (_lock)
        {
            if (_queue is null)
                return;

            // A driver has one buffer. Of one that puts in more, as many as the queue holds are looked at in one go.
            int left = _queue.MaxSize;
            do
            {
                while (left > 0 && _queue.TryTake(_chain!))
                {
                    left--;
                    if (_held >= 0)
                        _queue.Complete((ushort)_held, 0);
                    _held = _chain!.Head;
                    BalloonStatistics.Read(new IoCursor(_chain.Readable), _latest);
                    _answers++;
                    _wanted = false;
                    Monitor.PulseAll(_lock);
                }
            }
            while (_queue.ResumeNotifications() && left > 0);
        }
    }

    /// <summary>The driver takes its buffer back.</summary>
    public void Forget()
    {
        lock (_lock)
            _held = -1;
    }

    public void Reset()
    {
        lock (_lock)
        {
            _queue = null;
            _held = -1;
            _wanted = false;
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>Whether the driver's buffer is here. Who waits for figures, and those of before, are the host's.</summary>
    public void Save(StateWriter writer)
    {
        lock (_lock)
            writer.WriteBool(_held >= 0);
    }

    public void Restore(StateReader reader)
    {
        if (!reader.ReadBool())
            return;
        lock (_lock)
        {
            if (_queue is not null && _queue.TryTake(_chain!))
                _held = _chain!.Head;
        }
    }

    public void Dispose()
    {
        Reset();
        lock (_lock)
            _asked?.Dispose();
        _chain?.Dispose();
    }

    private bool GiveBack()
    {
        lock (_lock)
        {
            if (_queue is null || !_wanted || _held < 0)
                return false;
            _queue.Complete((ushort)_held, 0);
            _held = -1;
            return true;
        }
    }
}
