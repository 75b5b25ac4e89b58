using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Control;

/// <summary>
/// A machine's control socket and the one thread that answers on it. Only machines with a name have one; it is closed
/// before the machine is.
/// </summary>
internal sealed unsafe class ControlServer : IDisposable
{
    /// <summary>The most clients at a time. For one more, the client that has been silent longest is dropped.</summary>
    public const int MostClients = 16;

    /// <summary>How long to wait after a client that could not be accepted, in milliseconds.</summary>
    private const int AcceptAgain = 100;

    private readonly ControlDirectory _directory;
    private readonly UnixSocket _listener;
    private readonly ulong _inode;
    private readonly ControlProtocol _protocol;
    private readonly EventFd _stop = new();
    private readonly List<ControlConnection> _clients = new(MostClients);
    private readonly Thread _thread;
    private long _served;
    private bool _disposed;

    private ControlServer(string name, IControlledMachine machine, ControlDirectory directory, UnixSocket listener)
    {
        Name = name;
        _directory = directory;
        _listener = listener;
        _inode = directory.Inode(name);
        _protocol = new ControlProtocol(name, machine, new HostFiles(), TimeProvider.System);
        _thread = new Thread(Main, maxStackSize: 256 * 1024) { IsBackground = true, Name = "control" };
    }

    public string Name { get; }

    /// <summary>Claims the name and starts answering. A socket left behind by a killed machine is replaced.</summary>
    /// <exception cref="BadInputException">Not a valid name, or a running machine has it.</exception>
    /// <exception cref="HostLimitException">The socket or its thread cannot be created.</exception>
    public static ControlServer Listen(string name, IControlledMachine machine)
    {
        ArgumentNullException.ThrowIfNull(machine);
        MachineName.Check(name);
        ControlDirectory directory = ControlDirectory.OpenOrCreate();
        UnixSocket? listener = null;
        try
        {
            listener = Claim(name, directory);
            ControlServer server = new(name, machine, directory, listener);
            server.Start();
            return server;
        }
        catch
        {
            listener?.Dispose();
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Ends the thread, drops the clients and removes the socket; a second call does nothing.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _stop.Signal();
        _thread.Join();
        RemoveSocket();
        foreach (ControlConnection client in _clients)
            client.Dispose();
        _listener.Dispose();
        _directory.Dispose();
        _stop.Dispose();
    }

    private static UnixSocket Claim(string name, ControlDirectory directory)
    {
        UnixSocket socket = UnixSocket.Create();
        try
        {
            string path = directory.Socket(name);
            using (directory.Lock())
            {
                // A socket that refuses us belongs to a machine that was killed: nobody is between bind and listen while
                // we hold the lock.
                if (RunningMachines.IsAlive(directory, name, out int pid))
                    throw InUse(name, pid);
                directory.Remove(name);
                int error = socket.Bind(path);
                if (error == 0)
                    error = socket.Listen(MostClients);
                if (error != 0)
                {
                    throw new HostLimitException(
                        $"{OptionName.Name.With(name)}: cannot create its socket in {directory.Path}: {Errno.Explain(-error)}");
                }
            }

            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private static BadInputException InUse(string name, int pid) => new(
        $"{OptionName.Name.With(name)}: a machine of that name is already running{(pid > 0 ? $", process {pid}" : "")}; choose "
        + $"another name, or end it with minivmm ctl {name} stop");

    private void Start()
    {
        try
        {
            _thread.Start();
        }
        catch (Exception e) when (e is ThreadStartException or OutOfMemoryException)
        {
            RemoveSocket();
            throw new HostLimitException("no thread for the control socket: the host has none left");
        }
    }

    /// <summary>Removes our own socket only: someone may have deleted it, and another machine taken the name.</summary>
    private void RemoveSocket()
    {
        try
        {
            using (_directory.Lock())
            {
                if (_directory.Inode(Name) == _inode)
                    _directory.Remove(Name);
            }
        }
        catch (HostLimitException)
        {
            // The file that is left refuses connections; the next start or `minivmm ps` removes it.
        }
    }

    private void Main()
    {
        pollfd* ready = stackalloc pollfd[MostClients + 2];
        while (true)
        {
            ready[0] = new pollfd { fd = _stop.Fd, events = POLLIN };
            ready[1] = new pollfd { fd = _listener.Fd, events = POLLIN };
            for (int i = 0; i < _clients.Count; i++)
                ready[i + 2] = new pollfd { fd = _clients[i].Fd, events = _clients[i].Interest };
            if (poll(ready, (uint)_clients.Count + 2, -1) < 0)
                continue; // EINTR
            if (ready[0].revents != 0)
                return;
            for (int i = _clients.Count - 1; i >= 0; i--)
            {
                if (ready[i + 2].revents != 0)
                    Serve(_clients[i]);
            }

            if (ready[1].revents != 0 && !Accept())
            {
                // Out of descriptors, say. The client keeps waiting, so without a pause this would be a busy loop.
                pollfd stop = ready[0];
                _ = poll(&stop, 1, AcceptAgain);
            }
        }
    }

    private void Serve(ControlConnection client)
    {
        client.LastServed = ++_served;
        if (!client.Serve(_protocol))
            Drop(client);
    }

    /// <returns>False if nobody was there, or there was no descriptor for it.</returns>
    private bool Accept()
    {
        UnixSocket? socket = _listener.Accept();
        if (socket is null)
            return false;

        // The directory already keeps others out; this is in case someone has opened it up since.
        uint uid = socket.Peer.Uid;
        if (!_protocol.Serves(uid))
        {
            socket.Dispose();
            return true;
        }

        if (_clients.Count == MostClients)
            Drop(_clients.MinBy(client => client.LastServed)!);
        _clients.Add(new ControlConnection(socket, uid) { LastServed = ++_served });
        return true;
    }

    private void Drop(ControlConnection client)
    {
        _clients.Remove(client);
        client.Dispose();
    }
}
