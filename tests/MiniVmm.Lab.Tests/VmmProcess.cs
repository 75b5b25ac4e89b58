using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace MiniVmm.Lab.Tests;

/// <summary>A running <c>minivmm</c>: its console is read as it comes, and typed into.</summary>
public sealed partial class VmmProcess : IAsyncDisposable
{
    public const int SIGKILL = 9;
    public const int SIGTERM = 15;

    /// <summary>Far more than any step takes, even when the host is busy with other things.</summary>
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private static int s_started;

    private readonly Process _process;
    private readonly string _name;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _errors = new();
    private readonly Task _outputEnd;
    private readonly Task _errorsEnd;
    private int _seen;

    private VmmProcess(string name, string program, IEnumerable<string> arguments)
    {
        _name = name;
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        _process = Process.Start(start)!;
        _outputEnd = CollectAsync(_process.StandardOutput, _output);
        _errorsEnd = CollectAsync(_process.StandardError, _errors);
    }

    /// <summary>The process' number.</summary>
    public int Id => _process.Id;

    /// <summary>All of standard output so far, without carriage returns.</summary>
    public string Output => Text(_output);

    /// <summary>All of standard error so far.</summary>
    public string Errors => Text(_errors);

    /// <summary>Standard error as lines, the empty ones left out.</summary>
    public string[] ErrorLines => Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Starts <c>minivmm run</c>; <paramref name="name"/> is its transcript's in the lab's output.</summary>
    public static VmmProcess Run(string name, params IEnumerable<string> arguments) =>
        new(name, Lab.MiniVmm, ["run", .. arguments]);

    /// <summary>Starts <c>minivmm qemu</c>, likewise.</summary>
    public static VmmProcess RunAsQemu(string name, params IEnumerable<string> arguments) =>
        new(name, Lab.MiniVmm, ["qemu", .. arguments]);

    /// <summary>
    /// The same on a terminal of its own, which has no size yet, by script(1): both outputs are one, and
    /// <see cref="Id"/> is script's.
    /// </summary>
    public static VmmProcess RunOnTerminal(string name, params IEnumerable<string> arguments) =>
        new(name, "script",
        [
            "-qefc",
            $"tty >{TerminalOf(name)}; exec '{string.Join("' '", [Lab.MiniVmm, "run", .. arguments])}'",
            "/dev/null",
        ]);

    /// <summary>Starts another program, for the same ways of watching it.</summary>
    public static VmmProcess Start(string name, string program, params IEnumerable<string> arguments) =>
        new(name, program, arguments);

    /// <summary>
    /// Waits for <paramref name="text"/> behind what was waited for before, and gives what came up to it.
    /// </summary>
    public async Task<string> WaitForAsync(string text)
    {
        Stopwatch waited = Stopwatch.StartNew();
        while (true)
        {
            // Asked before the look, so that what a process wrote last is not missed.
            bool ended = _outputEnd.IsCompleted;
            string output = Output;
            int found = output.IndexOf(text, _seen, StringComparison.Ordinal);
            if (found >= 0)
            {
                string before = output[_seen..found];
                _seen = found + text.Length;
                return before;
            }

            if (ended || waited.Elapsed > Deadline)
            {
                Assert.Fail($"{(ended ? "The output ended" : $"{Deadline.TotalSeconds} s went by")} " +
                    $"without \"{text}\".\n{Tail()}");
            }

            await Task.Delay(20);
        }
    }

    /// <summary>Types a line at the guest's console.</summary>
    public async Task SendLineAsync(string line)
    {
        await _process.StandardInput.WriteAsync(line + "\n");
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>Changes the size of the terminal that <see cref="RunOnTerminal"/> made.</summary>
    public Task ResizeTerminalAsync(int columns, int rows) =>
        LabHost.ShellAsync($"stty -F $(<{TerminalOf(_name)}) cols {columns} rows {rows}");

    /// <summary>Ends standard input, as a caller without a terminal does.</summary>
    public void CloseInput() => _process.StandardInput.Close();

    public void Signal(int signal) => Assert.Equal(0, kill(_process.Id, signal));

    /// <summary>Waits for the end, and gives the exit status: 128 + signal for one that a signal ended.</summary>
    public async Task<int> WaitForExitAsync()
    {
        using CancellationTokenSource limit = new(Deadline);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
            await Task.WhenAll(_outputEnd, _errorsEnd).WaitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"Still running after {Deadline.TotalSeconds} s.\n{Tail()}");
        }

        return _process.ExitCode;
    }

    /// <summary>Waits for the end, which must be with this status.</summary>
    public async Task AssertExitAsync(int status)
    {
        int actual = await WaitForExitAsync();
        Assert.True(actual == status, $"Expected exit status {status}, not {actual}.\n{Tail()}");
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        string folder = Path.Combine(Lab.Out, "transcripts");
        Directory.CreateDirectory(folder);
        string number = Interlocked.Increment(ref s_started).ToString("00", CultureInfo.InvariantCulture);
        await File.WriteAllTextAsync(
            Path.Combine(folder, $"{number}-{_name}.txt"),
            $"$ {_process.StartInfo.FileName} {string.Join(' ', _process.StartInfo.ArgumentList)}\n{Output}\n" +
            $"--- standard error\n{Errors}\n--- exit status {_process.ExitCode}\n");
        _process.Dispose();
    }

    /// <summary>The file that has the name of its terminal.</summary>
    private static string TerminalOf(string name) => Path.Combine(Path.GetTempPath(), $"terminal-of-{name}");

    private static async Task CollectAsync(StreamReader from, StringBuilder to)
    {
        char[] buffer = new char[4096];
        int count;
        while ((count = await from.ReadAsync(buffer)) > 0)
        {
            lock (to)
            {
                foreach (char c in buffer.AsSpan(0, count))
                {
                    if (c != '\r')
                    {
                        to.Append(c);
                    }
                }
            }
        }
    }

    private static string Text(StringBuilder builder)
    {
        lock (builder)
        {
            return builder.ToString();
        }
    }

    private string Tail()
    {
        string output = Output;
        return $"--- the end of its output:\n{output[Math.Max(0, output.Length - 2000)..]}\n--- its errors:\n{Errors}";
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);
}
