using System.Globalization;
using MiniVmm.Control;

namespace MiniVmm.Tracing.Files;

/// <summary>What changed between two traces: of two kernels, say, or of one before and after a change.</summary>
internal static class TraceDiff
{
    private const int MostRows = 20;

    /// <summary>A table for each way to group events in which something changed, the largest change in count first.</summary>
    public static IReadOnlyList<AnswerTable> Of(TraceContents before, TraceContents after)
    {
        ArgumentNullException.ThrowIfNull(before);
        ArgumentNullException.ThrowIfNull(after);
        List<AnswerTable> tables = [];
        foreach ((string title, Func<TracedItem, string?> key) in TraceSummary.Groupings)
        {
            if (Table(title, TimedGroup.By(before.Items, key), TimedGroup.By(after.Items, key)) is { } table)
                tables.Add(table);
        }

        return tables;
    }

    /// <summary>Null where the same things happened as often in both.</summary>
    private static AnswerTable? Table(string title, List<TimedGroup> before, List<TimedGroup> after)
    {
        Dictionary<string, (TimedGroup? Before, TimedGroup? After)> rows = [];
        foreach (TimedGroup group in before)
            rows[group.Name] = (group, null);
        foreach (TimedGroup group in after)
            rows[group.Name] = (rows.GetValueOrDefault(group.Name).Before, group);
        List<(string Name, TimedGroup? Before, TimedGroup? After, long Change)> changes = [];
        foreach ((string name, (TimedGroup? was, TimedGroup? now)) in rows)
        {
            long change = (now?.Count ?? 0) - (was?.Count ?? 0);
            if (change != 0)
                changes.Add((name, was, now, change));
        }

        if (changes.Count == 0)
            return null;
        changes.Sort((a, b) => Math.Abs(b.Change).CompareTo(Math.Abs(a.Change)) is not 0 and var order ? order : string.CompareOrdinal(a.Name, b.Name));
        AnswerTable table = new(
        [
            new($"by {title}"), new("before", true), new("after", true), new("change", true), new("p50 us before", true),
            new("after", true), new("sum ms before", true), new("after", true),
        ]);
        for (int i = 0; i < Math.Min(changes.Count, MostRows); i++)
        {
            (string name, TimedGroup? was, TimedGroup? now, long change) = changes[i];
            table.Add(
            [
                name, Count(was), Count(now), change.ToString("+#,0;-#,0", CultureInfo.InvariantCulture), Median(was), Median(now), Sum(was), Sum(now),
            ]);
        }

        if (changes.Count > MostRows)
            table.Add([$"and {changes.Count - MostRows} more", "", "", "", "", "", "", ""]);
        return table;
    }

    private static string Count(TimedGroup? group) => (group?.Count ?? 0).ToString("N0", CultureInfo.InvariantCulture);

    private static string Median(TimedGroup? group) =>
        group is null ? "" : (group.Percentile(50) / 1e3).ToString("F1", CultureInfo.InvariantCulture);

    private static string Sum(TimedGroup? group) => group is null ? "" : (group.Sum / 1e6).ToString("F3", CultureInfo.InvariantCulture);
}
