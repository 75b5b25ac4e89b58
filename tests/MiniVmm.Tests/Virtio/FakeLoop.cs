using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Virtio;
using Tmds.Linux;

namespace MiniVmm.Tests.Virtio;

/// <summary>A device's loop without a thread: what it watches and its timers go off when the test says so.</summary>
public sealed unsafe class FakeLoop : IDeviceLoop
{
    private readonly List<FakeWatch> _watches = [];
    private readonly List<FakeTimer> _timers = [];

    /// <summary>Those that were not disposed of, in the order they were made.</summary>
    public IReadOnlyList<FakeWatch> Watches => _watches;

    public IReadOnlyList<FakeTimer> Timers => _timers;

    public IWatch Watch(int fd, Readiness interest, Action<Readiness> ready)
    {
        FakeWatch watch = new(this, fd, ready) { Interest = interest };
        _watches.Add(watch);
        return watch;
    }

    public ILoopTimer CreateTimer(Action elapsed)
    {
        FakeTimer timer = new(this, elapsed);
        _timers.Add(timer);
        return timer;
    }

    /// <summary>Makes a watched file ready; says whether anything waited for that.</summary>
    public bool Fire(int fd, Readiness readiness)
    {
        bool any = false;
        foreach (FakeWatch watch in _watches.ToArray())
        {
            if (watch.Fd == fd)
                any |= watch.Fire(readiness);
        }

        return any;
    }

    /// <summary>Ends every timer that runs now; says how many.</summary>
    public int Elapse() => _timers.ToArray().Count(timer => timer.Elapse());

    /// <summary>Asks the kernel what is ready, as the real loop does, and fires that; says how many were.</summary>
    /// <param name="milliseconds">How long to wait if nothing is ready; -1 for ever.</param>
    public int Poll(int milliseconds)
    {
        FakeWatch[] watches = [.. _watches.Where(watch => watch.Interest != Readiness.None)];
        pollfd* files = stackalloc pollfd[watches.Length + 1];
        for (int i = 0; i < watches.Length; i++)
        {
            files[i].fd = watches[i].Fd;
            int read = watches[i].Interest.HasFlag(Readiness.Read) ? LibC.POLLIN : 0;
            int write = watches[i].Interest.HasFlag(Readiness.Write) ? LibC.POLLOUT : 0;
            files[i].events = (short)(read | write);
        }

        int result;
        do
        {
            result = LibC.poll(files, (uint)watches.Length, milliseconds);
        }
        while (result < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        int fired = 0;
        for (int i = 0; i < watches.Length; i++)
        {
            int events = files[i].revents;
            bool failed = (events & (LibC.POLLERR | LibC.POLLHUP)) != 0;
            Readiness ready = Readiness.None;
            if (failed || (events & LibC.POLLIN) != 0)
                ready |= Readiness.Read;
            if (failed || (events & LibC.POLLOUT) != 0)
                ready |= Readiness.Write;
            if (ready != Readiness.None && watches[i].Fire(ready))
                fired++;
        }

        return fired;
    }

    public sealed class FakeWatch(FakeLoop loop, int fd, Action<Readiness> ready) : IWatch
    {
        private bool _disposed;

        public int Fd => fd;

        public Readiness Interest { get; set; }

        public bool Fire(Readiness readiness)
        {
            if (_disposed || (readiness & Interest) == 0)
                return false;
            ready(readiness & Interest);
            return true;
        }

        public void Dispose()
        {
            _disposed = true;
            loop._watches.Remove(this);
        }
    }

    public sealed class FakeTimer(FakeLoop loop, Action elapsed) : ILoopTimer
    {
        /// <summary>What it was started with; null while it does not run.</summary>
        public TimeSpan? Delay { get; private set; }

        public void Start(TimeSpan delay) => Delay = delay;

        public void Stop() => Delay = null;

        public bool Elapse()
        {
            if (Delay is null)
                return false;
            Delay = null;
            elapsed();
            return true;
        }

        public void Dispose()
        {
            Delay = null;
            loop._timers.Remove(this);
        }
    }
}
