using System.Text;
using System.Text.RegularExpressions;

namespace MiniVmm.Guest.Tests;

/// <summary>A page of docs/course: its sources and transcripts.</summary>
internal sealed partial class CoursePage
{
    private const char EndOfAnswer = '\x1e';

    private readonly string _text;

    public CoursePage(string file) => _text = File.ReadAllText(Path.Combine(Folder, file));

    public static string Folder => Path.Combine(Built.Root, "docs", "course");

    /// <summary>The lessons' pages, in their order.</summary>
    public static IEnumerable<string> Lessons =>
        Directory.GetFiles(Folder, "*.md").Select(file => Path.GetFileName(file)).Where(name => char.IsAsciiDigit(name[0])).Order(StringComparer.Ordinal);

    /// <summary>Each file that is shown, with what is shown of it. Its name stands in the line before.</summary>
    public IEnumerable<(string File, string Shown)> Sources =>
        Source().Matches(_text).Select(match => (match.Groups["file"].Value, match.Groups["text"].Value));

    /// <summary>Each transcript: commands, with the lines that each is to print.</summary>
    public IEnumerable<(string Command, string[] Answer)[]> Transcripts => Console().Matches(_text).Select(match => Parse(match.Groups["text"].Value).ToArray());

    /// <summary>Has a shell do the commands of a transcript, one after the other, from the project's folder.</summary>
    /// <returns>What each printed, to standard error too.</returns>
    public static async Task<string[]> RunAsync(IEnumerable<string> commands)
    {
        StringBuilder script = new("exec 2>&1 </dev/null; cd \"$0\"\n");
        foreach (string command in commands)
            script.Append($"{command}\nstatus=$?; printf '\\036'; (exit $status)\n");
        MinivmmResult run = await MinivmmProcess.RunProgramAsync("bash", "-c", script.ToString(), Built.Root);
        return run.Output.Split(EndOfAnswer);
    }

    /// <summary>The first line that was to come and did not; null where all came.</summary>
    /// <param name="expected">A line of "…" stands for any lines, "…" in a line for any text.</param>
    /// <param name="printed">What came.</param>
    public static string? Missing(ReadOnlySpan<string> expected, ReadOnlySpan<string> printed)
    {
        if (expected.IsEmpty)
            return printed.IsEmpty ? null : $"nothing, but came: {printed[0]}";
        if (expected[0] != "…")
        {
            return printed.IsEmpty || !Pattern(expected[0]).IsMatch(printed[0])
                ? $"{expected[0]}, but came: {(printed.IsEmpty ? "nothing" : printed[0])}"
                : Missing(expected[1..], printed[1..]);
        }

        string? missing = null;
        for (int passed = 0; passed <= printed.Length; passed++)
        {
            string? here = Missing(expected[1..], printed[passed..]);
            if (here is null)
                return null;
            missing ??= here;
        }

        return missing;
    }

    public static string[] Lines(string text) => [.. text.TrimEnd('\n').Split('\n').Select(line => line.TrimEnd()).SkipWhile(line => line.Length == 0)];

    private static IEnumerable<(string, string[])> Parse(string text)
    {
        string[] parts = ("\n" + text).Split("\n$ ", StringSplitOptions.RemoveEmptyEntries);
        foreach (string part in parts)
        {
            int end = part.IndexOf('\n', StringComparison.Ordinal);
            string command = end < 0 ? part : part[..end];
            while (command.EndsWith('\\'))
            {
                end = part.IndexOf('\n', end + 1);
                command = end < 0 ? part : part[..end];
            }

            yield return (command, end < 0 ? [] : Lines(part[(end + 1)..]));
        }
    }

    private static Regex Pattern(string line) => new($"^{Regex.Escape(line).Replace("…", ".*", StringComparison.Ordinal)}$");

    [GeneratedRegex(@"^`(?<file>[^`\n]+/[^`\n]+)`[^\n]*:\n\n```\w+\n(?<text>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Source();

    [GeneratedRegex(@"^```console\n(?<text>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Console();
}
