using System.Net;
using System.Net.Sockets;
using System.Text;

namespace MiniVmm.Lab.Tests;

/// <summary>An HTTP server on the host that answers everything with one file.</summary>
public sealed class HttpFile : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Task _serving;

    public HttpFile(byte[] file)
    {
        _listener.Start();
        _serving = ServeAsync(file);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        await _serving;
        _listener.Dispose();
    }

    private async Task ServeAsync(byte[] file)
    {
        byte[] request = new byte[4096];
        byte[] head = Encoding.ASCII.GetBytes($"HTTP/1.0 200 OK\r\nContent-Length: {file.Length}\r\n\r\n");
        try
        {
            while (true)
            {
                using TcpClient client = await _listener.AcceptTcpClientAsync();
                await using NetworkStream stream = client.GetStream();
                _ = await stream.ReadAsync(request);
                await stream.WriteAsync(head);
                await stream.WriteAsync(file);
            }
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            // Stopped, or the guest hung up: the test tells by what arrived.
        }
    }
}
