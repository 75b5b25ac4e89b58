using MiniVmm.Devices;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Display.Rfb;

/// <summary>
/// Shows the guest's screen to VNC clients, on a thread of its own: it sleeps while nobody is connected, and looks at the screen only
/// while somebody waits for it to change. No client can hold another up, nor the guest.
/// </summary>
internal sealed unsafe class VncServer : IDisposable
{
    private const int MostClients = 4;
    private const int MostAtOnce = 4096;

    /// <summary>Milliseconds between two looks at the screen.</summary>
    private const int BetweenLooks = 33;

    private readonly GuestScreen _screen;
    private readonly I8042? _controller;
    private readonly StreamSocket _listener;
    private readonly EventFd _stop = new();
    private readonly List<Client> _clients = [];
    private readonly string _name;
    private readonly Thread _thread;

    /// <param name="name">Of the desktop.</param>
    /// <param name="address">Where to listen.</param>
    /// <param name="screen">What to show.</param>
    /// <param name="controller">What to press and move; null for nothing.</param>
    /// <exception cref="BadInputException">It cannot be listened there.</exception>
    public VncServer(string name, StreamAddress address, GuestScreen screen, I8042? controller)
    {
        _name = name;
        _screen = screen;
        _controller = controller;
        _listener = StreamSocket.TryListen(address, out string? problem)
            ?? throw new BadInputException(
                $"{OptionName.Display.With($"vnc={address}")}: cannot listen there: {problem}");
        _thread = new Thread(Serve, maxStackSize: 512 * 1024) { IsBackground = true, Name = "vnc" };
        _thread.Start();
    }

    /// <summary>Drops all clients; guest RAM is not looked at any more.</summary>
    public void Dispose()
    {
        _stop.Signal();
        _thread.Join();
        _listener.Dispose();
        _stop.Dispose();
    }

    private void Serve()
    {
        pollfd* fds = stackalloc pollfd[2 + MostClients];
        while (true)
        {
            fds[0] = new pollfd { fd = _stop.Fd, events = POLLIN };
            fds[1] = new pollfd { fd = _clients.Count < MostClients ? _listener.Fd : -1, events = POLLIN };
            for (int i = 0; i < _clients.Count; i++)
                fds[2 + i] = new pollfd { fd = _clients[i].Socket.Fd, events = _clients[i].Interest };
            bool waiting = _clients.Exists(client => client.Session.WantsUpdate);
            int ready = poll(fds, (uint)(2 + _clients.Count), waiting ? BetweenLooks : -1);
            if (fds[0].revents != 0)
                break;
            if (ready > 0)
                ServeReady(fds);
            if (waiting)
                Update();
        }

        foreach (Client client in _clients)
            client.Dispose();
        _clients.Clear();
    }

    private void ServeReady(pollfd* fds)
    {
        for (int i = _clients.Count - 1; i >= 0; i--)
        {
            if (fds[2 + i].revents == 0 || _clients[i].Serve())
                continue;
            _clients[i].Dispose();
            _clients.RemoveAt(i);
        }

        if (fds[1].revents == 0 || _listener.Accept() is not { } socket)
            return;
        (int width, int height) = _screen.Size;
        Client client = new(socket, new RfbInput(_controller ?? new I8042(NoPower.Instance)), _name, width, height);
        if (client.Flush())
            _clients.Add(client);
        else
            client.Dispose();
    }

    private void Update()
    {
        ScreenImage? image = null;
        for (int i = _clients.Count - 1; i >= 0; i--)
        {
            Client client = _clients[i];
            if (!client.Session.WantsUpdate)
                continue;
            client.Session.Update(image ??= _screen.Capture());
            if (client.Flush())
                continue;
            client.Dispose();
            _clients.RemoveAt(i);
        }
    }

    private sealed class Client : IDisposable
    {
        private readonly RfbInput _input;
        private readonly byte[] _buffer = new byte[MostAtOnce];
        private int _sent;

        public Client(StreamSocket socket, RfbInput input, string name, int width, int height)
        {
            Socket = socket;
            _input = input;
            Session = new RfbSession(name, width, height, input);
        }

        public StreamSocket Socket { get; }

        public RfbSession Session { get; }

        /// <summary>Nothing more is read from a client that does not read.</summary>
        public short Interest => Session.Output.Length > 0 ? POLLOUT : POLLIN;

        /// <returns>False if it is to be dropped.</returns>
        public bool Serve()
        {
            if (Session.Output.Length > 0)
                return Flush();
            int got = Socket.Receive(_buffer);
            if (got <= 0)
                return got is -Errno.EAGAIN or -Errno.EINTR;
            Session.Receive(_buffer.AsSpan(0, got));
            return Flush();
        }

        /// <summary>Sends as much as fits.</summary>
        /// <returns>False if it is to be dropped.</returns>
        public bool Flush()
        {
            while (_sent < Session.Output.Length)
            {
                int now = Socket.Send(Session.Output[_sent..]);
                if (now <= 0)
                    return now is -Errno.EAGAIN or -Errno.EINTR;
                _sent += now;
            }

            _sent = 0;
            Session.Sent();
            return !Session.HasEnded;
        }

        public void Dispose()
        {
            _input.ReleaseAll();
            Session.Dispose();
            Socket.Dispose();
        }
    }

    /// <summary>For a keyboard that is no machine's.</summary>
    private sealed class NoPower : IPowerControl
    {
        public static readonly NoPower Instance = new();

        public void PowerOff()
        {
        }

        public void Reset()
        {
        }

        public void DebugExit(uint value)
        {
        }
    }
}
