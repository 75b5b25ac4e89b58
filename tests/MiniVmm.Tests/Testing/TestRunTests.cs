using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Testing;
using TestResult = MiniVmm.Testing.TestResult;

namespace MiniVmm.Tests.Testing;

public sealed class TestRunTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 3)]
    [InlineData(100, 8)]
    public async Task So_many_run_at_a_time_and_the_results_are_in_the_tests_order(int jobs, int most)
    {
        TaskCompletionSource full = new();
        int running = 0;
        FakeTestMachines machines = new(async (kernel, read, _) =>
        {
            read("ok\n"u8);
            if (Interlocked.Increment(ref running) == most)
                full.TrySetResult();
            await full.Task;
            return new(StopKind.PowerOff);
        });

        IReadOnlyList<TestResult> results = await RunAsync(machines, jobs, [.. Enumerable.Range(0, 8).Select(i => Test($"t{i}"))]);

        Assert.Equal(most, machines.Most);
        Assert.Equal(Enumerable.Range(0, 8).Select(i => $"t{i}"), results.Select(result => result.Name));
        Assert.All(results, result => Assert.Equal(Verdict.Pass, result.Verdict));
    }

    [Fact]
    public async Task What_is_not_to_run_does_not()
    {
        FakeTestMachines machines = FakeTestMachines.Polite;

        IReadOnlyList<TestResult> results = await RunAsync(
            machines, 2, [Test("a") with { SkipReason = "later" }, Test("b") with { Problem = "no such file" }, Test("c")]);

        Assert.Equal([Verdict.Skip, Verdict.Error, Verdict.Pass], results.Select(result => result.Verdict));
        Assert.Equal(["later", "no such file", "powered off"], results.Select(result => result.Reason));
        Assert.Equal(["c"], machines.Ran);
        Assert.Equal(("c: ok\n", "a remark\nvCPU 0: at rest\n"), (results[2].Output, results[2].Report));
    }

    [Theory]
    [InlineData("image", "error", "--mem 1K: too little")]
    [InlineData("host", "host-error", "/dev/kvm: permission denied")]
    [InlineData("call", "host-error", "socketpair")]
    [InlineData("memory", "host-error", "the host has no memory or no thread left")]
    public async Task What_cannot_be_built_is_the_image_s_or_the_host_s_error(string kernel, string verdict, string reason)
    {
#pragma warning disable CA2201 // as the runtime does
        FakeTestMachines machines = new((kernel, _, _) => throw (kernel switch
        {
            "image" => new BadInputException($"{OptionName.Mem.With("1K")}: too little"),
            "host" => new HostLimitException("/dev/kvm: permission denied"),
            "call" => new SystemCallException("socketpair", Tmds.Linux.LibC.EMFILE),
            _ => (Exception)new OutOfMemoryException(),
        }));
#pragma warning restore CA2201

        TestResult result = Assert.Single(await RunAsync(machines, 1, [Test(kernel)]));

        Assert.Equal(verdict, result.Verdict.Word());
        Assert.Contains(reason, result.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Interrupted_it_ends_those_that_run_and_starts_no_other()
    {
        using CancellationTokenSource interrupt = new();
        FakeTestMachines machines = new(async (kernel, read, cancellation) =>
        {
            read("hello\n"u8);
            if (kernel == "a")
                return new(StopKind.PowerOff);
            await interrupt.CancelAsync();
            Assert.True(cancellation.IsCancellationRequested);
            return new(StopKind.Interrupted);
        });

        IReadOnlyList<TestResult> results = await RunAsync(machines, 1, [Test("a"), Test("b"), Test("c")], interrupt.Token);

        Assert.Equal([Verdict.Pass, Verdict.NotRun, Verdict.NotRun], results.Select(result => result.Verdict));
        Assert.Equal("hello\n", results[1].Output);
        Assert.Equal(["a", "b"], machines.Ran);
    }

    [Fact]
    public async Task The_text_that_it_runs_to_ends_it()
    {
        FakeTestMachines machines = new((_, read, _) =>
            Task.FromResult(new StopReason(read("login: "u8) ? StopKind.Interrupted : StopKind.Timeout)));

        TestResult result = Assert.Single(await RunAsync(machines, 1, [Test("a") with { Expected = new() { Until = "login:" } }]));

        Assert.Equal((Verdict.Pass, "ran to the text"), (result.Verdict, result.Reason));
    }

    [Fact]
    public async Task Each_beginning_and_end_is_told_one_at_a_time()
    {
        List<string> told = [];
        TestRun run = new(FakeTestMachines.Polite, 4, option => option.ToString())
        {
            Started = test => told.Add($"+{test.Name}"),
            Finished = result => told.Add($"-{result.Name}"),
        };

        await run.RunAsync([.. Enumerable.Range(0, 50).Select(i => Test($"t{i}"))], CancellationToken.None);

        Assert.Equal(100, told.Distinct().Count());
        Assert.All(Enumerable.Range(0, 50), i => Assert.True(told.IndexOf($"+t{i}") < told.IndexOf($"-t{i}")));
    }

    private static Task<IReadOnlyList<TestResult>> RunAsync(
        FakeTestMachines machines, int jobs, IReadOnlyList<TestCase> tests, CancellationToken cancellation = default) =>
        new TestRun(machines, jobs, option => $"--{option.Name.ToString().ToLowerInvariant()} {option.Value}").RunAsync(tests, cancellation);

    private static TestCase Test(string name) => new() { Name = name, Machine = new() { Kernel = name } };
}
