using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MiniVmm.Guest.Tests;

/// <summary>How a run ended, and what it said.</summary>
/// <param name="Status">The exit status: 128 + signal where a signal ended it.</param>
/// <param name="Output">Standard output, without carriage returns.</param>
/// <param name="Errors">Standard error, the same.</param>
internal sealed record MinivmmResult(string CommandLine, int Status, string Output, string Errors)
{
    public string[] ErrorLines => Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Checks the exit status; a failure shows what was said.</summary>
    public MinivmmResult With(int status)
    {
        Assert.True(Status == status, $"Expected exit status {status}, not {Status}.\n{this}");
        return this;
    }

    /// <summary>The one line that a user is told, behind <c>minivmm: </c>; more, or output, is a failure.</summary>
    public string OnlyLine()
    {
        Assert.True(ErrorLines is [['m', 'i', 'n', 'i', 'v', 'm', 'm', ':', ' ', ..]] && Output.Length == 0,
            $"Expected one line of error, and no output.\n{this}");
        return ErrorLines[0]["minivmm: ".Length..];
    }

    public override string ToString() =>
        $"$ {CommandLine}\n--- standard output:\n{Output}\n--- standard error:\n{Errors}\n--- status {Status}";
}

/// <summary>A running <c>minivmm</c>, or a program that starts one; disposal kills what still runs.</summary>
internal sealed partial class MinivmmProcess : IDisposable
{
    public const int SIGHUP = 1;
    public const int SIGINT = 2;
    public const int SIGKILL = 9;
    public const int SIGTERM = 15;

    private readonly Process _process;
    private readonly string _commandLine;

    private MinivmmProcess(string program, IEnumerable<string> arguments)
    {
        ProcessStartInfo start = new(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        _commandLine = string.Join(' ', [program, .. start.ArgumentList]);
        _process = Process.Start(start)!;
        Output = new Transcript(_process.StandardOutput.BaseStream);
        Errors = new Transcript(_process.StandardError.BaseStream);
    }

    /// <summary>The process' number.</summary>
    public int Id => _process.Id;

    public Transcript Output { get; }

    public Transcript Errors { get; }

    /// <summary>Starts <c>minivmm</c>; its standard input is a pipe.</summary>
    public static MinivmmProcess Start(params IEnumerable<string> arguments) => new(Built.MiniVmm, arguments);

    /// <summary>Starts another program that starts <c>minivmm</c>.</summary>
    public static MinivmmProcess StartProgram(string program, params IEnumerable<string> arguments) =>
        new(program, arguments);

    /// <summary>Runs <c>minivmm</c> to its end, with nothing on its standard input.</summary>
    public static async Task<MinivmmResult> RunAsync(params IEnumerable<string> arguments)
    {
        using MinivmmProcess process = Start(arguments);
        return await process.EndAsync();
    }

    /// <summary>The same by another program.</summary>
    public static async Task<MinivmmResult> RunProgramAsync(string program, params IEnumerable<string> arguments)
    {
        using MinivmmProcess process = StartProgram(program, arguments);
        return await process.EndAsync();
    }

    public void Signal(int signal) => Assert.Equal(0, kill(_process.Id, signal));

    /// <summary>Stops it, and waits until each of its threads stands still: kill(2) returns before that.</summary>
    public async Task SuspendAsync()
    {
        const int SIGSTOP = 19;
        Signal(SIGSTOP);
        while (Directory.EnumerateDirectories($"/proc/{_process.Id}/task").Any(thread => !Stopped(thread)))
            await Task.Delay(1);

        // proc_pid_stat(5): the state follows the name, which may hold parentheses itself.
        static bool Stopped(string thread)
        {
            try
            {
                string stat = File.ReadAllText($"{thread}/stat");
                return stat[stat.LastIndexOf(')') + 2] == 'T';
            }
            catch (IOException)
            {
                return true; // it has ended since it was listed
            }
        }
    }

    public void Resume()
    {
        const int SIGCONT = 18;
        Signal(SIGCONT);
    }

    /// <summary>Puts text into its standard input, which stays open.</summary>
    public async Task TypeAsync(string text)
    {
        await _process.StandardInput.WriteAsync(text);
        await _process.StandardInput.FlushAsync();
    }

    /// <summary>Waits for the end; <paramref name="closeInput"/> first ends its standard input.</summary>
    public async Task<MinivmmResult> EndAsync(bool closeInput = true)
    {
        if (closeInput)
            _process.StandardInput.Close();
        using CancellationTokenSource limit = new(Transcript.Deadline);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
            await Task.WhenAll(Output.End, Errors.End).WaitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"Still running after {Transcript.Deadline.TotalSeconds} s: {_commandLine}\n" +
                $"--- standard output:\n{Output.Text}\n--- standard error:\n{Errors.Text}");
        }

        return new MinivmmResult(_commandLine, _process.ExitCode, Output.Text, Errors.Text);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int kill(int pid, int signal);
}
