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
        contents.Items.Add(TraceSlices.Item(
            name => Text(details, name), threads.GetValueOrDefault(thread, ""), thread - 1, (long)(item.GetProperty("ts").GetDecimal() * 1000), took,
            ran.GetValueOrDefault(thread)));
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
}
