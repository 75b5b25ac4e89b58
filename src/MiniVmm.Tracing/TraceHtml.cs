using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using MiniVmm.Control;

namespace MiniVmm.Tracing.Files;

/// <summary>
/// A trace as one page that needs nothing else: a timeline to zoom into, and the tables of the summary. A long trace is drawn in blocks
/// of several events, so that the page stays of a size that a browser likes.
/// </summary>
internal static class TraceHtml
{
    /// <summary>Blocks of the timeline, at most, of all tracks.</summary>
    public const int MostBlocks = 50_000;

    /// <summary>Different texts about events, at most; further ones are left out.</summary>
    private const int MostTexts = 20_000;

    private const string Template = "trace.html";

    /// <summary>The page.</summary>
    public static string Of(TraceContents trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        using StreamReader template = new(typeof(TraceHtml).Assembly.GetManifestResourceStream(Template)!);
        int perBlock = Math.Max(1, (trace.Items.Count + MostBlocks - 1) / MostBlocks);
        StringBuilder remarks = new();
        foreach (string remark in TraceSummary.Remarks(trace))
            remarks.Append("<p>").Append(Text(remark)).Append("</p>\n");
        if (perBlock > 1)
        {
            remarks.Append(CultureInfo.InvariantCulture, $"<p>The trace has {trace.Items.Count} events: each block of the timeline is up to {perBlock} ")
                .Append("of a track, with the name of the first. The tables are of all events.</p>\n");
        }

        StringBuilder tables = new();
        foreach (AnswerTable table in TraceSummary.Of(trace))
            Append(tables, table);
        return template.ReadToEnd()
            .Replace("{{title}}", Text($"Trace {Path.GetFileName(trace.Path)}"), StringComparison.Ordinal)
            .Replace("{{remarks}}", remarks.ToString(), StringComparison.Ordinal)
            .Replace("{{tables}}", tables.ToString(), StringComparison.Ordinal)
            .Replace("{{data}}", Data(trace, perBlock), StringComparison.Ordinal);
    }

    private static void Append(StringBuilder page, AnswerTable table)
    {
        page.Append("<h2>").Append(Text(table.Columns[0].Title)).Append("</h2>\n<table>\n<tr>");
        foreach (AnswerColumn column in table.Columns)
            page.Append(column.IsNumber ? "<th class=\"n\">" : "<th>").Append(Text(column.Title)).Append("</th>");
        page.Append("</tr>\n");
        foreach (IReadOnlyList<string> row in table.Rows)
        {
            page.Append("<tr>");
            for (int i = 0; i < row.Count; i++)
                page.Append(table.Columns[i].IsNumber ? "<td class=\"n\">" : "<td>").Append(Text(row[i])).Append("</td>");
            page.Append("</tr>\n");
        }

        page.Append("</table>\n");
    }

    private static string Text(string text) => WebUtility.HtmlEncode(text);

    /// <summary>The timeline's data: of each block its track, start, length, time in KVM_RUN, name, text and events, as one flat list.</summary>
    private static string Data(TraceContents trace, int perBlock)
    {
        Numbering tracks = new(int.MaxValue), names = new(int.MaxValue), texts = new(MostTexts);
        _ = texts.Of(""); // what is left out has this one
        List<Block> blocks = [];
        Dictionary<int, Block> open = [];
        foreach (TracedItem item in trace.Items)
        {
            int track = tracks.Of(item.Thread);
            if (open.TryGetValue(track, out Block? block) && block.Events < perBlock)
            {
                block.Add(item);
                continue;
            }

            block = new Block(track, item, names.Of(Name(item)), texts.Of(Describe(item)));
            open[track] = block;
            blocks.Add(block);
        }

        ArrayBufferWriter<byte> buffer = new();

        // The default encoder: no < of a device's name can end the script.
        using (Utf8JsonWriter json = new(buffer))
        {
            json.WriteStartObject();
            Write(json, "tracks", tracks);
            Write(json, "names", names);
            Write(json, "details", texts);
            json.WriteStartArray("slices");
            foreach (Block block in blocks)
                block.Write(json);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void Write(Utf8JsonWriter json, string name, Numbering list)
    {
        json.WriteStartArray(name);
        foreach (string text in list.Texts)
            json.WriteStringValue(text);
        json.WriteEndArray();
    }

    private static string Name(TracedItem item) => item.Device is { } device ? $"{device}: {TraceSlices.KindName(item.Kind)}"
        : item.IsAccess ? $"{TraceSlices.KindName(item.Kind)}, nobody's"
        : item.IsExit ? item.Reason : TraceSlices.KindName(item.Kind);

    private static string Describe(TracedItem item)
    {
        StringBuilder text = new();
        if (item.IsAccess)
            text.Append(CultureInfo.InvariantCulture, $"{(item.Kind <= TraceEventKind.PortWrite ? "port" : "memory")} 0x{item.Address:x}: ");
        text.Append(item.Words);
        if (item.Rip is { } rip)
            text.Append(CultureInfo.InvariantCulture, $"\n0x{rip:x} {item.Symbol}  {item.Instruction}");
        return text.ToString();
    }

    /// <summary>Texts, each once, by numbers.</summary>
    private sealed class Numbering(int most)
    {
        private readonly Dictionary<string, int> _numbers = [];

        public List<string> Texts { get; } = [];

        public int Of(string text)
        {
            if (_numbers.TryGetValue(text, out int number))
                return number;
            if (Texts.Count >= most)
                return 0;
            Texts.Add(text);
            return _numbers[text] = Texts.Count - 1;
        }
    }

    /// <summary>Some events of a track, one behind the other.</summary>
    private sealed class Block(int track, TracedItem first, int name, int text)
    {
        private long _end = first.At + first.Took;

        public int Events { get; private set; } = 1;

        public void Add(TracedItem item)
        {
            Events++;
            _end = Math.Max(_end, item.At + item.Took);
        }

        public void Write(Utf8JsonWriter json)
        {
            json.WriteNumberValue(track);
            json.WriteNumberValue(first.At);
            json.WriteNumberValue(_end - first.At);
            json.WriteNumberValue(first.Ran);
            json.WriteNumberValue(name);
            json.WriteNumberValue(text);
            json.WriteNumberValue(Events);
        }
    }
}
