using System.Text;
using MiniVmm.Control;
using MiniVmm.Tests.Cli;
using MiniVmm.Tracing;
using MiniVmm.Tracing.Files;

namespace MiniVmm.Tests.Tracing;

/// <summary>
/// Perfetto's own format, read here by its field numbers as its .proto files have them, and not by the names that the writer uses.
/// </summary>
public sealed class PerfettoTraceTests
{
    [Fact]
    public void Each_packet_has_the_sequence_and_the_first_clears_its_state()
    {
        List<Field> packets = Parse(Written());

        Assert.All(packets, packet => Assert.Equal(1, packet.Number)); // Trace.packet
        Assert.All(packets, packet => Assert.Equal(1UL, One(packet, 10).Value)); // trusted_packet_sequence_id
        Assert.Equal(1UL, One(packets[0], 13).Value); // sequence_flags: SEQ_INCREMENTAL_STATE_CLEARED
        Assert.All(packets.Skip(1), packet => Assert.Equal(2UL, One(packet, 13).Value)); // SEQ_NEEDS_INCREMENTAL_STATE
    }

    [Fact]
    public void Tracks_are_a_process_its_threads_and_counters()
    {
        Field[] tracks = [.. Parse(Written()).SelectMany(packet => All(packet, 60))]; // track_descriptor

        Assert.Equal("MiniVmm", One(One(tracks[0], 3), 6).Text); // process.process_name
        Assert.Equal(
            ["vCPU 0", "virtio disk0"],
            tracks.SelectMany(track => All(track, 4)).Select(thread => One(thread, 5).Text)); // thread.thread_name
        Assert.All(tracks.Skip(1), track => Assert.Equal(One(tracks[0], 1).Value, One(track, 5).Value)); // parent_uuid is the process' uuid
        Assert.Equal(["exits/s of vCPU 0"], tracks.Where(track => All(track, 8).Any()).Select(track => One(track, 2).Text)); // counter
        Assert.Distinct(tracks.Select(track => One(track, 1).Value));
    }

    [Fact]
    public void Slices_begin_and_end_by_turns_on_each_track_with_names_that_were_sent_before()
    {
        Dictionary<ulong, string> names = [];
        Dictionary<ulong, Stack<ulong>> open = [];
        List<string> slices = [];
        foreach (Field packet in Parse(Written()))
        {
            foreach (Field name in All(packet, 12).SelectMany(interned => All(interned, 2))) // interned_data.event_names
                names.Add(One(name, 1).Value, One(name, 2).Text);
            foreach (Field item in All(packet, 11)) // track_event
            {
                ulong track = One(item, 11).Value; // track_uuid
                ulong at = One(packet, 8).Value; // timestamp
                Stack<ulong> begun = open.TryGetValue(track, out Stack<ulong>? found) ? found : open[track] = [];
                switch (One(item, 9).Value) // type
                {
                    case 1: // TYPE_SLICE_BEGIN
                        Assert.Empty(begun);
                        begun.Push(at);
                        slices.Add(names[One(item, 10).Value]); // name_iid
                        break;
                    case 2: // TYPE_SLICE_END
                        Assert.True(begun.Pop() <= at);
                        break;
                    case 3: // TYPE_INSTANT
                        Assert.Equal("minivmm trace", names[One(item, 10).Value]);
                        break;
                    default: // TYPE_COUNTER
                        Assert.Equal(4UL, One(item, 9).Value);
                        Assert.True(BitConverter.UInt64BitsToDouble(One(item, 44).Value) > 0); // double_counter_value
                        break;
                }
            }
        }

        Assert.All(open.Values, Assert.Empty);
        Assert.Equal(
            ["guest", "COM1 write", "disk0 doorbell", "disk0 request", "disk0 interrupt", "guest", "port read"], slices);
    }

    [Fact]
    public void A_flow_goes_through_three_slices_and_ends_at_the_interrupt()
    {
        Field[] events = [.. Parse(Written()).SelectMany(packet => All(packet, 11))];

        ulong[] through = [.. events.SelectMany(item => All(item, 47)).Select(field => field.Value)]; // flow_ids
        ulong[] ends = [.. events.SelectMany(item => All(item, 48)).Select(field => field.Value)]; // terminating_flow_ids

        Assert.Equal([1UL, 1UL], through);
        Assert.Equal([1UL], ends);
    }

    [Fact]
    public void It_reads_as_the_same_events_that_the_JSON_has()
    {
        MemoryStream chrome = new();
        ChromeTraceTests.Write(new ChromeWriter(chrome), lose: true);
        TraceContents json = ChromeTraceTests.Read(Encoding.UTF8.GetString(chrome.ToArray()));

        TraceContents own = PerfettoReader.Read(Written(lose: true), "some.pftrace");

        Assert.Equivalent(json.Items, own.Items, strict: true);
        Assert.Equivalent(json.Lost, own.Lost, strict: true);
        Assert.Equal((json.Filter, json.LostEvents, json.IsWhole), (own.Filter, own.LostEvents, own.IsWhole));
    }

    [Fact]
    public void A_file_that_was_cut_off_or_spoilt_never_ends_in_anything_but_words()
    {
        byte[] whole = Written();
        for (int length = whole.Length - 1; length >= 0; length--)
            ReadOrRefuse(whole[..length]);
        for (int at = 0; at < whole.Length; at++)
        {
            byte[] spoilt = [.. whole];
            spoilt[at] ^= (byte)(1 << at % 8);
            ReadOrRefuse(spoilt);
        }
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 0x7f, (byte)'E', (byte)'L', (byte)'F' })]
    public void Another_file_is_refused(byte[] file) => Assert.Contains(
        "some.pftrace: ", Assert.Throws<BadInputException>(() => PerfettoReader.Read(file, "some.pftrace")).OnCommandLine(), StringComparison.Ordinal);

    [Theory]
    [InlineData("a.pftrace", true)]
    [InlineData("a.perfetto-trace", true)]
    [InlineData("a.json", false)]
    [InlineData("pftrace", false)]
    public void The_names_ending_says_which_format(string name, bool perfetto) => Assert.Equal(perfetto, TraceFile.IsPerfetto(name));

    [Fact]
    public void Two_traces_are_compared_by_what_happens_in_them()
    {
        TraceContents before = PerfettoReader.Read(Written(), "before");
        TraceContents after = PerfettoReader.Read(Written(), "after");
        Assert.Empty(TraceDiff.Of(before, after));

        after.Items.RemoveAll(item => item.Kind == TraceEventKind.PortRead);
        AnswerTable reasons = TraceDiff.Of(before, after)[0];

        Assert.Equal("by reason", reasons.Columns[0].Title);
        Assert.Equal(["KVM_EXIT_IO", "2", "1", "-1"], Assert.Single(reasons.Rows).Take(4));
    }

    private static void ReadOrRefuse(byte[] file)
    {
        try
        {
            _ = PerfettoReader.Read(file, "some.pftrace");
        }
        catch (BadInputException)
        {
            // In words.
        }
    }

    private static byte[] Written(bool lose = false)
    {
        MemoryStream file = new();
        ChromeTraceTests.Write(new PerfettoWriter(file), lose);
        return file.ToArray();
    }

    // A decoder of its own: protobuf.dev, "Encoding".
    private static List<Field> Parse(ReadOnlySpan<byte> bytes)
    {
        List<Field> fields = [];
        int at = 0;
        while (at < bytes.Length)
        {
            ulong tag = Varint(bytes, ref at);
            switch (tag & 7)
            {
                case 0:
                    fields.Add(new((int)(tag >> 3), Varint(bytes, ref at), []));
                    break;
                case 1:
                    fields.Add(new((int)(tag >> 3), BitConverter.ToUInt64(bytes[at..(at + 8)]), []));
                    at += 8;
                    break;
                default:
                    Assert.Equal(2UL, tag & 7);
                    int length = (int)Varint(bytes, ref at);
                    fields.Add(new((int)(tag >> 3), 0, bytes[at..(at + length)].ToArray()));
                    at += length;
                    break;
            }
        }

        return fields;
    }

    private static ulong Varint(ReadOnlySpan<byte> bytes, ref int at)
    {
        ulong value = 0;
        int shift = 0;
        while (true)
        {
            byte next = bytes[at++];
            value |= (ulong)(next & 0x7f) << shift;
            shift += 7;
            if (next < 0x80)
                return value;
        }
    }

    private static IEnumerable<Field> All(Field message, int number) => Parse(message.Bytes).Where(field => field.Number == number);

    private static Field One(Field message, int number) => Assert.Single(All(message, number));

    private sealed record Field(int Number, ulong Value, byte[] Bytes)
    {
        public string Text => Encoding.UTF8.GetString(Bytes);
    }
}
