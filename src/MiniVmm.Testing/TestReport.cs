using System.Globalization;
using System.Text;

namespace MiniVmm.Testing;

/// <summary>All the tests that a run was chosen from, so that parts of one suite are told from those of another.</summary>
/// <param name="Count">How many.</param>
/// <param name="Fingerprint">Of their names.</param>
internal sealed record Suite(int Count, string Fingerprint)
{
    /// <summary>The suite of tests with these names, in any order.</summary>
    public static Suite Of(IEnumerable<string> names)
    {
        string[] sorted = [.. names.Order(StringComparer.Ordinal)];
        return new(sorted.Length, Hash(Encoding.UTF8.GetBytes(string.Join('\n', sorted))).ToString("x16", CultureInfo.InvariantCulture));
    }

    /// <summary>FNV-1a of 64 bits (RFC 9923): nobody means to deceive himself, and OpenSSL is large.</summary>
    private static ulong Hash(ReadOnlySpan<byte> bytes)
    {
        ulong hash = 0xcbf2_9ce4_8422_2325;
        foreach (byte value in bytes)
            hash = unchecked((hash ^ value) * 0x100_0000_01b3);
        return hash;
    }
}

/// <summary>What came of a run, or of the parts of one together.</summary>
/// <param name="Suite">The tests there are.</param>
/// <param name="Results">Those that belong to the run, by name.</param>
internal sealed record TestReport(Suite Suite, IReadOnlyList<TestResult> Results)
{
    /// <summary>How a problem begins that is of a part alone: it has no test.</summary>
    public const string EmptyShard = "nothing ran: shard ";

    /// <summary>The part of the suite that was run; null for all of it.</summary>
    public Shard? Shard { get; init; }

    /// <summary>When it began.</summary>
    public DateTimeOffset Started { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>What is wrong with the run as such, a line each: there was nothing to run, a part is missing.</summary>
    public IReadOnlyList<string> Problems { get; init; } = [];

    /// <summary>Whether all is well: something passed, and nothing that was to run did anything else.</summary>
    public bool IsGreen => Reasons.Count == 0;

    /// <summary>Why it is not green, a line each.</summary>
    public IReadOnlyList<string> Reasons
    {
        get
        {
            List<string> reasons = [.. Problems];
            int bad = Results.Count(result => !result.Verdict.IsGood());
            if (bad > 0)
                reasons.Add($"{Number(bad)} of {Plural(Results.Count)} did not pass");
            else if (Problems.Count == 0 && Results.Count == 0)
                reasons.Add("nothing ran: there is no test");
            else if (Problems.Count == 0 && !Results.Any(result => result.Verdict == Verdict.Pass))
                reasons.Add($"nothing passed: {Summary()}");
            return reasons;
        }
    }

    /// <summary>Whether the host was at fault for some.</summary>
    public bool HasHostError => Results.Any(result => result.Verdict == Verdict.HostError);

    /// <summary>"5 passed, 1 failed, 1 skipped".</summary>
    public string Summary()
    {
        (Verdict Verdict, string Word)[] order =
        [
            (Verdict.Pass, "passed"), (Verdict.Fail, "failed"), (Verdict.Panic, "panicked"), (Verdict.Crash, "crashed"),
            (Verdict.Timeout, "timed out"), (Verdict.Empty, "printed nothing"), (Verdict.SkippedItself, "skipped themselves"),
            (Verdict.UnexpectedPass, "passed unexpectedly"), (Verdict.Error, "could not be made a machine of"),
            (Verdict.HostError, "the host could not run"), (Verdict.NotRun, "not run"), (Verdict.ExpectedFailure, "failed as is known"),
            (Verdict.Skip, "skipped"),
        ];
        IEnumerable<string> parts =
            from row in order
            let count = Results.Count(result => result.Verdict == row.Verdict)
            where count > 0 || row.Verdict == Verdict.Pass
            select $"{Number(count)} {row.Word}";
        return string.Join(", ", parts);
    }

    private static string Plural(int count) => $"{Number(count)} test{(count == 1 ? "" : "s")}";

    private static string Number(int count) => count.ToString("N0", CultureInfo.InvariantCulture);
}
