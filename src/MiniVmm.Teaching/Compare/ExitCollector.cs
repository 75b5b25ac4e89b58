using MiniVmm.Kvm;
using MiniVmm.Tracing;

namespace MiniVmm.Teaching.Compare;

/// <summary>Gathers the exits of a machine of MiniVmm's as its trace tells of them.</summary>
internal sealed class ExitCollector : ITraceSink
{
    /// <summary>The exits, whole once <see cref="Done"/> is; of calls it has what <see cref="MonitorTrace.AddCall"/> is told.</summary>
    public MonitorTrace Trace { get; } = new();

    /// <summary>Set after the last event.</summary>
    public ManualResetEventSlim Done { get; } = new();

    /// <summary>When a vCPU was first entered, in <see cref="System.Diagnostics.Stopwatch"/> ticks; the largest number where none was.</summary>
    public long FirstEntry { get; private set; } = long.MaxValue;

    public void Begin(TraceHeader header)
    {
    }

    public void Write(TraceRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        if (!record.IsExit || record.Vcpu is not { } vcpu)
            return;
        ref readonly TraceEvent item = ref record.Event;
        FirstEntry = Math.Min(FirstEntry, item.Entered);
        ComparedExit exit = new()
        {
            Vcpu = vcpu,
            Reason = item.Kind == TraceEventKind.Kick ? KvmExitReason.KVM_EXIT_INTR : (KvmExitReason)item.Reason,
            Ran = Nanoseconds(record.Exited - record.Entered),
            Took = Nanoseconds(record.Served - record.Exited),
        };
        Trace.Add(!record.IsAccess ? exit : exit with
        {
            IsAccess = true,
            IsWrite = item.Kind is TraceEventKind.PortWrite or TraceEventKind.MemoryWrite,
            Address = item.Address,
            Size = item.Size,
            Count = item.Count,
            Value = item.Value,
            Device = record.Device,
        });
    }

    public void Flush()
    {
    }

    public void End(TraceTotals totals)
    {
        ArgumentNullException.ThrowIfNull(totals);
        foreach (TraceRing ring in totals.Rings)
        {
            for (int reason = 0; ring.Vcpu is not null && reason < TraceRing.Reasons; reason++)
                Trace.Dropped += ring.LostOf(reason);
        }

        Done.Set();
    }

    public void Dispose() => Done.Set();

    private static long Nanoseconds(double seconds) => (long)Math.Max(seconds * 1e9, 0);
}
