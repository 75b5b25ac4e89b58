using System.Diagnostics;
using System.Net.WebSockets;
using System.Text.Json;

namespace MiniVmm.Site.Tests;

/// <summary>
/// A Chromium without a screen, with one tab, by the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/).
/// One caller at a time.
/// </summary>
internal sealed class Browser : IAsyncDisposable
{
    private readonly DirectoryInfo _profile = Directory.CreateTempSubdirectory("minivmm-browser-");
    private readonly ClientWebSocket _socket = new();
    private readonly byte[] _buffer = new byte[1 << 16];
    private readonly Process _process;
    private string? _tab;
    private int _calls;

    private Browser()
    {
        ProcessStartInfo start = new("chromium", ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
            $"--user-data-dir={_profile.FullName}", "--remote-debugging-port=0", "about:blank"])
        {
            RedirectStandardError = true,
        };
        try
        {
            _process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException("chromium is not there; tests/install-tools chromium installs it", e);
        }
    }

    /// <summary>What the tab reported since it was last cleared: method and parameters.</summary>
    public List<(string Method, JsonElement Parameters)> Events { get; } = [];

    public static async Task<Browser> StartAsync(CancellationToken cancellation)
    {
        Browser browser = new();
        try
        {
            await browser._socket.ConnectAsync(await browser.DevToolsAsync(cancellation), cancellation);
            await browser.OpenTabAsync(cancellation);
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    /// <summary>Loads a page, with all that it asks for.</summary>
    public async Task ShowAsync(Uri address, CancellationToken cancellation)
    {
        Events.Clear();
        await CallAsync("Page.navigate", new { url = address.AbsoluteUri }, cancellation);
        while (!Events.Exists(e => e.Method == "Page.loadEventFired"))
            await ReceiveAsync(cancellation);
    }

    /// <summary>Gives the tab a size, in CSS pixels, as a telephone or a desk's screen has it.</summary>
    public Task ResizeAsync(int width, int height, CancellationToken cancellation) =>
        CallAsync("Emulation.setDeviceMetricsOverride", new { width, height, deviceScaleFactor = 1, mobile = width < 600 }, cancellation);

    /// <summary>The value of a JavaScript expression, awaited if it is a promise.</summary>
    public async Task<JsonElement> EvaluateAsync(string expression, CancellationToken cancellation)
    {
        JsonElement result = await CallAsync("Runtime.evaluate", new { expression, returnByValue = true, awaitPromise = true }, cancellation);
        Assert.False(result.TryGetProperty("exceptionDetails", out JsonElement details), $"{details}");
        return result.GetProperty("result").TryGetProperty("value", out JsonElement value) ? value : default;
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _socket.Dispose();
        _profile.Delete(recursive: true);
    }

    /// <summary>Where the browser says that it listens.</summary>
    private async Task<Uri> DevToolsAsync(CancellationToken cancellation)
    {
        const string announcement = "DevTools listening on ";
        List<string> said = [];
        while (await _process.StandardError.ReadLineAsync(cancellation) is string line)
        {
            said.Add(line);
            if (!line.StartsWith(announcement, StringComparison.Ordinal))
                continue;
            _ = _process.StandardError.ReadToEndAsync(CancellationToken.None); // so that it never waits for a reader
            return new Uri(line[announcement.Length..]);
        }

        throw new InvalidOperationException($"chromium: {string.Join('\n', said)}");
    }

    private async Task OpenTabAsync(CancellationToken cancellation)
    {
        JsonElement target = await CallAsync("Target.createTarget", new { url = "about:blank" }, cancellation);
        string? id = target.GetProperty("targetId").GetString();
        _tab = (await CallAsync("Target.attachToTarget", new { targetId = id, flatten = true }, cancellation)).GetProperty("sessionId").GetString();
        foreach (string domain in (string[])["Page", "Runtime", "Log", "Network"])
            await CallAsync($"{domain}.enable", new { }, cancellation);
    }

    private async Task<JsonElement> CallAsync(string method, object parameters, CancellationToken cancellation)
    {
        int id = ++_calls;
        byte[] call = JsonSerializer.SerializeToUtf8Bytes(_tab is null
            ? new { id, method, @params = parameters }
            : (object)new { id, method, @params = parameters, sessionId = _tab });
        await _socket.SendAsync(call, WebSocketMessageType.Text, endOfMessage: true, cancellation);
        while (true)
        {
            JsonElement message = await ReceiveAsync(cancellation);
            if (!message.TryGetProperty("id", out JsonElement answered) || answered.GetInt32() != id)
                continue;
            Assert.False(message.TryGetProperty("error", out JsonElement error), $"{method}: {error}");
            return message.GetProperty("result");
        }
    }

    private async Task<JsonElement> ReceiveAsync(CancellationToken cancellation)
    {
        using MemoryStream text = new();
        ValueWebSocketReceiveResult part;
        do
        {
            part = await _socket.ReceiveAsync(_buffer.AsMemory(), cancellation);
            text.Write(_buffer, 0, part.Count);
        }
        while (!part.EndOfMessage);
        Assert.True(part.MessageType == WebSocketMessageType.Text, "the browser went away");
        JsonElement message = JsonElement.Parse(text.ToArray());
        if (message.TryGetProperty("method", out JsonElement method))
            Events.Add((method.GetString()!, message.GetProperty("params")));
        return message;
    }
}
