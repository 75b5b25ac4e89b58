using CsCheck;
using MiniVmm.Testing;
using TestResult = MiniVmm.Testing.TestResult;

namespace MiniVmm.Tests.Testing;

public sealed class ReportMergeTests
{
    [Fact]
    public void The_parts_of_a_run_together_are_the_run() =>
        Gen.Select(Gen.Enum<Verdict>().List[0, 40], Gen.Int[1, 12], Gen.Int).Sample((verdicts, count, seed) =>
        {
            TestReport whole = Whole(verdicts);
            NamedReport[] parts = Parts(whole, count);
            new Random(seed).Shuffle(parts);
            TestReport merged = ReportMerge.Of(parts);
            return merged.Results.SequenceEqual(whole.Results) && merged.Suite == whole.Suite && merged.Shard is null
                && merged.IsGreen == whole.IsGreen && merged.Reasons.SequenceEqual(whole.Reasons);
        });

    [Fact]
    public void Parts_in_JUnit_s_XML_are_as_good()
    {
        TestReport whole = Whole([Verdict.Pass, Verdict.Crash, Verdict.Skip, Verdict.Timeout, Verdict.SkippedItself]);
        NamedReport[] parts =
        [
            .. Parts(whole, 3).Select(part =>
            {
                using StringWriter writer = new();
                JUnitWriter.Write(writer, part.Report);
                return ReportMerge.Read(System.Text.Encoding.UTF8.GetBytes(writer.ToString()), part.File);
            }),
        ];

        TestReport merged = ReportMerge.Of(parts);

        Assert.Equal(whole.Results.Select(result => (result.Name, result.Verdict)), merged.Results.Select(result => (result.Name, result.Verdict)));
        Assert.Equal(whole.Reasons, merged.Reasons);
    }

    [Fact]
    public void A_missing_part_is_a_problem_with_its_number()
    {
        NamedReport[] parts = Parts(Whole([Verdict.Pass, Verdict.Pass, Verdict.Pass, Verdict.Pass]), 4);

        TestReport merged = ReportMerge.Of([parts[0], parts[2], parts[3]]);

        Assert.Equal(["1 of 4 shards missing: 2", "3 of the suite's 4 tests have a result"], merged.Problems);
        Assert.False(merged.IsGreen);
    }

    [Fact]
    public void Many_missing_parts_are_named_in_part()
    {
        TestReport part = Whole([Verdict.Pass]) with { Shard = new Shard(1, 100) };

        Assert.Equal("99 of 100 shards missing: 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 89 more", ReportMerge.Of([new("1.json", part)]).Problems[0]);
    }

    [Fact]
    public void A_part_that_is_there_twice_is_a_problem_and_the_worse_result_counts()
    {
        NamedReport[] parts = Parts(Whole([Verdict.Pass, Verdict.Pass]), 2);
        TestReport bad = parts[0].Report with { Results = [parts[0].Report.Results[0] with { Verdict = Verdict.Fail }] };

        TestReport merged = ReportMerge.Of([.. parts, new("again.json", bad)]);

        Assert.Equal(["shard 1/2 is there twice: 1.json and again.json", "t000 has two results"], merged.Problems);
        Assert.Equal([Verdict.Fail, Verdict.Pass], merged.Results.Select(result => result.Verdict));
    }

    [Fact]
    public void Parts_of_different_suites_or_divisions_are_refused()
    {
        NamedReport[] parts = Parts(Whole([Verdict.Pass, Verdict.Pass]), 2);
        TestReport other = Whole([Verdict.Pass, Verdict.Pass, Verdict.Pass]) with { Shard = new Shard(2, 2) };

        Assert.Contains(
            "other.json: of another suite than 1.json: 3 tests and 2",
            Assert.Throws<BadInputException>(() => ReportMerge.Of([parts[0], new("other.json", other)])).Message, StringComparison.Ordinal);
        Assert.Contains(
            "3.json: one of 3 shards, and 1.json is one of 2",
            Assert.Throws<BadInputException>(() => ReportMerge.Of([parts[0], new("3.json", parts[1].Report with { Shard = new Shard(3, 3) })])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Results_of_tests_that_the_suite_has_not_are_a_problem()
    {
        TestReport whole = Whole([Verdict.Pass]);

        TestReport merged = ReportMerge.Of([new("1.json", whole with { Results = [new("other", Verdict.Pass, "")] })]);

        Assert.Equal(["the tests are not those of the suite"], merged.Problems);
    }

    private static TestReport Whole(IEnumerable<Verdict> verdicts) =>
        TestReportTests.Report([.. verdicts.Select((verdict, i) => new TestResult($"t{i:d3}", verdict, "because"))]);

    /// <summary>As a run with each shard would report.</summary>
    private static NamedReport[] Parts(TestReport whole, int count) =>
    [
        .. Enumerable.Range(1, count).Select(index =>
        {
            TestResult[] results = [.. whole.Results.Where((_, at) => at % count == index - 1)];
            return new NamedReport($"{index}.json", whole with
            {
                Results = results,
                Shard = new Shard(index, count),
                Problems = results.Length > 0 || whole.Results.Count == 0 ? [] : [$"{TestReport.EmptyShard}{index}/{count} has no test"],
            });
        }),
    ];
}
