using System.Runtime.InteropServices;
using MiniVmm.Kvm;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Virtio;

/// <summary>
/// One thread that serves a device: epoll(7) over doorbells, timers and whatever the device watches. Between two
/// events it can be parked, by which another thread has the device's state for itself.
/// </summary>
public sealed unsafe class DeviceThread : IDeviceLoop, IDisposable
{
    private const int MostEvents = 16;
    private readonly List<Watched> _watches = [];
    private readonly Stack<IDisposable> _owned = new();
    private readonly Lock _gate = new();
    private readonly EventFd _stop = new();
    private readonly Thread _thread;
    private readonly int _epoll;
    private int _parkers;
    private volatile bool _ends;

    /// <param name="name">The thread's; the kernel shows 15 bytes of it.</param>
    /// <exception cref="KvmException">No more files.</exception>
    public DeviceThread(string name)
    {
        _epoll = epoll_create1(EPOLL_CLOEXEC);
        if (_epoll < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            _stop.Dispose();
            throw new KvmException("epoll_create1", error);
        }

        _thread = new Thread(Main, maxStackSize: 256 * 1024) { IsBackground = true, Name = name };
        Watch(_stop.Fd, Readiness.Read, _ => _ends = true);
    }

    public IWatch Watch(int fd, Readiness interest, Action<Readiness> ready)
    {
        int slot = _watches.FindIndex(watch => watch.Fd < 0);
        Watched watched = new(this, slot < 0 ? _watches.Count : slot, fd, ready);
        if (slot < 0)
            _watches.Add(watched);
        else
            _watches[slot] = watched;
        watched.Control(EPOLL_CTL_ADD, interest);
        return watched;
    }

    public ILoopTimer CreateTimer(Action elapsed)
    {
        LoopTimer timer = new(this, elapsed);
        _owned.Push(timer);
        return timer;
    }

    /// <summary>Calls <paramref name="rung"/> on this thread whenever KVM, or a transport, signals the eventfd.</summary>
    public EventFd AddDoorbell(Action rung)
    {
        EventFd doorbell = new();
        _owned.Push(doorbell);
        Watch(doorbell.Fd, Readiness.Read, _ =>
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

    /// <summary>Waits until the thread is between two events, and keeps it there until <see cref="Resume"/>.</summary>
    public void Park()
    {
        // The count makes the lock fair: a loop that is always busy would take it again before a waiter wakes.
        Interlocked.Increment(ref _parkers);
        _gate.Enter();
    }

    public void Resume()
    {
        Interlocked.Decrement(ref _parkers);
        _gate.Exit();
    }

    /// <summary>Ends the thread, after the event that it is at.</summary>
    public void Dispose()
    {
        if (_thread.IsAlive)
        {
            _stop.Signal();
            _thread.Join();
        }

        while (_owned.TryPop(out IDisposable? owned))
            owned.Dispose();
        _stop.Dispose();
        _ = close(_epoll);
    }

    private void Main()
    {
        epoll_event* events = stackalloc epoll_event[MostEvents];
        while (!_ends)
        {
            int ready = epoll_wait(_epoll, events, MostEvents, -1);
            SpinWait spin = default;
            while (Volatile.Read(ref _parkers) != 0)
                spin.SpinOnce();
            lock (_gate)
            {
                for (int i = 0; i < ready; i++)
                    _watches[(int)events[i].data.u32].Call((uint)events[i].events);
            }
        }
    }

    private sealed class Watched(DeviceThread thread, int slot, int fd, Action<Readiness> ready) : IWatch
    {
        private Readiness _interest;

        public int Fd { get; private set; } = fd;

        public Readiness Interest
        {
            get => _interest;
            set
            {
                if (value != _interest)
                    Control(EPOLL_CTL_MOD, value);
            }
        }

        public void Control(int operation, Readiness interest)
        {
            epoll_event wanted = default;
            wanted.events = (interest.HasFlag(Readiness.Read) ? EPOLLIN : 0)
                | (interest.HasFlag(Readiness.Write) ? EPOLLOUT : 0);
            wanted.data.u32 = (uint)slot;
            if (epoll_ctl(thread._epoll, operation, Fd, &wanted) != 0)
                throw new KvmException("epoll_ctl", Marshal.GetLastPInvokeError());
            _interest = interest;
        }

        public void Call(uint events)
        {
            // An event of the same batch may have disposed of this watch, or put it to rest.
            if (Fd < 0)
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
            if (Fd < 0)
                return;
            _ = epoll_ctl(thread._epoll, EPOLL_CTL_DEL, Fd, null);
            Fd = -1;
        }
    }

    private sealed class LoopTimer : ILoopTimer
    {
        private readonly int _fd;
        private readonly IWatch _watch;

        public LoopTimer(DeviceThread thread, Action elapsed)
        {
            _fd = Linux.TimerFdCreate(Linux.CLOCK_MONOTONIC, Linux.TFD_CLOEXEC | Linux.TFD_NONBLOCK);
            if (_fd < 0)
                throw new KvmException("timerfd_create", Marshal.GetLastPInvokeError());
            _watch = thread.Watch(_fd, Readiness.Read, _ =>
            {
                ulong times = 0;
                if ((long)read(_fd, &times, sizeof(ulong)) == sizeof(ulong))
                    elapsed();
            });
        }

        // A delay of 0 would stop it.
        public void Start(TimeSpan delay) =>
            Linux.TimerFdSetTime(_fd, Math.Max(1, delay.Ticks) * TimeSpan.NanosecondsPerTick);

        public void Stop() => Linux.TimerFdSetTime(_fd, 0);

        public void Dispose()
        {
            _watch.Dispose();
            _ = close(_fd);
        }
    }
}
