using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using MiniVmm.Host;
using MiniVmm.Kvm;

namespace MiniVmm.Teaching.Compare;

/// <summary>Runs a guest under QEMU, which is gone when this comes back, whichever way.</summary>
internal static class QemuRun
{
    /// <summary>What is installed on Debian for it.</summary>
    public const string Package = "qemu-system-x86";

    /// <summary>A trace of about a million exits; QEMU is stopped when it has written more.</summary>
    private const long MostLog = 256L << 20;

    private const int MostErrors = 64 * 1024;
    private const int SIGTERM = 15;

    /// <summary>How often it is looked at.</summary>
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(20);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Finds a program as a shell does.</summary>
    /// <exception cref="HostLimitException">There is none.</exception>
    public static string Find(string program)
    {
        if (program.Contains('/', StringComparison.Ordinal) ? File.Exists(program) : OnPath(program) is not null)
            return program.Contains('/', StringComparison.Ordinal) ? program : OnPath(program)!;
        throw new HostLimitException($"--qemu {program}: not found; install QEMU (Debian's package {Package}), or name another program");
    }

    /// <summary>Runs it to its end.</summary>
    /// <param name="machine">What it is to run.</param>
    /// <param name="timeout">Its longest run.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>The run, and its trace as it was read.</returns>
    /// <exception cref="HostLimitException">It cannot be started, or has no KVM, or no trace.</exception>
    /// <exception cref="BadInputException">It does not start the kernel.</exception>
    /// <exception cref="OperationCanceledException">It was ended.</exception>
    public static (MonitorRun Run, QemuTraceReader Trace) Run(QemuMachine machine, TimeSpan timeout, CancellationToken cancellation)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("minivmm-qemu-"); // nobody else's: mode 0700
        try
        {
            string log = Path.Combine(folder.FullName, "trace");
            BoundedText output = new(MiniVmmMachine.MostOutput);
            BoundedText errors = new(MostErrors);
            Stopwatch clock = Stopwatch.StartNew();
            (int? status, string end) = Run(machine, log, timeout, output, errors, cancellation);
            TimeSpan length = clock.Elapsed;
            QemuTraceReader trace = ReadTrace(log);
            Check(machine, trace, status, errors.Text);
            return (new()
            {
                Monitor = $"QEMU -M {machine.Type}",
                End = status == 0 && trace.Trace.Exits is [.., { Reason: KvmExitReason.KVM_EXIT_SHUTDOWN }] ? "reset by a triple fault" : end,
                Status = status,
                TimedOut = status is null,
                Length = length,
                Output = output.Text,
                Trace = trace.Trace,
            }, trace);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static (int? Status, string End) Run(
        QemuMachine machine, string log, TimeSpan timeout, BoundedText output, BoundedText errors, CancellationToken cancellation)
    {
        using Process process = Start(machine, log);
        try
        {
            Task[] readers = [output.Follow(process.StandardOutput.BaseStream), errors.Follow(process.StandardError.BaseStream)];
            process.StandardInput.Close();
            Stopwatch clock = Stopwatch.StartNew();
            while (!process.WaitForExit(Glance))
            {
                cancellation.ThrowIfCancellationRequested();
                if (clock.Elapsed > timeout)
                    return (null, string.Create(CultureInfo.InvariantCulture, $"stopped after {timeout.TotalSeconds:0.###} s"));
                if (errors.Text.Contains("KVM internal error", StringComparison.Ordinal))
                    return (null, "stopped: KVM internal error, at which it halts");
                if (File.Exists(log) && new FileInfo(log).Length > MostLog)
                    return (null, string.Create(CultureInfo.InvariantCulture, $"stopped: its trace is larger than {MostLog >> 20} MiB"));
            }

            Task.WaitAll(readers, Patience);
            return (process.ExitCode, process.ExitCode == 0 ? "powered off, or reset" : "ended by itself");
        }
        finally
        {
            End(process);
        }
    }

    private static Process Start(QemuMachine machine, string log)
    {
        // The kernel ends it with this thread where nothing else can: this process may be killed.
        string? setpriv = OnPath("setpriv");
        string program = Find(machine.Program);
        string[] words = [.. setpriv is null ? (string[])[] : ["--pdeathsig", "KILL", program], .. machine.Words(log)];
        ProcessStartInfo start = new(setpriv ?? program, words)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new HostLimitException($"--qemu {machine.Program}: cannot be started: {Errno.Explain(e.NativeErrorCode)}", e);
        }
    }

    private static void End(Process process)
    {
        if (process.HasExited)
            return;
        using (ProcessHandle? handle = ProcessHandle.TryOpen(process.Id))
            handle?.TrySignal(SIGTERM);
        if (process.WaitForExit(Patience))
            return;
        process.Kill();
        process.WaitForExit();
    }

    private static QemuTraceReader ReadTrace(string log)
    {
        if (!File.Exists(log))
            return QemuTraceReader.Read(TextReader.Null);
        using StreamReader text = new(log, Encoding.Latin1);
        return QemuTraceReader.Read(text);
    }

    private static void Check(QemuMachine machine, QemuTraceReader trace, int? status, string errors)
    {
        string said = Array.FindLast(
            errors.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries),
            line => !line.Contains("warning:", StringComparison.Ordinal)) ?? $"it ended with status {status}";
        if (char.IsAsciiDigit(said[0]))
            said = said[(said.IndexOf(' ', StringComparison.Ordinal) + 1)..]; // the time of -msg timestamp=on
        if (trace.Trace.Exits.Count > 0)
            return;
        if (status is null or 0 && trace.Lines == 0)
            throw new HostLimitException($"--qemu {machine.Program}: it wrote no trace: it was built without the log backend of its events");
        if (trace.Trace.Calls.ContainsKey("KVM_CREATE_VM"))
            throw new BadInputException($"{machine.Kernel}: QEMU does not start it: {said}");
        throw new HostLimitException($"--qemu {machine.Program}: {said}");
    }

    private static string? OnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
        .Select(folder => Path.Combine(folder.Length == 0 ? "." : folder, program)).FirstOrDefault(File.Exists);
}
