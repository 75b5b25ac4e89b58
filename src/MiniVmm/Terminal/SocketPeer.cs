using System.Net;
using System.Net.Sockets;

namespace MiniVmm.Terminal;

/// <summary>Whoever connects to a socket, or the one that it connects to.</summary>
internal sealed class SocketPeer : IConsolePeer
{
    private readonly ConsoleSocket _options;
    private readonly Socket? _listener;
    private Socket? _socket;

    /// <exception cref="BadInputException">The address is none, is in use, or nobody is there.</exception>
    public SocketPeer(ConsoleSocket options, OptionName option)
    {
        _options = options;
        Socket? socket = null;
        try
        {
            EndPoint address = Address();
            socket = new(address.AddressFamily, SocketType.Stream, options.Path is null ? ProtocolType.Tcp : ProtocolType.Unspecified);
            if (options.Listens)
            {
                Bind(socket, address);
                socket.Listen(1);
                _listener = socket;
            }
            else
            {
                socket.Connect(address);
                _socket = socket;
            }

            socket.Blocking = false;
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            socket?.Dispose();
            throw new BadInputException($"{option.With(options.ToString())}: {e.Message}", e);
        }
    }

    public string Name => _options.ToString();

    public int Fd => _socket is { } socket ? (int)socket.Handle : -1;

    public int Arrivals => _listener is { } listener ? (int)listener.Handle : -1;

    public void TryConnect()
    {
        try
        {
            _socket ??= _listener?.Accept();
            if (_socket is not null)
                _socket.Blocking = false;
        }
        catch (SocketException)
        {
            // He has gone again, or the process has no file left: another one may come.
        }
    }

    public void Disconnect()
    {
        _socket?.Dispose();
        _socket = null;
    }

    public void Dispose()
    {
        Disconnect();
        if (_listener is null)
            return;
        _listener.Dispose();
        if (_options.Path is { } path)
            File.Delete(path);
    }

    private EndPoint Address()
    {
        if (_options.Path is { } path)
            return new UnixDomainSocketEndPoint(path);
        if (_options.Host.Length == 0)
            return new IPEndPoint(_options.Listens ? IPAddress.Any : IPAddress.Loopback, _options.Port);
        return new IPEndPoint(Dns.GetHostAddresses(_options.Host)[0], _options.Port);
    }

    /// <summary>A socket's file outlives a process that was killed: one that nobody listens to is taken away.</summary>
    private static void Bind(Socket socket, EndPoint address)
    {
        if (address is UnixDomainSocketEndPoint unix && File.Exists(unix.ToString()))
        {
            using Socket probe = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                probe.Connect(address);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused)
            {
                File.Delete(unix.ToString());
            }
        }

        if (address is IPEndPoint)
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        socket.Bind(address);
    }
}
