using System.Globalization;
using System.Text;
using System.Text.Json;

namespace MiniVmm.Demo;

/// <summary>A terminal recording: asciicast, version 2 (docs.asciinema.org/manual/asciicast/v2).</summary>
/// <param name="Columns">The terminal's width, in cells.</param>
/// <param name="Rows">Its height, in cells.</param>
/// <param name="IdleLimit">The longest time between two outputs that is shown, in seconds.</param>
/// <param name="Output">What was written to the terminal, each with its time in seconds; times do not go back.</param>
internal sealed record Cast(int Columns, int Rows, string Title, double IdleLimit, IReadOnlyList<(double Time, string Text)> Output)
{
    /// <summary>Outputs closer together than this, in seconds, are one step of the picture: nobody sees them apart.</summary>
    private const double Step = 0.05;

    private const int LargestSide = 500;

    /// <summary>Reads a recording.</summary>
    /// <exception cref="FormatException">It is not asciicast v2, with the line and what is wrong.</exception>
    public static Cast Parse(string text)
    {
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        JsonElement header = lines.Length > 0 ? Line(lines, 0) : default;
        if (header.ValueKind != JsonValueKind.Object || Number(header, "version") != 2)
            throw new FormatException("line 1: not the header of an asciicast of version 2");
        double columns = Number(header, "width") ?? 0, rows = Number(header, "height") ?? 0;
        if (columns is < 1 or > LargestSide || rows is < 1 or > LargestSide)
            throw new FormatException($"line 1: width and height are to be 1 to {LargestSide}");

        List<(double, string)> output = [];
        double last = 0;
        for (int i = 1; i < lines.Length; i++)
        {
            JsonElement line = Line(lines, i);
            if (line.ValueKind != JsonValueKind.Array || line.GetArrayLength() != 3 || line[0].ValueKind != JsonValueKind.Number
                || line[1].ValueKind != JsonValueKind.String || line[2].ValueKind != JsonValueKind.String)
            {
                throw new FormatException($"line {i + 1}: not [time, kind, data]");
            }

            double time = line[0].GetDouble();
            if (time < last)
                throw new FormatException($"line {i + 1}: time goes back, from {Text(last)} to {Text(time)}");
            last = time;
            if (line[1].GetString() == "o")
                output.Add((time, line[2].GetString()!));
        }

        return new((int)columns, (int)rows, TitleIn(header), Number(header, "idle_time_limit") ?? double.PositiveInfinity, output);
    }

    /// <summary>The output in steps of the picture, each with its time in seconds: from 0 on, with no pause longer than the limit.</summary>
    public IEnumerable<(double Time, string Output)> Steps()
    {
        double start = 0, passed = 0, last = 0;
        StringBuilder step = new();
        foreach ((double time, string text) in Output)
        {
            passed += Math.Min(time - last, IdleLimit);
            last = time;
            if (step.Length > 0 && passed - start >= Step)
            {
                yield return (start, step.ToString());
                step.Clear();
            }

            if (step.Length == 0)
                start = passed;
            step.Append(text);
        }

        if (step.Length > 0)
            yield return (start, step.ToString());
    }

    private static JsonElement Line(string[] lines, int index)
    {
        try
        {
            return JsonElement.Parse(lines[index]);
        }
        catch (JsonException)
        {
            throw new FormatException($"line {index + 1}: not JSON");
        }
    }

    private static double? Number(JsonElement header, string name) =>
        header.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : null;

    private static string TitleIn(JsonElement header) =>
        header.TryGetProperty("title", out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static string Text(double seconds) => seconds.ToString(CultureInfo.InvariantCulture);
}
