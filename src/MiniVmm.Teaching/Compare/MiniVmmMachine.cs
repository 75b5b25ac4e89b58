using System.Globalization;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Terminal;
using MiniVmm.Tracing;
using Stopwatch = System.Diagnostics.Stopwatch;

namespace MiniVmm.Teaching.Compare;

/// <summary>Runs a guest in a machine of MiniVmm's in this process, with its calls and exits recorded.</summary>
internal static class MiniVmmMachine
{
    /// <summary>Bytes of a guest's output that are kept.</summary>
    public const int MostOutput = 1 << 20;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>Runs it to its end.</summary>
    /// <param name="options">The machine.</param>
    /// <param name="timeout">Its longest run.</param>
    /// <param name="status">The exit status that <c>minivmm run</c> has for an end.</param>
    /// <param name="warn">Gets what is not quite as it was asked for.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <exception cref="VmmException">It cannot be built.</exception>
    public static MonitorRun Run(
        MachineOptions options, TimeSpan timeout, Func<StopReason, int> status, Action<OptionMessage> warn, CancellationToken cancellation)
    {
        using CallTimes calls = new();
        using ExitCollector collector = new();
        BoundedText output = new(MostOutput);
        Stopwatch clock = Stopwatch.StartNew();
        using MachinePlan plan = MachinePlan.Create(options with { Console = ConsoleKind.Stream });
        if (plan.Remark is { } remark)
            warn(remark);
        StopReason reason;
        TimeSpan length;
        OptionMessage? report;
        using (VirtualMachine machine = VirtualMachine.Create(plan, warn))
        {
            using FileStream console = new(machine.TakeConsole(), FileAccess.Read, bufferSize: 0);
            Task reading = output.Follow(console);
            machine.StartTrace(TraceFilter.OwnExits, collector);
            reason = machine.RunAsync(timeout, cancellation).GetAwaiter().GetResult();
            length = clock.Elapsed;
            reading.Wait(Patience, CancellationToken.None);
            report = machine.ExplainEnd();
        }

        cancellation.ThrowIfCancellationRequested();
        collector.Done.Wait(Patience, CancellationToken.None);
        calls.CountInto(collector.Trace, collector.FirstEntry);
        return new()
        {
            Monitor = "MiniVmm",
            End = Words(reason, timeout, report),
            Status = reason.Kind == StopKind.Timeout ? null : status(reason),
            TimedOut = reason.Kind == StopKind.Timeout,
            Length = length,
            Output = output.Text,
            Trace = collector.Trace,
        };
    }

    private static string Words(StopReason reason, TimeSpan timeout, OptionMessage? report) => reason.Kind switch
    {
        StopKind.PowerOff => "powered off",
        StopKind.Reset => "reset",
        StopKind.Halted => "halted",
        StopKind.DebugExit => string.Create(CultureInfo.InvariantCulture, $"debug exit of 0x{reason.Value:x}"),
        StopKind.Timeout => string.Create(CultureInfo.InvariantCulture, $"stopped after {timeout.TotalSeconds:0.###} s"),
        _ => report?.ToString().Split('\n')[0] ?? reason.Kind.ToString(),
    };

    /// <summary>The ioctls of this process, with their times until it is known when a vCPU was first entered.</summary>
    private sealed class CallTimes : IDisposable
    {
        /// <summary>Before a vCPU runs there are dozens; what comes behind so many is later.</summary>
        private const int MostTimed = 4096;

        private readonly Lock _lock = new();
        private readonly List<(uint Request, long At)> _timed = [];
        private readonly Dictionary<uint, long> _later = [];

        public CallTimes() => KvmCall.Observer = Record;

        public void Dispose() => KvmCall.Observer = null;

        public void CountInto(MonitorTrace trace, long firstEntry)
        {
            lock (_lock)
            {
                foreach ((uint request, long at) in _timed)
                    trace.AddCall(request, at >= firstEntry);
                foreach ((uint request, long count) in _later)
                {
                    for (long i = 0; i < count; i++)
                        trace.AddCall(request, hasRun: true);
                }
            }
        }

        private void Record(int fd, uint request, nuint argument, int result)
        {
            lock (_lock)
            {
                if (_timed.Count < MostTimed)
                    _timed.Add((request, Stopwatch.GetTimestamp()));
                else
                    _later[request] = _later.GetValueOrDefault(request) + 1;
            }
        }
    }
}
