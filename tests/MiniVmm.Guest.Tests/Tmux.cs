using System.Diagnostics;

namespace MiniVmm.Guest.Tests;

/// <summary>A program in a pane of tmux, 80 by 25: a terminal that other people wrote, and that shows what is drawn.</summary>
internal sealed class Tmux : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static int _count;

    private readonly string _socket = $"minivmm-test-{Environment.ProcessId}-{Interlocked.Increment(ref _count)}";

    private Tmux()
    {
    }

    /// <summary>Starts minivmm, in a shell that says how it ended: tmux itself does not always learn of it.</summary>
    public static async Task<Tmux> StartAsync(params string[] arguments)
    {
        Tmux tmux = new();
        await tmux.RunAsync([
            "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "25", "-s", "guest", "-e", "TERM=xterm-256color", "--",
            "sh", "-c", "\"$@\"; echo \"ended with $?.\"; exec sleep 1000", "sh", Built.MiniVmm, .. arguments,
        ]);
        return tmux;
    }

    /// <summary>What the pane shows now.</summary>
    public Task<string> CaptureAsync() => RunAsync(["capture-pane", "-p", "-t", "guest"]);

    /// <summary>Presses keys, by tmux' names for those that are no letters.</summary>
    public Task SendAsync(params string[] keys) => RunAsync(["send-keys", "-t", "guest", .. keys]);

    /// <summary>Makes the pane another size.</summary>
    public Task ResizeAsync(int columns, int rows) => RunAsync(["resize-window", "-t", "guest", "-x", $"{columns}", "-y", $"{rows}"]);

    /// <summary>Waits until the pane shows a text.</summary>
    public async Task<string> WaitForAsync(string text)
    {
        long start = Stopwatch.GetTimestamp();
        string shown = "";
        while (Stopwatch.GetElapsedTime(start) < Patience)
        {
            shown = await CaptureAsync();
            if (shown.Contains(text, StringComparison.Ordinal))
                return shown;
            await Task.Delay(20);
        }

        Assert.Fail($"the pane never showed \"{text}\":\n{shown}");
        return shown;
    }

    /// <summary>Waits until minivmm has ended.</summary>
    public Task<string> WaitForEndAsync(int status) => WaitForAsync($"ended with {status}.");

    public void Dispose()
    {
        using Process? kill = Process.Start(new ProcessStartInfo("tmux", ["-L", _socket, "kill-server"]) { RedirectStandardError = true });
        kill?.WaitForExit();
    }

    private async Task<string> RunAsync(string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("tmux", ["-L", _socket, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = System.Text.Encoding.UTF8,
            Environment = { ["LC_ALL"] = "C.UTF-8" },
        })!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"tmux {string.Join(' ', arguments)}: {await errors}");
        return output;
    }
}
