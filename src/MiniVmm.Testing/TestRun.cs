using System.Diagnostics;
using MiniVmm.Host;

namespace MiniVmm.Testing;

/// <summary>Runs tests, so many at a time, each in a machine of its own.</summary>
/// <param name="machines">Where they run.</param>
/// <param name="jobs">How many at a time, at least 1.</param>
/// <param name="spell">How options are named in reasons and reports.</param>
internal sealed class TestRun(ITestMachines machines, int jobs, Func<NamedOption, string> spell)
{
    private readonly Lock _lock = new();

    /// <summary>Told of each test that begins; one call at a time.</summary>
    public Action<TestCase> Started { get; init; } = _ => { };

    /// <summary>Told of each test's result as it comes; one call at a time.</summary>
    public Action<TestResult> Finished { get; init; } = _ => { };

    /// <summary>Runs them; cancelled, it ends those that run, and starts no other.</summary>
    /// <returns>The results, in the tests' order: all of them, also when it was cancelled.</returns>
    public async Task<IReadOnlyList<TestResult>> RunAsync(IReadOnlyList<TestCase> tests, CancellationToken cancellation)
    {
        TestResult[] results = new TestResult[tests.Count];
        int next = -1;
        int workers = Math.Clamp(jobs, 1, Math.Max(tests.Count, 1));
        await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => Task.Run(WorkAsync, CancellationToken.None)))
            .ConfigureAwait(false);
        return results;

        async Task WorkAsync()
        {
            for (int at; (at = Interlocked.Increment(ref next)) < tests.Count;)
            {
                TestResult result = await RunAsync(tests[at], cancellation).ConfigureAwait(false);
                results[at] = result;
                lock (_lock)
                    Finished(result);
            }
        }
    }

    private async Task<TestResult> RunAsync(TestCase test, CancellationToken cancellation)
    {
        if (test.Problem is { } problem)
            return new(test.Name, Verdict.Error, problem);
        if (test.SkipReason is { } why)
            return new(test.Name, Verdict.Skip, why);
        if (cancellation.IsCancellationRequested)
            return new(test.Name, Verdict.NotRun, "interrupted");
        lock (_lock)
            Started(test);
        Judge judge = new(test.Expected, test.Timeout);
        long begun = Stopwatch.GetTimestamp();
        (Judgement judgement, string report) = await JudgeAsync(test, judge, cancellation).ConfigureAwait(false);
        return new(test.Name, judgement.Verdict, judgement.Reason)
        {
            Duration = Stopwatch.GetElapsedTime(begun),
            Output = judge.Output,
            Report = report,
        };
    }

    private async Task<(Judgement Judgement, string Report)> JudgeAsync(TestCase test, Judge judge, CancellationToken cancellation)
    {
        try
        {
            MachineEnd end = await machines.RunAsync(test.Machine, test.Timeout, Read, cancellation).ConfigureAwait(false);
            judge.TakeScreen(end.Screen);
            return (judge.Decide(end.End), string.Concat(end.Remarks.Select(remark => $"{remark.Spelled(spell).TrimEnd('\n')}\n")));
        }
        catch (BadInputException e)
        {
            return (new(Verdict.Error, e.Text.Spelled(spell)), "");
        }
        catch (VmmException e)
        {
            return (new(Verdict.HostError, e.Text.Spelled(spell)), "");
        }
        catch (Exception e) when (e is SystemCallException or IOException or UnauthorizedAccessException)
        {
            return (new(Verdict.HostError, e.Message), "");
        }
        catch (OutOfMemoryException)
        {
            return (new(Verdict.HostError, "the host has no memory or no thread left"), "");
        }
        catch (OperationCanceledException)
        {
            return (new(Verdict.NotRun, "interrupted"), "");
        }

        bool Read(ReadOnlySpan<byte> text)
        {
            judge.Take(text);
            return judge.HasReachedEnd;
        }
    }
}
