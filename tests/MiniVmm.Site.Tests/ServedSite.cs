using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace MiniVmm.Site.Tests;

/// <summary>The site as <c>make site-serve</c> serves it, on a port of its own; as it was at the start.</summary>
internal sealed class ServedSite : IDisposable
{
    private readonly Process _server;

    private ServedSite(Process server, Uri address)
    {
        _server = server;
        Address = address;
    }

    public Uri Address { get; }

    /// <summary>Builds the site; what the generator finds wrong with it is an exception.</summary>
    public static async Task<ServedSite> StartAsync(CancellationToken cancellation)
    {
        int port = FreePort();
        ProcessStartInfo start = new(Path.Combine(Repository.Root, "docs/site/build"), ["--serve", $"{port}", "--watch=false"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        ServedSite site = new(Process.Start(start)!, new Uri($"http://127.0.0.1:{port}/"));
        List<string> said = [];
        Task<string> errors = site._server.StandardError.ReadToEndAsync(CancellationToken.None);
        while (await site._server.StandardOutput.ReadLineAsync(cancellation) is string line)
        {
            said.Add(line);
            if (!line.Contains("Web Server is available", StringComparison.Ordinal))
                continue;
            _ = site._server.StandardOutput.ReadToEndAsync(CancellationToken.None); // so that it never waits for a reader
            return site;
        }

        site.Dispose();
        throw new InvalidOperationException($"docs/site/build: {string.Join('\n', said)}\n{await errors}");
    }

    public void Dispose()
    {
        _server.Kill(entireProcessTree: true);
        _server.Dispose();
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
