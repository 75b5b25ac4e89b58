using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace MiniVmm.Tracing.Files;

/// <summary>
/// A trace as Chrome's trace-event JSON (Trace Event Format, Google): an object with an array "traceEvents", an event a line. A
/// track for each thread; on a vCPU's "guest" is KVM_RUN, and behind it the exit as MiniVmm served it.
/// </summary>
/// <param name="output">The file; closed at the end.</param>
internal sealed class ChromeWriter(Stream output) : ITraceSink
{
    private const int Process = 1;
    private const int Buffered = 1 << 16;

    private readonly ArrayBufferWriter<byte> _buffer = new(Buffered);
    private readonly List<bool> _named = [];
    private readonly ExitRates _rates = new();
    private readonly TraceFlows _flows = new();
    private TraceHeader? _header;
    private Utf8JsonWriter? _writer;

    public void Begin(TraceHeader header)
    {
        ArgumentNullException.ThrowIfNull(header);
        _header = header;
        _writer = new Utf8JsonWriter(_buffer, new JsonWriterOptions
        {
            SkipValidation = true,
            Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // no HTML
        });
        _buffer.Write("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"u8);
        Meta("process_name", 0, "MiniVmm", null);
    }

    public void Write(TraceRecord record)
    {
        ArgumentNullException.ThrowIfNull(record);
        int thread = Thread(record);
        switch (record.Event.Kind)
        {
            case <= TraceEventKind.Kick:
                WriteExit(record, thread);
                break;
            case TraceEventKind.Request:
                WriteSlice(record, thread, "virtio", Nanoseconds(record.Entered), Nanoseconds(record.Served));
                break;
            default:
                // No instant: flows go from slice to slice.
                long at = Nanoseconds(record.Served);
                WriteSlice(record, thread, record.Event.Kind == TraceEventKind.Interrupt ? "irq" : "virtio", at, at);
                break;
        }

        if (_buffer.WrittenCount > Buffered / 2)
            Flush();
    }

    public void Flush()
    {
        output.Write(_buffer.WrittenSpan);
        _buffer.ResetWrittenCount();
    }

    public void End(TraceTotals totals)
    {
        ArgumentNullException.ThrowIfNull(totals);
        foreach ((int vcpu, long at, double rate) in _rates.Rest())
            Counter(vcpu, at, rate);
        Meta("process_labels", 0, _header!.Filter.Text, null, last: true);
        _buffer.Write("],\"otherData\":"u8);
        Utf8JsonWriter json = Restarted();
        json.WriteStartObject();
        json.WriteString("minivmm", "trace");
        json.WriteString("filter", _header.Filter.Text);
        json.WriteString("began", _header.Began.ToString("o", CultureInfo.InvariantCulture));
        json.WriteNumber("vcpus", _header.Vcpus);
        json.WriteNumber("seconds", totals.Length.TotalSeconds);
        json.WriteNumber("events", totals.Taken);
        json.WriteNumber("lost", totals.Lost);
        json.WriteStartArray("lostExits");
        foreach (TraceRing ring in totals.Rings)
        {
            for (int reason = 0; ring.Vcpu is { } vcpu && reason < TraceRing.Reasons; reason++)
            {
                if (ring.LostOf(reason) is > 0 and var count)
                {
                    json.WriteStartObject();
                    json.WriteNumber("vcpu", vcpu);
                    json.WriteString("reason", TraceNames.Reason((uint)reason));
                    json.WriteNumber("count", count);
                    json.WriteEndObject();
                }
            }
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.Flush();
        _buffer.Write("}\n"u8);
        Flush();
    }

    public void Dispose()
    {
        _writer?.Dispose();
        output.Dispose();
    }

    private static long Nanoseconds(double seconds) => (long)Math.Round(seconds * 1e9);

    private int Thread(TraceRecord record)
    {
        int thread = record.Vcpu is { } vcpu ? vcpu + 1 : 10_001 + record.ThreadIndex;
        while (_named.Count <= record.ThreadIndex)
            _named.Add(false);
        if (!_named[record.ThreadIndex])
        {
            _named[record.ThreadIndex] = true;
            Meta("thread_name", thread, record.Thread, null);
            Meta("thread_sort_index", thread, null, thread);
        }

        return thread;
    }

    private void WriteExit(TraceRecord record, int thread)
    {
        long entered = Nanoseconds(record.Entered);
        long exited = Nanoseconds(record.Exited);
        Utf8JsonWriter json = Start("X", "guest", "guest", thread, entered);
        Duration(json, exited - entered);
        Finish(json);
        WriteSlice(record, thread, "exit", exited, Nanoseconds(record.Served));
        if (_rates.Count(record.Vcpu ?? 0, exited) is { } window)
            Counter(record.Vcpu ?? 0, window.At, window.Rate);
    }

    private void WriteSlice(TraceRecord record, int thread, string category, long from, long to)
    {
        Utf8JsonWriter json = Start("X", TraceSlices.Name(record), category, thread, from);
        Duration(json, to - from);
        json.WriteStartObject("args");
        foreach ((string name, string value) in TraceSlices.Details(record))
            json.WriteString(name, value);
        json.WriteEndObject();
        Finish(json);
        if (_flows.Of(record) is { } flow)
            WriteFlow(flow, thread, from);
    }

    private void WriteFlow(TraceFlow flow, int thread, long at)
    {
        Utf8JsonWriter json = Start(flow.IsFirst ? "s" : flow.IsLast ? "f" : "t", "request", "virtio", thread, at);
        json.WriteNumber("id", flow.Id);
        if (flow.IsLast)
            json.WriteString("bp", "e");
        Finish(json);
    }

    private void Counter(int vcpu, long at, double rate)
    {
        Utf8JsonWriter json = Start("C", $"exits/s of vCPU {vcpu}", "exit", vcpu + 1, at);
        json.WriteStartObject("args");
        json.WriteNumber("exits/s", Math.Round(rate));
        json.WriteEndObject();
        Finish(json);
    }

    private void Meta(string name, int thread, string? text, int? number, bool last = false)
    {
        Utf8JsonWriter json = Start("M", name, "__metadata", thread, 0);
        json.WriteStartObject("args");
        if (text is not null)
            json.WriteString(name == "process_labels" ? "labels" : "name", text);
        if (number is { } index)
            json.WriteNumber("sort_index", index);
        json.WriteEndObject();
        Finish(json, last);
    }

    private Utf8JsonWriter Start(string phase, string name, string category, int thread, long at)
    {
        Utf8JsonWriter json = Restarted();
        json.WriteStartObject();
        json.WriteString("ph", phase);
        json.WriteString("name", name);
        json.WriteString("cat", category);
        json.WriteNumber("pid", Process);
        json.WriteNumber("tid", thread);
        json.WriteNumber("ts", at / 1000m);
        return json;
    }

    private static void Duration(Utf8JsonWriter json, long nanoseconds) => json.WriteNumber("dur", Math.Max(nanoseconds, 0) / 1000m);

    private void Finish(Utf8JsonWriter json, bool last = false)
    {
        json.WriteEndObject();
        json.Flush();
        _buffer.Write(last ? "\n"u8 : ",\n"u8);
    }

    private Utf8JsonWriter Restarted()
    {
        _writer!.Reset(_buffer);
        return _writer;
    }
}
