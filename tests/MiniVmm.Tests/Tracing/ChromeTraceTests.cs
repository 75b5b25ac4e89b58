using System.Text;
using System.Text.Json;
using MiniVmm.Control;
using MiniVmm.Tests.Cli;
using MiniVmm.Tracing;
using MiniVmm.Tracing.Files;

namespace MiniVmm.Tests.Tracing;

/// <summary>The file for Chrome and Perfetto: its format, and what can be read back.</summary>
public sealed class ChromeTraceTests
{
    [Fact]
    public void The_file_is_trace_event_JSON_with_what_each_phase_needs()
    {
        using JsonDocument file = JsonDocument.Parse(Written());

        Assert.Equal("ns", file.RootElement.GetProperty("displayTimeUnit").GetString());
        JsonElement[] events = [.. file.RootElement.GetProperty("traceEvents").EnumerateArray()];
        Assert.All(events, item =>
        {
            Assert.Contains(item.GetProperty("ph").GetString(), (string?[])["X", "M", "C", "s", "t", "f"]);
            Assert.Equal(JsonValueKind.String, item.GetProperty("name").ValueKind);
            Assert.Equal(1, item.GetProperty("pid").GetInt32());
            _ = item.GetProperty("tid").GetInt32();
            Assert.True(item.GetProperty("ts").GetDecimal() >= 0);
            if (item.GetProperty("ph").GetString() == "X")
                Assert.True(item.GetProperty("dur").GetDecimal() >= 0);
            if (item.GetProperty("ph").GetString() is "s" or "t" or "f")
                _ = item.GetProperty("id").GetInt32();
        });
        Assert.Equal(
            ["MiniVmm", "vCPU 0", "virtio disk0"],
            events.Where(item => item.GetProperty("name").GetString() is "process_name" or "thread_name")
                .Select(item => item.GetProperty("args").GetProperty("name").GetString()));
    }

    [Fact]
    public void Slices_of_a_track_lie_one_behind_the_other()
    {
        using JsonDocument file = JsonDocument.Parse(Written());
        foreach (IGrouping<int, JsonElement> track in file.RootElement.GetProperty("traceEvents").EnumerateArray()
            .Where(item => item.GetProperty("ph").GetString() == "X").GroupBy(item => item.GetProperty("tid").GetInt32()))
        {
            decimal end = 0;
            foreach (JsonElement slice in track.OrderBy(item => item.GetProperty("ts").GetDecimal()))
            {
                Assert.True(slice.GetProperty("ts").GetDecimal() >= end, $"{slice} begins before {end}");
                end = slice.GetProperty("ts").GetDecimal() + slice.GetProperty("dur").GetDecimal();
            }
        }
    }

    [Fact]
    public void A_flow_leads_from_the_doorbell_over_the_request_to_the_interrupt()
    {
        using JsonDocument file = JsonDocument.Parse(Written());

        JsonElement[] flow = [.. file.RootElement.GetProperty("traceEvents").EnumerateArray()
            .Where(item => item.GetProperty("ph").GetString() is "s" or "t" or "f")];

        Assert.Equal(["s", "t", "f"], flow.Select(item => item.GetProperty("ph").GetString()));
        Assert.Single(flow.Select(item => item.GetProperty("id").GetInt32()).Distinct());
    }

    [Fact]
    public void What_was_written_can_be_read_again()
    {
        TraceContents trace = Read(Written());

        Assert.Equal("all", trace.Filter);
        Assert.True(trace.IsWhole);
        Assert.Equal(5, trace.Items.Count);
        TracedItem first = trace.Items[0];
        Assert.Equal((TraceEventKind.PortWrite, 0, "KVM_EXIT_IO", 0x3f8UL), (first.Kind, first.Vcpu, first.Reason, first.Address));
        Assert.Equal(("COM1", "transmit 'H'", 0x10_0010UL), (first.Device, first.Words, first.Rip));
        Assert.Equal((2000L, 1000L), (first.Ran, first.Took));
        Assert.Equal([0], trace.Vcpus);
    }

    [Fact]
    public void A_file_that_was_cut_off_is_read_up_to_there()
    {
        string whole = Written();

        for (int length = whole.Length - 3; length > 60; length -= 7)
        {
            TraceContents trace = Read(whole[..length]);
            Assert.False(trace.IsWhole);
            Assert.InRange(trace.Items.Count, 0, 5);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("{\"traceEvents\":[]}")]
    public void Another_file_is_refused(string text) => Assert.Contains(
        "some.json: is no trace that minivmm wrote", Assert.Throws<BadInputException>(() => Read(text)).OnCommandLine());

    [Fact]
    public void A_line_that_is_none_is_named() => Assert.Contains(
        "some.json: line 3: is no event",
        Assert.Throws<BadInputException>(() => Read(Written().Replace("\"tid\":1,", "", StringComparison.Ordinal))).OnCommandLine(),
        StringComparison.Ordinal);

    [Fact]
    public void The_summary_counts_by_reason_with_what_was_lost()
    {
        TraceContents trace = Read(Written(lose: true));

        IReadOnlyDictionary<string, long[]> counts = TraceSummary.Counts(trace);

        Assert.Equal([3L], counts["KVM_EXIT_IO"]);
        Assert.Contains(TraceSummary.Remarks(trace), remark => remark.Contains("1 events did not fit", StringComparison.Ordinal));
        AnswerTable ports = TraceSummary.Of(trace).Single(table => table.Columns[0].Title == "by port or address");
        Assert.Equal(["port 0x3f8", "1", "1.0", "1.0", "1.0", "1.0", "0.001"], ports.Rows[0]);
    }

    [Fact]
    public void Percentiles_are_of_the_nearest_rank()
    {
        List<TracedItem> items = [.. Enumerable.Range(1, 200).Select(i => new TracedItem { Kind = TraceEventKind.PortRead, Thread = "", Took = i })];

        TimedGroup group = Assert.Single(TimedGroup.By(items, _ => "all"));

        Assert.Equal((100L, 180L, 198L, 200L, 20_100L), (group.Percentile(50), group.Percentile(90), group.Percentile(99), group.Percentile(100), group.Sum));
    }

    internal static TraceContents Read(string text) =>
        ChromeReader.Read(new MemoryStream(Encoding.UTF8.GetBytes(text)), "some.json");

    /// <summary>A small trace of everything.</summary>
    private static string Written(bool lose = false)
    {
        MemoryStream file = new();
        Write(new ChromeWriter(file), lose);
        return Encoding.UTF8.GetString(file.ToArray());
    }

    internal static void Write(ITraceSink sink, bool lose = false)
    {
        TraceRing vcpu = new(null, "vCPU 0", 0, lose ? 2 : 64);
        TraceRing disk = new(null, "virtio disk0", null, 64);
        vcpu.TryWrite(Made.Port(0x3f8, (byte)'H', at: 5000));
        vcpu.TryWrite(Made.Port(0x60, 1, at: 9000, write: false));
        if (lose)
            vcpu.TryWrite(Made.Port(0x61, 1, at: 9999, write: false));
        disk.TryWrite(new() { Kind = TraceEventKind.Doorbell, Entered = 6000, Exited = 6000, Served = 6000 });
        disk.TryWrite(new() { Kind = TraceEventKind.Request, Address = 2048, Value = 4096, Entered = 6100, Exited = 8000, Served = 8000 });
        disk.TryWrite(new() { Kind = TraceEventKind.Interrupt, Count = 5, Detail = 2, Entered = 8100, Exited = 8100, Served = 8100 });
        sink.Begin(new TraceHeader(TraceFilter.Everything, 1, DateTimeOffset.UnixEpoch));
        TraceReader reader = new(TraceFilter.Everything, new FakeNames(), sink, start: 0);
        reader.Drain([vcpu, disk], everything: true);
        sink.End(new TraceTotals(reader.Taken, vcpu.Lost, [vcpu, disk], TimeSpan.FromMilliseconds(1)));
        sink.Dispose();
    }
}
