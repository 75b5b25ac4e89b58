using System.Net.Sockets;
using System.Text;

namespace MiniVmm.Tests.Control;

/// <summary>A client that sends what it is told to, right or wrong.</summary>
internal sealed class TestClient : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly List<byte> _received = [];

    public TestClient(string path)
    {
        _socket.ReceiveTimeout = 10_000;
        _socket.SendTimeout = 10_000;
        _socket.Connect(new UnixDomainSocketEndPoint(path));
    }

    public string Ask(string line)
    {
        Send(line + "\n");
        return ReadLine();
    }

    public void Send(string text) => Send(Encoding.UTF8.GetBytes(text));

    public void Send(ReadOnlySpan<byte> bytes) => Assert.Equal(bytes.Length, _socket.Send(bytes));

    /// <summary>Sends as much as the other side's buffer takes.</summary>
    public void Flood(string line)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(line + "\n");
        _socket.Blocking = false;
        while (_socket.Send(bytes, SocketFlags.None, out SocketError error) > 0 && error == SocketError.Success)
        {
        }

        _socket.Blocking = true;
    }

    public string ReadLine()
    {
        byte[] buffer = new byte[4096];
        int end;
        while ((end = _received.IndexOf((byte)'\n')) < 0)
        {
            int got = _socket.Receive(buffer);
            Assert.True(got > 0, "The other side has closed.");
            _received.AddRange(buffer.AsSpan(0, got));
        }

        string line = Encoding.UTF8.GetString([.. _received.Take(end)]);
        _received.RemoveRange(0, end + 1);
        return line;
    }

    /// <summary>Whether the other side has closed, and sent nothing before.</summary>
    public bool IsClosed
    {
        get
        {
            try
            {
                return _socket.Receive(new byte[1]) == 0;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
            {
                return true;
            }
        }
    }

    public void Dispose() => _socket.Dispose();
}
