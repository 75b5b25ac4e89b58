using MiniVmm.Execution;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Gdb;

/// <summary>Serves one gdb after the other, on a thread of its own, which sleeps while nobody is there.</summary>
internal sealed unsafe class GdbServer : IDisposable
{
    private const int MostAtOnce = 4096;

    /// <summary>How long gdb may take to read how the machine ended, in milliseconds.</summary>
    private const int LongestGoodbye = 500;

    private readonly MachineDebugger _debugger;
    private readonly bool _waits;
    private readonly StreamSocket _listener;
    private readonly EventFd _stop = new();
    private readonly Thread _thread;
    private StopReason _reason = new(StopKind.Interrupted);
    private StreamSocket? _client;
    private GdbSession? _session;
    private bool _leaves; // gdb has gone, and its breakpoints have not
    private bool _started;
    private bool _disposed;

    /// <param name="address">Where to listen.</param>
    /// <param name="debugger">The machine, which this disposes of.</param>
    /// <param name="waits">Whether the guest waits until gdb lets it go on.</param>
    /// <exception cref="BadInputException">It cannot be listened there.</exception>
    public GdbServer(StreamAddress address, MachineDebugger debugger, bool waits)
    {
        _debugger = debugger;
        _waits = waits;
        _listener = StreamSocket.TryListen(address, out string? problem)
            ?? throw new BadInputException($"{OptionName.Gdb.With($"{address}")}: cannot listen there: {problem}");
        _thread = new Thread(Serve, maxStackSize: 512 * 1024) { IsBackground = true, Name = "gdb" };
    }

    /// <summary>
    /// Milliseconds until a guest that could not be stopped, to be left as without gdb, is tried again: each try may hold up its
    /// other vCPUs for seconds.
    /// </summary>
    public int BetweenTries { get; init; } = 5000;

    /// <summary>Takes connections from now on: the machine is whole.</summary>
    public void Start()
    {
        if (_started)
            return;
        _started = true;
        _thread.Start();
    }

    /// <summary>The machine has ended: gdb is told how, and the thread ends.</summary>
    public void End(StopReason reason)
    {
        _reason = reason;
        _stop.Signal();
        if (_started)
            _thread.Join();
        _started = false;
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        End(_reason);
        _listener.Dispose();
        _stop.Dispose();
        _debugger.Dispose();
    }

    private void Serve()
    {
        byte[] buffer = new byte[MostAtOnce];
        pollfd* fds = stackalloc pollfd[4];
        while (true)
        {
            bool running = _session is { IsRunning: true };
            fds[0] = new pollfd { fd = _stop.Fd, events = POLLIN };
            fds[1] = new pollfd { fd = _client is null ? _listener.Fd : -1, events = POLLIN };

            // Nothing more is read from a gdb that does not read.
            fds[2] = new pollfd { fd = _client?.Fd ?? -1, events = _session is { Output.Length: > 0 } ? POLLOUT : POLLIN };
            fds[3] = new pollfd { fd = running || _leaves ? _debugger.StoppedFd : -1, events = POLLIN };
            int came = poll(fds, 4, running ? _debugger.UntilPatrol : _leaves ? BetweenTries : -1);
            if (fds[0].revents != 0)
                break;
            if (_leaves && (came == 0 || fds[3].revents != 0))
                Leave();
            else if (fds[3].revents != 0)
                _session?.LookForStop();
            else if (running)
                Patrol();
            if (fds[2].revents != 0 && !Receive(buffer))
                Drop();
            if (fds[1].revents != 0 && _listener.Accept() is { } socket)
                Welcome(socket);
            if (!Flush())
                Drop();
        }

        SayGoodbye(buffer);
    }

    private void Welcome(StreamSocket socket)
    {
        socket.SendAtOnce();
        if (_leaves)
            Leave();
        if (_leaves || !TryAttach())
        {
            socket.Dispose(); // a device holds a vCPU up; gdb may come again
            return;
        }

        (_client, _session) = (socket, new GdbSession(_debugger));
    }

    private bool TryAttach()
    {
        try
        {
            _debugger.Attach();
            return true;
        }
        catch (Exception refusal) when (refusal is VmmException or SystemCallException)
        {
            return false;
        }
    }

    private void Patrol()
    {
        try
        {
            _debugger.Patrol();
        }
        catch (Exception refusal) when (refusal is VmmException or SystemCallException)
        {
            // The next look may find more.
        }
    }

    /// <returns>False if the connection is over.</returns>
    private bool Receive(byte[] buffer)
    {
        if (_session!.Output.Length > 0)
            return true;
        int got = _client!.Receive(buffer);
        if (got <= 0)
            return got is -Errno.EAGAIN or -Errno.EINTR;
        _session.Receive(buffer.AsSpan(0, got));
        return true;
    }

    /// <summary>Sends as much as fits.</summary>
    /// <returns>False if the connection is over.</returns>
    private bool Flush()
    {
        if (_session is null)
            return true;
        while (_session.Output.Length > 0)
        {
            int sent = _client!.Send(_session.Output);
            if (sent <= 0)
                return sent is -Errno.EAGAIN or -Errno.EINTR;
            _session.Sent(sent);
        }

        return !_session.HasEnded;
    }

    /// <summary>A gdb that goes without a word leaves the guest as it would by detaching.</summary>
    private void Drop()
    {
        bool hasLeft = _session!.HasLeft;
        _client!.Dispose();
        (_client, _session) = (null, null);
        if (!hasLeft)
            Leave();
    }

    /// <summary>The guest goes on as without gdb, or waits for the next one; where that cannot be now, it is tried again.</summary>
    private void Leave()
    {
        try
        {
            if (_waits && !_debugger.HasRun)
                _debugger.Forget();
            else
                _debugger.Detach();
            _leaves = false;
        }
        catch (Exception refusal) when (refusal is VmmException or SystemCallException)
        {
            _leaves = true; // a device holds a vCPU up, or the machine is ending
        }
    }

    private void SayGoodbye(byte[] buffer)
    {
        if (_session is null)
            return;
        _session.LookForStop();
        _session.End(_reason);
        _ = Flush();
        _client!.EndSending();

        // What gdb has sent and nobody reads would have the kernel cut the connection, and with it what gdb has not read.
        pollfd last = new() { fd = _client.Fd, events = POLLIN };
        long end = Environment.TickCount64 + LongestGoodbye;
        while (end - Environment.TickCount64 is > 0 and long left && poll(&last, 1, (int)left) > 0 && _client.Receive(buffer) > 0)
        {
        }

        _client.Dispose();
        (_client, _session) = (null, null);
    }
}
