using System.Runtime.InteropServices;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Virtio;

/// <summary>
/// One thread that serves a device: epoll(7) over doorbells, timers and whatever the device watches. Between two
/// events it can be parked, so that nobody is at work on the device's state but who parked it.
/// </summary>
internal sealed unsafe class DeviceThread : IDeviceLoop, IDisposable
{
    private const int MostEvents = 16;
    private readonly List<Watched> _watches = [];
    private readonly List<IDisposable> _owned = [];
    private readonly object _gate = new(); // of a kind that can be waited on
    private readonly EventFd _stop = new();
    private readonly Thread _thread;
    private int _epoll;
    private uint _made;
    private int _parkers;
    private bool _works;
    private volatile bool _ends;

    /// <param name="name">The thread's; the kernel shows 15 bytes of it.</param>
    /// <exception cref="SystemCallException">No more files.</exception>
    public DeviceThread(string name)
    {
        _epoll = epoll_create1(EPOLL_CLOEXEC);
        if (_epoll < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            _stop.Dispose();
            throw new SystemCallException("epoll_create1", error);
        }

        _thread = new Thread(Main, maxStackSize: 256 * 1024) { IsBackground = true, Name = name };
        Watch(_stop.Fd, Readiness.Read, _ => { }); // wakes it up to see that it ends
    }

    /// <summary>
    /// Told, on this thread, what a callback threw; the thread goes on, without what it watched for that callback. Where
    /// nobody is told, it ends the process. Set before <see cref="Start"/>.
    /// </summary>
    public Action<Exception>? Failed { get; set; }

    public IWatch Watch(int fd, Readiness interest, Action<Readiness> ready)
    {
        int slot = _watches.FindIndex(watch => watch.Fd < 0);
        if (slot < 0)
            slot = _watches.Count;
        Watched watched = new(this, ((ulong)++_made << 32) | (uint)slot, fd, ready) { Interest = interest };
        if (slot == _watches.Count)
            _watches.Add(watched);
        else
            _watches[slot] = watched;
        return watched;
    }

    public ILoopTimer CreateTimer(Action elapsed)
    {
        LoopTimer timer = new(this, elapsed);
        _owned.Add(timer);
        return timer;
    }

    /// <summary>Calls <paramref name="rung"/> on this thread whenever KVM, or a transport, signals the eventfd.</summary>
    public EventFd AddDoorbell(Action rung)
    {
        EventFd doorbell = new();
        _owned.Add(doorbell);
        WatchSelfResetting(doorbell.Fd, () =>
        {
            doorbell.Read();
            rung();
        });
        return doorbell;
    }

    /// <exception cref="HostLimitException">No more threads.</exception>
    public void Start()
    {
        try
        {
            _thread.Start();
        }
        catch (Exception e) when (e is ThreadStartException or OutOfMemoryException)
        {
            throw new HostLimitException($"no thread for {_thread.Name}: the host has no more to give");
        }
    }

    /// <summary>
    /// Waits until the thread is between two events, and keeps it there until each Park, of whatever threads, has had its
    /// <see cref="Resume"/>, on whatever thread. Not on the thread itself.
    /// </summary>
    public void Park()
    {
        lock (_gate)
        {
            _parkers++;
            while (_works)
                Monitor.Wait(_gate);
        }
    }

    public void Resume()
    {
        lock (_gate)
        {
            if (--_parkers == 0)
                Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Ends the thread, after the events that it is at; parked it ends as well.</summary>
    public void Stop()
    {
        if (!_thread.IsAlive)
            return;
        lock (_gate)
        {
            _ends = true;
            Monitor.PulseAll(_gate);
        }

        _stop.Signal();
        _thread.Join();
    }

    /// <summary>Ends the thread and closes its doorbells and timers, whose owners may dispose of them later still.</summary>
    public void Dispose()
    {
        Stop();
        while (_owned.Count > 0)
        {
            IDisposable last = _owned[^1];
            _owned.RemoveAt(_owned.Count - 1);
            last.Dispose();
        }

        _stop.Dispose();
        if (_epoll >= 0)
            _ = close(_epoll);
        _epoll = -1;
    }

    private Watched WatchSelfResetting(int fd, Action ready)
    {
        Watched watched = (Watched)Watch(fd, Readiness.Read, _ => ready());
        watched.IdleOnFailure = false;
        return watched;
    }

    private void Main()
    {
        epoll_event* events = stackalloc epoll_event[MostEvents];
        while (!_ends)
        {
            int ready = epoll_wait(_epoll, events, MostEvents, -1);
            if (ready < 0)
            {
                int error = Marshal.GetLastPInvokeError();
                if (error == Errno.EINTR)
                    continue;
                throw new SystemCallException("epoll_wait", error);
            }

            if (!TryBegin())
                return;
            for (int i = 0; i < ready; i++)
                Serve(events[i].data.u64, (uint)events[i].events);
            End();
        }
    }

    /// <summary>Waits while it is parked; false where it is to end.</summary>
    private bool TryBegin()
    {
        lock (_gate)
        {
            while (_parkers != 0 && !_ends)
                Monitor.Wait(_gate);
            return _works = !_ends;
        }
    }

    private void End()
    {
        lock (_gate)
        {
            _works = false;
            if (_parkers != 0)
                Monitor.PulseAll(_gate);
        }
    }

    private void Serve(ulong key, uint events)
    {
        // What was ready may be watched no more: by an event before it, or by whoever parked the thread.
        Watched watched = _watches[(int)(uint)key];
        if (watched.Key != key)
            return;
        try
        {
            watched.Call(events);
        }
        catch (Exception failure) when (Failed is not null)
        {
            // Whatever it is, it is ready still, and would fail again at once.
            if (watched.IdleOnFailure)
                watched.Interest = Readiness.None;
            Failed(failure);
        }
    }

    private sealed class Watched(DeviceThread thread, ulong key, int fd, Action<Readiness> ready) : IWatch
    {
        private Readiness _interest;

        /// <summary>Its place in the list, and a number that none before it had there.</summary>
        public ulong Key => key;

        public int Fd { get; private set; } = fd;

        /// <summary>Doorbells and timers do not: they are taken back before the callback.</summary>
        public bool IdleOnFailure { get; set; } = true;

        public Readiness Interest
        {
            get => _interest;
            set
            {
                if (Fd < 0 || value == _interest)
                    return;

                // A file in the set that has hung up is always ready, wanted or not: what rests must leave.
                if (value == Readiness.None)
                    _ = epoll_ctl(thread._epoll, EPOLL_CTL_DEL, Fd, null);
                else
                    Enter(_interest == Readiness.None ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, value);
                _interest = value;
            }
        }

        public void Call(uint events)
        {
            if (_interest == Readiness.None)
                return;
            Readiness now = Readiness.None;
            bool failed = (events & (EPOLLERR | EPOLLHUP)) != 0;
            if (failed || (events & EPOLLIN) != 0)
                now |= Readiness.Read;
            if (failed || (events & EPOLLOUT) != 0)
                now |= Readiness.Write;
            if (failed || (now & _interest) != 0)
                ready(now);
        }

        public void Dispose()
        {
            Interest = Readiness.None;
            Fd = -1;
        }

        private void Enter(int operation, Readiness interest)
        {
            epoll_event wanted = default;
            wanted.events = (interest.HasFlag(Readiness.Read) ? EPOLLIN : 0)
                | (interest.HasFlag(Readiness.Write) ? EPOLLOUT : 0);
            wanted.data.u64 = key;
            if (epoll_ctl(thread._epoll, operation, Fd, &wanted) != 0)
                throw new SystemCallException("epoll_ctl", Marshal.GetLastPInvokeError());
        }
    }

    private sealed class LoopTimer : ILoopTimer
    {
        private readonly DeviceThread _thread;
        private readonly Watched _watch;
        private int _fd;

        public LoopTimer(DeviceThread thread, Action elapsed)
        {
            _thread = thread;
            _fd = Linux.TimerFdCreate(Linux.CLOCK_MONOTONIC, Linux.TFD_CLOEXEC | Linux.TFD_NONBLOCK);
            if (_fd < 0)
                throw new SystemCallException("timerfd_create", Marshal.GetLastPInvokeError());
            _watch = thread.WatchSelfResetting(_fd, () =>
            {
                ulong times = 0;
                if ((long)read(_fd, &times, sizeof(ulong)) == sizeof(ulong))
                    elapsed();
            });
        }

        // A delay of 0 would stop it; one of centuries is more nanoseconds than there are.
        public void Start(TimeSpan delay) =>
            Set(Math.Clamp(delay.Ticks, 1, 365 * TimeSpan.TicksPerDay) * TimeSpan.NanosecondsPerTick);

        public void Stop() => Set(0);

        public void Dispose()
        {
            if (_fd < 0)
                return;
            _watch.Dispose();
            _ = close(_fd);
            _fd = -1;
            _thread._owned.Remove(this);
        }

        private void Set(long nanoseconds)
        {
            if (_fd >= 0)
                Linux.TimerFdSetTime(_fd, nanoseconds);
        }
    }
}
