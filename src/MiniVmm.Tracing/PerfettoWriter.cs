using System.Globalization;
using F = MiniVmm.Tracing.Files.PerfettoFields;

namespace MiniVmm.Tracing.Files;

/// <summary>
/// A trace in Perfetto's own format: packets of one sequence, with names that are sent once and then meant by number. Tracks and
/// slices are those of <see cref="ChromeWriter"/>, in some 60 % of the bytes.
/// </summary>
/// <param name="output">The file; closed at the end.</param>
internal sealed class PerfettoWriter(Stream output) : ITraceSink
{
    /// <summary>Name of the event at the end that holds what the trace as such is.</summary>
    public const string EndName = "minivmm trace";

    private const ulong Process = 1; // the process' track, and its number
    private const ulong Sequence = 1;
    private const int Buffered = 1 << 16;

    private readonly ProtoBuffer _file = new();
    private readonly ProtoBuffer _packet = new();
    private readonly ProtoBuffer _event = new();
    private readonly ProtoBuffer _inner = new();
    private readonly ProtoBuffer _interned = new();
    private readonly ProtoBuffer _entry = new();
    private readonly Dictionary<string, ulong> _categories = [];
    private readonly Dictionary<string, ulong> _names = [];
    private readonly Dictionary<string, ulong> _annotations = [];
    private readonly HashSet<ulong> _tracks = [];
    private readonly ExitRates _rates = new();
    private readonly TraceFlows _flows = new();
    private TraceHeader? _header;
    private long _last;

    public void Begin(TraceHeader header)
    {
        _header = header;
        _inner.Clear();
        _inner.Number(F.Process.Pid, Process);
        _inner.Text(F.Process.Name, "MiniVmm");
        _event.Clear();
        _event.Number(F.Track.Uuid, Process);
        _event.Message(F.Track.Process, _inner);
        Packet(F.Packet.TrackDescriptor, null, F.Packet.StateCleared);
    }

    public void Write(TraceRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        ulong track = ThreadTrack(record);
        long served = Nanoseconds(record.Served);
        switch (record.Event.Kind)
        {
            case <= TraceEventKind.Kick:
                long entered = Nanoseconds(record.Entered);
                long exited = Nanoseconds(record.Exited);
                BeginSlice("guest", "guest", track);
                Emit(entered);
                EndSlice(track, exited);
                Slice(record, "exit", track, exited, served);
                if (_rates.Count(record.Vcpu ?? 0, exited) is { } window)
                    CounterValue(record.Vcpu ?? 0, window.At, window.Rate);
                break;
            case TraceEventKind.Request:
                Slice(record, "virtio", track, Nanoseconds(record.Entered), served);
                break;
            default:
                Slice(record, record.Event.Kind == TraceEventKind.Interrupt ? "irq" : "virtio", track, served, served);
                break;
        }

        _last = Math.Max(_last, served);
        if (_file.Length > Buffered)
            Flush();
    }

    public void Flush()
    {
        output.Write(_file.Written);
        _file.Clear();
    }

    public void End(TraceTotals totals)
    {
        ArgumentNullException.ThrowIfNull(totals);
        foreach ((int vcpu, long at, double rate) in _rates.Rest())
            CounterValue(vcpu, at, rate);
        _event.Clear();
        _event.Number(F.Event.Type, F.Event.Instant);
        _event.Number(F.Event.TrackUuid, Process);
        _event.Number(F.Event.NameIid, Intern(_names, F.Interned.EventNames, EndName));
        Annotate("filter", _header!.Filter.Text);
        Annotate("began", _header.Began.ToString("o", CultureInfo.InvariantCulture));
        Annotate("events", totals.Taken.ToString(CultureInfo.InvariantCulture));
        Annotate("lost", totals.Lost.ToString(CultureInfo.InvariantCulture));
        foreach (TraceRing ring in totals.Rings)
        {
            for (int reason = 0; ring.Vcpu is { } vcpu && reason < TraceRing.Reasons; reason++)
            {
                if (ring.LostOf(reason) is > 0 and var count)
                    Annotate($"lost exits, vCPU {vcpu}, {TraceNames.Reason((uint)reason)}", count.ToString(CultureInfo.InvariantCulture));
            }
        }

        Emit(_last);
        Flush();
    }

    public void Dispose() => output.Dispose();

    private static long Nanoseconds(double seconds) => (long)Math.Round(seconds * 1e9);

    private void Slice(TraceRecord record, string category, ulong track, long from, long to)
    {
        BeginSlice(TraceSlices.Name(record), category, track);
        if (_flows.Of(record) is { } flow)
            _event.Fixed(flow.IsLast ? F.Event.TerminatingFlowIds : F.Event.FlowIds, (ulong)flow.Id);
        foreach ((string name, string value) in TraceSlices.Details(record))
            Annotate(name, value);
        Emit(from);
        EndSlice(track, to);
    }

    private void BeginSlice(string name, string category, ulong track)
    {
        _event.Clear();
        _event.Number(F.Event.Type, F.Event.SliceBegin);
        _event.Number(F.Event.TrackUuid, track);
        _event.Number(F.Event.CategoryIids, Intern(_categories, F.Interned.Categories, category));
        _event.Number(F.Event.NameIid, Intern(_names, F.Interned.EventNames, name));
    }

    private void EndSlice(ulong track, long at)
    {
        _event.Clear();
        _event.Number(F.Event.Type, F.Event.SliceEnd);
        _event.Number(F.Event.TrackUuid, track);
        Emit(at);
    }

    private void Annotate(string name, string value)
    {
        _inner.Clear();
        _inner.Number(F.Annotation.NameIid, Intern(_annotations, F.Interned.AnnotationNames, name));
        _inner.Text(F.Annotation.Text, value);
        _event.Message(F.Event.Annotations, _inner);
    }

    private void CounterValue(int vcpu, long at, double rate)
    {
        ulong track = 1_000_000 + (ulong)vcpu;
        if (_tracks.Add(track))
        {
            _inner.Clear();
            _inner.Text(F.Counter.UnitName, "exits/s");
            _event.Clear();
            _event.Number(F.Track.Uuid, track);
            _event.Number(F.Track.ParentUuid, Process);
            _event.Text(F.Track.Name, $"exits/s of vCPU {vcpu}");
            _event.Message(F.Track.Counter, _inner);
            Packet(F.Packet.TrackDescriptor, null, F.Packet.NeedsState);
        }

        _event.Clear();
        _event.Number(F.Event.Type, F.Event.CounterType);
        _event.Number(F.Event.TrackUuid, track);
        _event.Double(F.Event.DoubleCounterValue, rate);
        Emit(at);
    }

    private ulong ThreadTrack(TraceRecord record)
    {
        ulong thread = record.Vcpu is { } vcpu ? (ulong)vcpu + 1 : 10_001 + (ulong)record.ThreadIndex;
        ulong track = thread + Process;
        if (!_tracks.Add(track))
            return track;
        _inner.Clear();
        _inner.Number(F.Thread.Pid, Process);
        _inner.Number(F.Thread.Tid, thread + Process); // the first thread of a process has its number
        _inner.Text(F.Thread.Name, record.Thread);
        _event.Clear();
        _event.Number(F.Track.Uuid, track);
        _event.Number(F.Track.ParentUuid, Process);
        _event.Message(F.Track.Thread, _inner);
        Packet(F.Packet.TrackDescriptor, null, F.Packet.NeedsState);
        return track;
    }

    /// <summary>The number of a name; sends the name along where it is new.</summary>
    private ulong Intern(Dictionary<string, ulong> known, int field, string name)
    {
        if (known.TryGetValue(name, out ulong number))
            return number;
        known[name] = number = (ulong)known.Count + 1;
        _entry.Clear();
        _entry.Number(F.Interned.Iid, number);
        _entry.Text(F.Interned.Name, name);
        _interned.Message(field, _entry);
        return number;
    }

    private void Emit(long at) => Packet(F.Packet.TrackEvent, at, F.Packet.NeedsState);

    private void Packet(int kind, long? at, ulong flags)
    {
        _packet.Clear();
        if (at is { } time)
            _packet.Number(F.Packet.Timestamp, (ulong)Math.Max(time, 0));
        _packet.Number(F.Packet.SequenceId, Sequence);
        if (_interned.Length > 0)
            _packet.Message(F.Packet.InternedData, _interned);
        _interned.Clear();
        _packet.Number(F.Packet.SequenceFlags, flags);
        _packet.Message(kind, _event);
        _file.Message(F.Trace.Packet, _packet);
    }
}
