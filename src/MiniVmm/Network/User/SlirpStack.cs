using System.Diagnostics;
using System.Runtime.InteropServices;
using MiniVmm.Host;
using static Tmds.Linux.LibC;

namespace MiniVmm.Network.User;

/// <summary>
/// One libslirp instance and the loop that drives it: frames from the guest and data from the host's sockets, in turns.
/// All on one thread once <see cref="Run"/> is called; allocates nothing for a frame.
/// </summary>
internal sealed unsafe class SlirpStack : IDisposable
{
    // Frames from the guest before the host's sockets have their turn.
    private const int FramesATurn = 64;

    private readonly SlirpLibrary _library;
    private readonly GuestPort _port;
    private readonly SocketLimit _limit;
    private readonly PollSet _polls = new();
    private readonly List<nint> _timers = new(1);
    private GCHandle<SlirpStack> _self;
    private SlirpCb* _callbacks;
    private nint _slirp;

    /// <param name="library">Loaded.</param>
    /// <param name="port">Where frames come from and go to; owned by the caller.</param>
    /// <param name="configuration">Its texts are copied.</param>
    /// <param name="limit">Of its sockets.</param>
    /// <exception cref="BadInputException">libslirp refuses the configuration.</exception>
    public SlirpStack(SlirpLibrary library, GuestPort port, SlirpConfig* configuration, SocketLimit limit)
    {
        (_library, _port, _limit) = (library, port, limit);
        _self = new GCHandle<SlirpStack>(this);
        _callbacks = (SlirpCb*)NativeMemory.AllocZeroed((nuint)sizeof(SlirpCb));
        _callbacks->send_packet = &SendPacket;
        _callbacks->guest_error = &GuestError;
        _callbacks->clock_get_ns = &ClockGetNs;
        _callbacks->timer_new = &TimerNew;
        _callbacks->timer_free = &TimerFree;
        _callbacks->timer_mod = &TimerMod;
        _callbacks->register_poll_fd = &SocketOpened;
        _callbacks->unregister_poll_fd = &SocketCloses;
        _callbacks->notify = &Notify;
        lock (SlirpLibrary.Gate)
            _slirp = library.New(configuration, _callbacks, GCHandle<SlirpStack>.ToIntPtr(_self));
        if (_slirp == 0)
        {
            Dispose();
            throw new BadInputException($"{UserNetwork.Subject}: libslirp refuses this network");
        }
    }

    /// <summary>Forwards a port of the host to the guest.</summary>
    /// <returns>0, or the errno.</returns>
    public int AddHostForward(HostForward forward)
    {
        lock (SlirpLibrary.Gate)
        {
            Marshal.SetLastSystemError(0);
            int result = _library.AddHostForward(
                _slirp,
                forward.IsUdp ? 1 : 0,
                Wire(forward.HostAddress),
                forward.HostPort,
                Wire(forward.GuestAddress),
                forward.GuestPort);
            int error = Marshal.GetLastSystemError();
            return result == 0 ? 0 : error != 0 ? error : Errno.EINVAL;
        }
    }

    /// <summary>Serves until the port stops.</summary>
    public void Run()
    {
        while (!_port.Stopped)
        {
            _polls.Clear();
            int stop = _polls.Add(_port.StopFd, POLLIN);
            int card = _polls.Add(
                _port.Network, _port.Stalled ? (short)(POLLIN | POLLOUT) : POLLIN);
            bool usable = _polls.Wait(Fill());
            if (_polls.Result(stop) != 0)
                return;
            if ((_polls.Result(card) & POLLOUT) != 0)
                _port.SeeRoom();
            lock (SlirpLibrary.Gate)
            {
                // It reads the clock only here; with an old time it would expire a UDP socket as soon as it is made.
                // With an error as the result it looks at no socket.
                _library.PollFdsPoll(_slirp, 1, &GetREvents, GCHandle<SlirpStack>.ToIntPtr(_self));

                // Frames first: the other call also sends what was waiting for a reply among them.
                if ((_polls.Result(card) & POLLIN) != 0)
                    TakeFrames();
                _library.PollFdsPoll(_slirp, usable ? 0 : 1, &GetREvents, GCHandle<SlirpStack>.ToIntPtr(_self));
                RunTimers();
            }
        }
    }

    /// <summary>Ends all connections, and stops listening. After <see cref="Run"/> has returned.</summary>
    public void Dispose()
    {
        if (_callbacks == null)
            return;
        if (_slirp != 0)
        {
            lock (SlirpLibrary.Gate)
                _library.Cleanup(_slirp);
        }

        _slirp = 0;
        foreach (nint timer in _timers)
            NativeMemory.Free((void*)timer);
        _timers.Clear();
        NativeMemory.Free(_callbacks);
        _callbacks = null;
        _polls.Dispose();
        _self.Dispose();
    }

    /// <summary>An address as the C structures hold it: first byte lowest.</summary>
    internal static uint Wire(Ipv4Address address) =>
        System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(address.Value);

    /// <returns>Milliseconds to wait at most; -1 for no end.</returns>
    private int Fill()
    {
        uint timeout = uint.MaxValue;
        lock (SlirpLibrary.Gate)
            _library.PollFdsFill(_slirp, &timeout, &AddPoll, GCHandle<SlirpStack>.ToIntPtr(_self));
        long now = Now() / 1_000_000;
        long wait = timeout == uint.MaxValue ? long.MaxValue : timeout;
        foreach (nint timer in _timers)
        {
            if (((Timer*)timer)->Running)
                wait = Math.Min(wait, Math.Max(0, ((Timer*)timer)->ExpiresMilliseconds - now));
        }

        return wait == long.MaxValue ? -1 : (int)Math.Min(wait, int.MaxValue);
    }

    private void RunTimers()
    {
        long now = Now() / 1_000_000;
        for (int i = 0; i < _timers.Count; i++)
        {
            var timer = (Timer*)_timers[i];
            if (!timer->Running || timer->ExpiresMilliseconds > now)
                continue;
            timer->Running = false;
            timer->Callback(timer->Opaque);
        }
    }

    private void TakeFrames()
    {
        for (int i = 0; i < FramesATurn && !_port.Stopped; i++)
        {
            byte* frame = _port.Receive(out int length);
            if (frame == null)
                return;
            if (length != 0 && Admits(new Span<byte>(frame, length)))
                _library.Input(_slirp, frame, length);
        }
    }

    private bool Admits(Span<byte> frame) =>
        FrameFilter.Admits(frame) && !(_limit.IsReached && FrameFilter.MayOpenSocket(frame));

    private static long Now() => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));

    private static SlirpStack Of(nint opaque) => GCHandle<SlirpStack>.FromIntPtr(opaque).Target;

    [UnmanagedCallersOnly]
    private static nint SendPacket(byte* frame, nuint length, nint opaque)
    {
        GuestPort port = Of(opaque)._port;
        while (!port.TrySend(frame, (int)length) && WaitForRoom(port))
        {
            // There was no room, and now there is.
        }

        // Frames that nobody takes are lost, which is not an error to report to libslirp.
        return (nint)length;
    }

    /// <summary>
    /// Waits for a card without the lock, so that other networks go on. libslirp does not rely on its global variables
    /// across this call: other networks only advance its clock, and look up the host's name servers.
    /// </summary>
    private static bool WaitForRoom(GuestPort port)
    {
        SlirpLibrary.Gate.Exit();
        bool room = port.WaitForRoom();
        SlirpLibrary.Gate.Enter();
        return room;
    }

    // Messages about what the guest sends are dropped: they could fill a terminal.
    [UnmanagedCallersOnly]
    private static void GuestError(byte* message, nint opaque)
    {
    }

    [UnmanagedCallersOnly]
    private static long ClockGetNs(nint opaque) => Now();

    [UnmanagedCallersOnly]
    private static nint TimerNew(delegate* unmanaged<nint, void> callback, nint callbackOpaque, nint opaque)
    {
        var timer = (Timer*)NativeMemory.AllocZeroed((nuint)sizeof(Timer));
        timer->Callback = callback;
        timer->Opaque = callbackOpaque;
        Of(opaque)._timers.Add((nint)timer);
        return (nint)timer;
    }

    [UnmanagedCallersOnly]
    private static void TimerFree(nint timer, nint opaque)
    {
        if (Of(opaque)._timers.Remove(timer))
            NativeMemory.Free((void*)timer);
    }

    [UnmanagedCallersOnly]
    private static void TimerMod(nint timer, long expiresMilliseconds, nint opaque)
    {
        ((Timer*)timer)->ExpiresMilliseconds = expiresMilliseconds;
        ((Timer*)timer)->Running = true;
    }

    // The set is rebuilt for each wait, on the thread that calls libslirp: nobody has to be woken. Not all sockets are
    // reported here: for those of a forwarded port it passes -1, and AddPoll has the number.
    [UnmanagedCallersOnly]
    private static void SocketOpened(int fd, nint opaque) => Of(opaque)._limit.Add(fd);

    [UnmanagedCallersOnly]
    private static void SocketCloses(int fd, nint opaque) => Of(opaque)._limit.Remove(fd);

    [UnmanagedCallersOnly]
    private static void Notify(nint opaque)
    {
    }

    [UnmanagedCallersOnly]
    private static int AddPoll(int fd, int events, nint opaque)
    {
        SlirpStack stack = Of(opaque);
        stack._limit.Add(fd);
        if (!stack._limit.Admits(fd))
            return -1; // an index of no result
        short wanted = 0;
        if ((events & SlirpPoll.In) != 0)
            wanted |= POLLIN;
        if ((events & SlirpPoll.Out) != 0)
            wanted |= POLLOUT;
        if ((events & SlirpPoll.Pri) != 0)
            wanted |= POLLPRI;
        return stack._polls.Add(fd, wanted);
    }

    [UnmanagedCallersOnly]
    private static int GetREvents(int index, nint opaque)
    {
        int result = Of(opaque)._polls.Result(index);
        int events = 0;
        if ((result & POLLIN) != 0)
            events |= SlirpPoll.In;
        if ((result & POLLOUT) != 0)
            events |= SlirpPoll.Out;
        if ((result & POLLPRI) != 0)
            events |= SlirpPoll.Pri;
        if ((result & (POLLERR | POLLNVAL)) != 0)
            events |= SlirpPoll.Err;
        if ((result & POLLHUP) != 0)
            events |= SlirpPoll.Hup;
        return events;
    }

    private struct Timer
    {
        public delegate* unmanaged<nint, void> Callback;
        public nint Opaque;
        public long ExpiresMilliseconds;
        public bool Running;
    }
}
