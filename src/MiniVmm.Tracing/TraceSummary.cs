using System.Globalization;
using MiniVmm.Control;

namespace MiniVmm.Tracing.Files;

/// <summary>What a trace comes to: counts and times by reason, port, device, instruction and function.</summary>
internal static class TraceSummary
{
    /// <summary>Rows of a table that has many.</summary>
    private const int MostRows = 20;

    /// <summary>The ways to group events, each with what a group has in common; null for events that belong to none.</summary>
    public static IReadOnlyList<(string Title, Func<TracedItem, string?> Key)> Groupings { get; } =
    [
        ("reason", item => item.IsExit ? item.Reason : null),
        ("port or address", Place),
        ("device", item => item.IsAccess ? item.Device ?? "nobody's" : item.Device),
        ("instruction", Instruction),
        ("function", item => item.IsExit ? item.Function : null),
    ];

    /// <summary>The tables.</summary>
    public static IReadOnlyList<AnswerTable> Of(TraceContents trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        List<AnswerTable> tables = [Reasons(trace)];
        foreach ((string title, Func<TracedItem, string?> key) in Groupings)
            AddTimes(tables, title, trace.Items, key);
        return tables;
    }

    /// <summary>What has to be said of the trace as such; no line where that is nothing.</summary>
    public static IEnumerable<string> Remarks(TraceContents trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        if (!trace.IsWhole)
            yield return $"{trace.Path}: has no end: the machine was killed, or still runs";
        if (trace.LostEvents > 0)
            yield return $"{trace.Path}: {trace.LostEvents} events did not fit; exits among them are counted by reason, and missing elsewhere";
        if (trace.Filter is { } filter && !TraceFilter.Parse(filter).TakesAllExits)
            yield return $"{trace.Path}: holds what was asked for, not all exits: {filter}";
    }

    /// <summary>Exits by reason, a column a vCPU, as the statistics of the run have them.</summary>
    public static IReadOnlyDictionary<string, long[]> Counts(TraceContents trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        IReadOnlyList<int> vcpus = trace.Vcpus;
        Dictionary<int, int> columns = [];
        for (int i = 0; i < vcpus.Count; i++)
            columns[vcpus[i]] = i;
        Dictionary<string, long[]> counts = [];
        foreach (TracedItem item in trace.Items)
        {
            if (item is { IsExit: true, Vcpu: { } vcpu })
                Row(item.Reason)[columns[vcpu]]++;
        }

        foreach (LostExits lost in trace.Lost)
            Row(lost.Reason)[columns[lost.Vcpu]] += lost.Count;
        return counts;

        long[] Row(string reason)
        {
            if (!counts.TryGetValue(reason, out long[]? row))
                counts[reason] = row = new long[vcpus.Count];
            return row;
        }
    }

    private static AnswerTable Reasons(TraceContents trace)
    {
        IReadOnlyList<int> vcpus = trace.Vcpus;
        List<AnswerColumn> columns = [new("exits by reason")];
        foreach (int vcpu in vcpus)
            columns.Add(new($"vCPU {vcpu}", IsNumber: true));
        List<(string Reason, long[] Counts)> rows = [];
        long[] all = new long[vcpus.Count];
        foreach ((string reason, long[] counts) in Counts(trace))
        {
            rows.Add((reason, counts));
            for (int i = 0; i < all.Length; i++)
                all[i] += counts[i];
        }

        rows.Sort((a, b) => b.Counts.Sum().CompareTo(a.Counts.Sum()) is not 0 and var order ? order : string.CompareOrdinal(a.Reason, b.Reason));
        rows.Add(("all", all));
        AnswerTable table = new(columns);
        foreach ((string reason, long[] counts) in rows)
            table.Add([reason, .. counts.Select(Number)]);
        return table;
    }

    private static string? Place(TracedItem item) => !item.IsAccess ? null
        : item.Kind <= TraceEventKind.PortWrite ? $"port 0x{item.Address:x}" : $"memory 0x{item.Address:x}";

    private static string? Instruction(TracedItem item) => item.Rip is not { } rip ? null
        : $"{rip:x}{(item.Symbol is { } symbol ? $" {symbol}" : "")}{(item.Instruction is { } text ? $": {text}" : "")}";

    private static void AddTimes(List<AnswerTable> tables, string title, List<TracedItem> items, Func<TracedItem, string?> key)
    {
        List<TimedGroup> groups = TimedGroup.By(items, key);
        if (groups.Count == 0)
            return;
        AnswerTable table = new(
        [
            new($"by {title}"), new("count", true), new("p50 us", true), new("p90 us", true), new("p99 us", true), new("max us", true),
            new("sum ms", true),
        ]);
        for (int i = 0; i < Math.Min(groups.Count, MostRows); i++)
        {
            TimedGroup group = groups[i];
            table.Add(
            [
                group.Name, Number(group.Count), Microseconds(group.Percentile(50)), Microseconds(group.Percentile(90)),
                Microseconds(group.Percentile(99)), Microseconds(group.Percentile(100)), Milliseconds(group.Sum),
            ]);
        }

        if (groups.Count > MostRows)
            table.Add([$"and {groups.Count - MostRows} more", Number(groups.Skip(MostRows).Sum(group => (long)group.Count)), "", "", "", "", ""]);
        tables.Add(table);
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Microseconds(long nanoseconds) => (nanoseconds / 1e3).ToString("F1", CultureInfo.InvariantCulture);

    private static string Milliseconds(long nanoseconds) => (nanoseconds / 1e6).ToString("F3", CultureInfo.InvariantCulture);
}
