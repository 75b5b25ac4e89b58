using System.Text;

namespace MiniVmm.Testing;

/// <summary>A part's results, and the file that has them.</summary>
internal readonly record struct NamedReport(string File, TestReport Report);

/// <summary>
/// Puts the results of a run's parts together. Whatever is missing or twice there is a problem of the whole, which is not
/// green then.
/// </summary>
internal static class ReportMerge
{
    /// <summary>Most missing parts that are named one by one.</summary>
    private const int MostNamed = 10;

    /// <summary>A file's results, in JSON or JUnit's XML.</summary>
    /// <exception cref="BadInputException">It is neither, or another program's.</exception>
    public static NamedReport Read(ReadOnlyMemory<byte> content, string file) => new(
        file, JUnitReader.Recognises(content.Span) ? JUnitReader.Read(Encoding.UTF8.GetString(content.Span), file) : ReportJson.Read(content, file));

    /// <summary>The whole of some parts, at least one.</summary>
    /// <exception cref="BadInputException">They are of different suites, or divided differently.</exception>
    public static TestReport Of(IReadOnlyList<NamedReport> parts)
    {
        NamedReport first = parts[0];
        int count = first.Report.Shard?.Count ?? 1;
        foreach (NamedReport part in parts)
        {
            if (part.Report.Suite != first.Report.Suite)
            {
                throw new BadInputException(
                    $"{part.File}: of another suite than {first.File}: {part.Report.Suite.Count} tests and "
                    + $"{first.Report.Suite.Count}, or other names");
            }

            if ((part.Report.Shard?.Count ?? 1) != count)
                throw new BadInputException($"{part.File}: one of {part.Report.Shard?.Count ?? 1} shards, and {first.File} is one of {count}");
        }

        List<string> problems = [.. parts.SelectMany(part => part.Report.Problems.Where(IsOfWhole))];
        AddMissing(parts, count, problems);
        return new(first.Report.Suite, Results(parts, problems))
        {
            Started = parts.Min(part => part.Report.Started),
            Duration = parts.Max(part => part.Report.Duration),
            Problems = problems,
        };
    }

    /// <summary>That a part had nothing to do is no problem of the whole.</summary>
    private static bool IsOfWhole(string problem) => !problem.StartsWith(TestReport.EmptyShard, StringComparison.Ordinal);

    private static void AddMissing(IReadOnlyList<NamedReport> parts, int count, List<string> problems)
    {
        Dictionary<int, string> files = [];
        foreach (NamedReport part in parts)
        {
            int index = part.Report.Shard?.Index ?? 1;
            if (!files.TryAdd(index, part.File))
                problems.Add($"shard {index}/{count} is there twice: {files[index]} and {part.File}");
        }

        int missing = count - files.Count;
        if (missing == 0)
            return;
        IEnumerable<int> named = Enumerable.Range(1, count).Where(index => !files.ContainsKey(index)).Take(MostNamed);
        string more = missing > MostNamed ? $" and {missing - MostNamed} more" : "";
        problems.Add($"{missing} of {count} shards missing: {string.Join(", ", named)}{more}");
    }

    /// <summary>All results by name; of one that is there twice the first, unless only the other is bad.</summary>
    private static List<TestResult> Results(IReadOnlyList<NamedReport> parts, List<string> problems)
    {
        SortedDictionary<string, TestResult> results = new(StringComparer.Ordinal);
        int twice = 0;
        foreach (TestResult result in parts.SelectMany(part => part.Report.Results))
        {
            if (results.TryAdd(result.Name, result))
                continue;
            if (twice++ == 0)
                problems.Add($"{result.Name} has two results");
            if (results[result.Name].Verdict.IsGood())
                results[result.Name] = result;
        }

        if (twice > 1)
            problems.Add($"{twice} tests in all have two results");
        int expected = parts[0].Report.Suite.Count;
        if (results.Count != expected)
            problems.Add($"{results.Count} of the suite's {expected} tests have a result");
        else if (Suite.Of(results.Keys) != parts[0].Report.Suite)
            problems.Add("the tests are not those of the suite");
        return [.. results.Values];
    }
}
