using System.Net;
using System.Net.Sockets;

namespace MiniVmm.Terminal;

/// <summary>Whoever connects to a socket, or the one that it connects to.</summary>
internal sealed class SocketPeer : IConsolePeer
{
    private readonly ConsoleSocket _options;
    private readonly StreamSocket? _listener;
    private StreamSocket? _socket;

    /// <exception cref="BadInputException">The address is none, is in use, or nobody is there.</exception>
    public SocketPeer(ConsoleSocket options, OptionName option)
    {
        _options = options;
        NamedOption subject = option.With(options.ToString());
        StreamAddress address = Address(subject);
        string? problem;
        if (options.Listens)
            _listener = StreamSocket.TryListen(address, out problem);
        else
            _socket = StreamSocket.TryConnect(address, out problem);
        if (problem is not null)
            throw new BadInputException($"{subject}: {(options.Listens ? "cannot listen there" : "cannot be connected to")}: {problem}");
    }

    public string Name => _options.ToString();

    public int Fd => _socket?.Fd ?? -1;

    public int Arrivals => _listener?.Fd ?? -1;

    public void TryConnect() => _socket ??= _listener?.Accept();

    public void Disconnect()
    {
        _socket?.Dispose();
        _socket = null;
    }

    public void Dispose()
    {
        Disconnect();
        _listener?.Dispose();
    }

    private StreamAddress Address(NamedOption subject)
    {
        if (_options.Path is not null)
            return new(null, 0, _options.Path);
        if (_options.Host.Length == 0)
            return new(_options.Listens ? IPAddress.Any : IPAddress.Loopback, _options.Port, null);
        try
        {
            return new(IPAddress.TryParse(_options.Host, out IPAddress? address) ? address : Dns.GetHostAddresses(_options.Host)[0], _options.Port, null);
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            throw new BadInputException($"{subject}: {e.Message}", e);
        }
    }
}
