using System.Globalization;
using System.Text.Json;

namespace MiniVmm.Tracing.Files;

/// <summary>Reads what <see cref="ChromeWriter"/> wrote, also where a machine that was killed left it without an end.</summary>
internal static class ChromeReader
{
    private const string Start = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
    private const string End = "],\"otherData\":";

    /// <summary>Reads a file.</summary>
    /// <exception cref="BadInputException">It is no such file.</exception>
    public static TraceContents Read(Stream file, string path)
    {
        using StreamReader lines = new(file);
        if (lines.ReadLine() != Start)
            throw new BadInputException($"{path}: is no trace that minivmm wrote");
        TraceContents contents = new() { Path = path };
        Dictionary<int, string> threads = [];
        Dictionary<int, long> ran = [];
        int number = 1;
        while (lines.ReadLine() is { } line)
        {
            number++;
            try
            {
                if (line.StartsWith(End, StringComparison.Ordinal))
                {
                    ReadEnd(line[End.Length..^1], contents);
                    break;
                }

                using JsonDocument item = JsonDocument.Parse(line.AsMemory().TrimEnd(','));
                ReadEvent(item.RootElement, contents, threads, ran);
            }
            catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException
                or ArgumentOutOfRangeException)
            {
                if (lines.Peek() < 0)
                    break; // cut off amid a line
                throw new BadInputException($"{path}: line {number}: is no event of a trace that minivmm wrote: {e.Message}", e);
            }
        }

        return contents;
    }

    private static void ReadEvent(JsonElement item, TraceContents contents, Dictionary<int, string> threads, Dictionary<int, long> ran)
    {
        string phase = item.GetProperty("ph").GetString() ?? "";
        int thread = item.GetProperty("tid").GetInt32();
        string name = item.GetProperty("name").GetString() ?? "";
        if (phase == "M" && name == "thread_name")
            threads[thread] = item.GetProperty("args").GetProperty("name").GetString() ?? "";
        if (phase != "X")
            return;
        long took = (long)(item.GetProperty("dur").GetDecimal() * 1000);
        if (item.GetProperty("cat").GetString() == "guest")
        {
            ran[thread] = took;
            return;
        }

        JsonElement details = item.GetProperty("args");
        TraceEventKind kind = TraceSlices.KindOf(Text(details, "kind")) ?? throw new FormatException("an event of no kind");
        bool isExit = kind <= TraceEventKind.Kick;
        contents.Items.Add(new TracedItem
        {
            Kind = kind,
            Thread = threads.GetValueOrDefault(thread, ""),
            Vcpu = isExit ? thread - 1 : null,
            Reason = Text(details, "reason") ?? "",
            Address = Hex(details, "address") ?? 0,
            Device = Text(details, "device"),
            Words = Text(details, "what"),
            Rip = Hex(details, "rip"),
            Symbol = Text(details, "symbol"),
            Instruction = Text(details, "instruction"),
            At = (long)(item.GetProperty("ts").GetDecimal() * 1000),
            Took = took,
            Ran = isExit ? ran.GetValueOrDefault(thread) : 0,
        });
    }

    private static void ReadEnd(string text, TraceContents contents)
    {
        using JsonDocument document = JsonDocument.Parse(text);
        JsonElement end = document.RootElement;
        contents.Filter = end.GetProperty("filter").GetString();
        contents.LostEvents = end.GetProperty("lost").GetInt64();
        foreach (JsonElement lost in end.GetProperty("lostExits").EnumerateArray())
        {
            contents.Lost.Add(new LostExits
            {
                Vcpu = lost.GetProperty("vcpu").GetInt32(),
                Reason = lost.GetProperty("reason").GetString() ?? "",
                Count = lost.GetProperty("count").GetInt64(),
            });
        }

        contents.IsWhole = true;
    }

    private static string? Text(JsonElement of, string name) =>
        of.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;

    private static ulong? Hex(JsonElement of, string name) => Text(of, name) is { Length: > 2 } text
        ? ulong.Parse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)
        : null;
}
