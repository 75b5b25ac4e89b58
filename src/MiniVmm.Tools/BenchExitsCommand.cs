using System.CommandLine;
using System.Globalization;
using System.Runtime.InteropServices;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Configuration;
using MiniVmm.Execution;
using MiniVmm.Measurement;
using Spectre.Console;

namespace MiniVmm.Tools;

/// <summary><c>minivmm bench exits</c>: what vCPU exits cost, as distributions.</summary>
internal sealed class BenchExitsCommand : DocumentedCommand
{
    // Samples and warm-up of one round have room in the guest's memory together.
    private const int MostSamples = ExitGuest.MostTurns / 2;

    private readonly Option<string?> _only = new("--only")
    {
        HelpName = "KIND[,KIND...]",
        Description = "Measure these kinds alone ('help' lists them)",
    };
    private readonly Option<string> _count = new("--count")
    {
        HelpName = "N",
        Description = "Samples of each kind, over all rounds; a tenth of it, rounded up, for hlt-irqfd and kick",
        DefaultValueFactory = _ => "20000",
    };
    private readonly Option<string> _warmup = new("--warmup")
    {
        HelpName = "N",
        Description = "Turns before the samples of each round",
        DefaultValueFactory = _ => "200",
    };
    private readonly Option<string> _rounds = new("--rounds")
    {
        HelpName = "N",
        Description = "Rounds, in which the kinds take turns",
        DefaultValueFactory = _ => "10",
    };
    private readonly Option<string> _seed = new("--seed-order")
    {
        HelpName = "N",
        Description = "Seed of the order of the kinds within the rounds",
        DefaultValueFactory = _ => "1",
    };
    private readonly Option<string?> _pin = new("--pin")
    {
        HelpName = "CPU[,CPU]|none",
        Description = "Host CPUs of the vCPU and of the thread beside it; default: the last two",
    };
    private readonly Option<string> _disturb = new("--disturb")
    {
        HelpName = "none|gc|neighbour",
        Description = "Spoil the measurement: garbage in MiniVmm's heap, or a busy thread on the vCPU's host CPU",
        DefaultValueFactory = _ => "none",
    };
    private readonly Option<bool> _histogram = new("--histogram") { Description = "Draw each distribution" };
    private readonly Option<bool> _json = new("--json") { Description = "Write JSON instead of the tables" };
    private readonly Option<bool> _csv = new("--csv") { Description = "Write comma-separated values instead" };
    private readonly Option<string?> _html = new("--html")
    {
        HelpName = "FILE",
        Description = "Also write a page with the distributions plotted",
    };
    private readonly Option<string?> _image = new("--write-guest")
    {
        HelpName = "FILE",
        Description = "Only write the guest's memory image, for another monitor to run",
    };

    public BenchExitsCommand()
        : base("exits", "Measure what a vCPU exit costs, by kind, as a distribution")
    {
        Group(
            "What to measure",
            "minivmm bench exits --only pio-out,cpuid --count 100000 --pin 2,3",
            _only, _count, _warmup, _rounds, _seed, _pin, _disturb);
        Group(
            "Output",
            "minivmm bench exits --html exits.html --json > exits.json",
            _histogram, _json, _csv, _html, _image);
        SetAction(Run);
    }

    private int Run(ParseResult line)
    {
        if (line.GetValue(_only) is "help" or "?")
            return ExitTables.ListLoops();
        if (line.GetValue(_image) is { } image)
        {
            WriteFile(image, stream => stream.Write(new ExitGuest().Image.Span));
            return ExitStatus.Success;
        }

        MeasurementSettings settings = ReadSettings(line);
        bool json = line.GetValue(_json);
        bool csv = line.GetValue(_csv);
        if (json && csv)
            throw new BadInputException("--json and --csv both write to standard output; give one");
        string? page = line.GetValue(_html);
        if (page is not null)
            CheckWritable(page);
        ExitReport report = Measure(settings);
        if (page is not null)
            WriteFile(page, stream => ExitHtml.Write(report, stream));
        if (json)
        {
            using Stream output = Standard.OpenOutput();
            ExitJson.Write(report, output);
            output.Write("\n"u8);
        }
        else if (csv)
        {
            ExitCsv.Write(report, Standard.Output);
        }
        else
        {
            ExitTables.Print(report, line.GetValue(_histogram));
        }

        return Verdict(report);
    }

    private static ExitReport Measure(MeasurementSettings settings)
    {
        // Never disposed of: a signal's handler may still run when its registration is gone.
        CancellationTokenSource cancellation = new();
        using PosixSignalRegistration interrupt = Watch(PosixSignal.SIGINT, cancellation);
        using PosixSignalRegistration terminate = Watch(PosixSignal.SIGTERM, cancellation);
        if (!Standard.ErrorIsTerminal)
            return ExitMeasurement.Run(settings, _ => { }, cancellation.Token);
        return Tables.StandardError().Progress().AutoClear(true).Start(context =>
        {
            ProgressTask task = context.AddTask("measuring exits", maxValue: 1);
            return ExitMeasurement.Run(settings, done => task.Value = done, cancellation.Token);
        });
    }

    private static PosixSignalRegistration Watch(PosixSignal signal, CancellationTokenSource cancellation) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            cancellation.Cancel();
        });

    /// <summary>What cannot be trusted or was not had is said, and is the status.</summary>
    private static int Verdict(ExitReport report)
    {
        int status = ExitStatus.Success;
        if (report.NoStatistics is { } why)
        {
            Messages.Warning($"the kernel's own counts are not there to check against: {why}");
            status = ExitStatus.HostLimit;
        }

        foreach (LoopResult result in report.Loops.Where(result => result.Missing is not null))
        {
            Messages.Error($"{result.Loop.Name}: not measured: {result.Missing}");
            status = ExitStatus.HostLimit;
        }

        foreach (LoopResult result in report.Loops)
        {
            foreach (KernelCheck check in result.Checks.Where(check => check.Agrees == false))
            {
                Messages.Error(
                    $"{result.Loop.Name}: the kernel counted {check.Counted} {check.Counter}, and the loop "
                    + $"{check.Expected}; do not use its figures");
                status = ExitStatus.Untrusted;
            }
        }

        return status;
    }

    private MeasurementSettings ReadSettings(ParseResult line)
    {
        int rounds = ReadNumber(line, _rounds, 1, 1000);
        IReadOnlyList<int> pin = ReadPin(line.GetValue(_pin));
        if (pin.Count == 0 && line.GetValue(_disturb) == "neighbour")
            throw new BadInputException("--disturb neighbour: an unpinned vCPU has no neighbour; give --pin a CPU");
        int count = ReadNumber(line, _count, rounds, MostSamples);
        return new()
        {
            Loops = ReadLoops(line.GetValue(_only)),
            Count = count,
            Rounds = rounds,
            Warmup = ReadNumber(line, _warmup, 0, MostSamples),
            Seed = ReadNumber(line, _seed, 0, int.MaxValue),
            Pin = pin,
            Disturbance = line.GetValue(_disturb) switch
            {
                "none" => Disturbance.None,
                "gc" => Disturbance.Gc,
                "neighbour" => Disturbance.Neighbour,
                string other => throw new BadInputException($"--disturb {other}: write none, gc or neighbour"),
                null => Disturbance.None,
            },
        };
    }

    private static List<ExitLoop> ReadLoops(string? only)
    {
        if (only is null)
            return [.. ExitLoop.All];
        List<ExitLoop> loops = [];
        foreach (string name in only.Split(',').Distinct())
        {
            loops.Add(ExitLoop.All.FirstOrDefault(loop => loop.Name == name) ?? throw new BadInputException(
                $"--only {only}: no kind is called '{name}'; minivmm bench exits --only help lists them"));
        }

        return loops;
    }

    private static IReadOnlyList<int> ReadPin(string? text)
    {
        if (text == "none")
            return [];
        if (text is null)
            return [.. PinList.Allowed().Reverse().Take(2)];
        IReadOnlyList<int> cpus = PinText.Parse(text);
        if (cpus.Count > 2)
        {
            throw new BadInputException(
                $"--pin {text}: names {cpus.Count} host CPUs; name one for the vCPU, and one for the thread beside it");
        }

        PinList.Check(cpus);
        return cpus;
    }

    private static int ReadNumber(ParseResult line, Option<string> option, int least, int most)
    {
        string text = line.GetValue(option)!;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value)
            && value >= least && value <= most
            ? value
            : throw new BadInputException(
                $"{option.Name} {text}: not a whole number from {least.ToString("N0", CultureInfo.InvariantCulture)} "
                + $"to {most.ToString("N0", CultureInfo.InvariantCulture)}");
    }

    /// <summary>Before minutes of measuring; what the file holds stays.</summary>
    private static void CheckWritable(string path) => WriteFile(path, FileMode.OpenOrCreate, _ => { });

    private static void WriteFile(string path, Action<Stream> write) => WriteFile(path, FileMode.Create, write);

    private static void WriteFile(string path, FileMode mode, Action<Stream> write)
    {
        try
        {
            using FileStream stream = new(path, mode, FileAccess.Write);
            write(stream);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new BadInputException($"{path}: cannot be written: {e.Message}", e);
        }
    }
}
