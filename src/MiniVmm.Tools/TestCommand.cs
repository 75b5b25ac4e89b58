using System.CommandLine;
using System.Globalization;
using MiniVmm.Cli;
using MiniVmm.Configuration;
using MiniVmm.Machine;
using MiniVmm.Testing;

namespace MiniVmm.Tools;

/// <summary><c>minivmm test</c>: boots test kernels, each in a machine of its own, and says which passed.</summary>
internal sealed class TestCommand : DocumentedCommand
{
    private const int MostJobs = 1024;

    private readonly Argument<string[]> _paths = new("PATH")
    {
        Arity = ArgumentArity.ZeroOrMore,
        HelpName = "PATH...",
        Description = "Kernels and images, folders of them, and manifests (minivmm-tests.json)",
    };
    private readonly Option<string?> _jobs = new("--jobs", "-j")
    {
        HelpName = "N",
        Description = "Machines at a time; default: one for each of the host's CPUs",
    };
    private readonly Option<string?> _timeout = new("--timeout")
    {
        HelpName = "SECONDS",
        Description = "Longest run of a test; 60 if nobody says so",
    };
    private readonly Option<string[]> _expect = new("--expect")
    {
        HelpName = "TEXT",
        Description = "What each test prints when all is well; may be repeated",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<string?> _expectExit = new("--expect-exit")
    {
        HelpName = "STATUS",
        Description = "Exit status of 'minivmm run' that is the good one, such as 33 for a debug exit of 0x10",
    };
    private readonly Option<string?> _smp = new("--smp")
    {
        HelpName = "N[,sockets=S][,cores=C][,threads=T]",
        Description = "vCPUs of each machine",
    };
    private readonly Option<string?> _mem = new("--mem", "-m")
    {
        HelpName = "SIZE",
        Description = "RAM of each machine",
    };
    private readonly Option<string?> _append = new("--append")
    {
        HelpName = "TEXT",
        Description = "Command line of each kernel",
    };

    private readonly Option<string?> _shard = new("--shard")
    {
        HelpName = "I/N",
        Description = "Run the I-th of N parts; default: what Slurm, Kubernetes or GitLab say, else all",
    };
    private readonly Option<string?> _shards = new("--shards")
    {
        HelpName = "N",
        Description = "How many parts there are, where the environment tells only which this is (Kubernetes)",
    };
    private readonly TestReportOptions _reports = new();

    public TestCommand()
        : base("test", "Boot test kernels, each in a machine of its own, and say which passed")
    {
        Arguments.Add(_paths);
        Add(new TestMergeCommand());
        Group("What is expected", "minivmm test --timeout 10 --expect \"all tests passed\" kernel.elf", _expect, _expectExit, _timeout);
        Group("Machines", "minivmm test --jobs 4 --mem 64M tests/", _jobs, _smp, _mem, _append);
        Group("Parts", "minivmm test --shard 2/4 --json tests/ > 2.json", _shard, _shards);
        Group("Output", "minivmm test --junit results.xml tests/", _reports.Junit, _reports.Json);
        SetAction(Run);
    }

    public override IReadOnlyList<Section> Details =>
    [
        new("Exit status",
        [
            new("0", "Something passed, and all that was to run did"),
            new("1", "Something did not pass, or nothing ran"),
            new("2, 4, 130", "As everywhere: bad arguments or files; the host could not run some; interrupted"),
        ]),
    ];

    private int Run(ParseResult line)
    {
        string[] paths = line.GetValue(_paths) ?? [];
        if (paths.Length == 0)
            throw new BadInputException("no kernel and no folder given; write minivmm test PATH");
        int jobs = ReadNumber(line, _jobs, MostJobs) ?? Environment.ProcessorCount;
        NamedShard? shard = ReadShard(line);
        DiscoveredTests found = Discovery.Find(paths, ReadDefaults(line));
        _reports.Check(line);
        TestOutput output = _reports.Output(line);
        if (shard is { } part)
            output.Note($"shard {part.Shard} ({part.Source})");
        using EndSignals signals = new();
        TestReport report = Run(found, shard?.Shard, jobs, output, signals.Cancellation);
        output.Print(report);
        _reports.Write(line, report);
        return signals.Cancellation.IsCancellationRequested ? ExitStatus.Interrupted : StatusOf(report);
    }

    /// <summary>What a report is to the caller.</summary>
    public static int StatusOf(TestReport report) => report switch
    {
        { HasHostError: true } => ExitStatus.HostLimit,
        { IsGreen: true } => ExitStatus.Success,
        _ => ExitStatus.TestsFailed,
    };

    private static TestReport Run(DiscoveredTests found, Shard? shard, int jobs, TestOutput output, CancellationToken cancellation)
    {
        IReadOnlyList<TestCase> tests = shard?.Of(found.Tests) ?? found.Tests;
        if (tests.Any(test => test is { Problem: null, SkipReason: null }))
            KvmTestMachines.Check();
        DateTimeOffset started = TimeProvider.System.GetUtcNow();
        long begun = TimeProvider.System.GetTimestamp();
        IReadOnlyList<TestResult> results = output.Follow(tests.Count, (begin, finish) =>
            new TestRun(new KvmTestMachines(Messages.Spelling), jobs, Messages.Spelling) { Started = begin, Finished = finish }
                .RunAsync(tests, cancellation).GetAwaiter().GetResult());
        return new(Suite.Of(found.Tests.Select(test => test.Name)), results)
        {
            Shard = shard,
            Started = started,
            Duration = TimeProvider.System.GetElapsedTime(begun),
            Problems = tests.Count > 0 ? [] : [NothingFound(found, shard)],
        };
    }

    private static string NothingFound(DiscoveredTests found, Shard? shard) => (found.Tests.Count, found.OtherFiles, shard) switch
    {
        ( > 0 and int tests, _, { } part) => $"{TestReport.EmptyShard}{part} has no test, of {tests} in all",
        (_, 0, _) => "nothing ran: there is no file",
        (_, 1, _) => "nothing ran: the only file is no kernel",
        (_, int files, _) => $"nothing ran: none of {files} files is a kernel",
    };

    private NamedShard? ReadShard(ParseResult line)
    {
        int? count = ReadNumber(line, _shards, Shard.Most);
        if (line.GetValue(_shard) is not { } text)
            return ShardEnvironment.Find(Environment.GetEnvironmentVariable, count);
        return Shard.TryParse(text, out Shard shard) && (count is null || count == shard.Count)
            ? new(shard, _shard.Name)
            : throw new BadInputException($"{_shard.Name} {text}: not I/N, with I from 1 to N{(count is null ? "" : $" and N as in {_shards.Name}")}");
    }

    private TestCase ReadDefaults(ParseResult line)
    {
        MachineOptions machine = new();
        foreach ((Option<string?> option, OptionName name) in ((Option<string?>, OptionName)[])
            [(_smp, OptionName.Smp), (_mem, OptionName.Mem), (_append, OptionName.Append)])
        {
            if (line.GetValue(option) is { } text)
                machine = machine.With(name, text);
        }

        return new()
        {
            Name = "",
            Machine = machine,
            Timeout = line.GetValue(_timeout) is { } seconds ? SecondsText.Parse(seconds, OptionName.Timeout) : TestCase.DefaultTimeout,
            Expected = new()
            {
                Texts = [.. (line.GetValue(_expect) ?? []).Select(text => TestKeys.ReadText(_expect.Name, text))],
                Exit = line.GetValue(_expectExit) is { } status ? TestKeys.ReadStatus(_expectExit.Name, status) : null,
            },
        };
    }

    private static int? ReadNumber(ParseResult line, Option<string?> option, int most)
    {
        if (line.GetValue(option) is not { } text)
            return null;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number > 0 && number <= most
            ? number
            : throw new BadInputException($"{option.Name} {text}: not a whole number from 1 to {most}");
    }
}
