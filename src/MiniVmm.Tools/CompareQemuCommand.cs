using System.CommandLine;
using System.Globalization;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Configuration;
using MiniVmm.Machine;
using MiniVmm.Teaching.Compare;

namespace MiniVmm.Tools;

/// <summary><c>minivmm compare-qemu</c>: a kernel under MiniVmm and under QEMU, and what each had KVM do for it.</summary>
internal sealed class CompareQemuCommand : DocumentedCommand
{
    private const string DefaultProgram = "qemu-system-x86_64";
    private const int MostRows = 1_000_000;

    private static readonly string[] Machines = ["pc", "q35", "microvm"];

    private readonly Argument<string> _kernel = new("GUEST") { Description = "A kernel that QEMU's -kernel takes: multiboot 1, PVH or bzImage" };
    private readonly Option<string?> _append = new("--append") { HelpName = "TEXT", Description = "The kernel's command line" };
    private readonly Option<string?> _initrd = new("--initrd") { HelpName = "FILE", Description = "Initial RAM disk" };
    private readonly Option<string> _smp = new("--smp")
    {
        HelpName = "N[,sockets=S][,cores=C][,threads=T]",
        Description = "vCPUs and their topology",
        DefaultValueFactory = _ => "1",
    };
    private readonly Option<string> _mem = new("--mem", "-m")
    {
        HelpName = "SIZE",
        Description = "RAM",
        DefaultValueFactory = _ => "128M",
    };
    private readonly Option<string> _cpu = new("--cpu")
    {
        HelpName = "MODEL",
        Description = "CPU model of both, QEMU's default",
        DefaultValueFactory = _ => "qemu64",
    };
    private readonly Option<string> _machine = new("--machine")
    {
        HelpName = "pc|q35|microvm",
        Description = "QEMU's machine",
        DefaultValueFactory = _ => "pc",
    };
    private readonly Option<string> _qemu = new("--qemu")
    {
        HelpName = "PROGRAM",
        Description = "The QEMU to start",
        DefaultValueFactory = _ => DefaultProgram,
    };
    private readonly Option<string> _timeout = new("--timeout")
    {
        HelpName = "SECONDS",
        Description = "Longest run of each",
        DefaultValueFactory = _ => "60",
    };
    private readonly Option<string> _rows = new("--rows")
    {
        HelpName = "N",
        Description = "Most rows of a vCPU's exits beside each other",
        DefaultValueFactory = _ => "60",
    };
    private readonly Option<bool> _json = new("--json") { Description = "Write JSON instead of text" };

    public CompareQemuCommand()
        : base("compare-qemu", "Run a kernel under MiniVmm and under QEMU, and show their calls to KVM and exits side by side")
    {
        Arguments.Add(_kernel);
        Group("Guest", "minivmm compare-qemu --smp 2 --append \"some words\" KERNEL", _append, _initrd, _smp, _mem, _cpu, _timeout);
        Group("QEMU", "minivmm compare-qemu --machine microvm KERNEL", _machine, _qemu);
        Group("Output", "minivmm compare-qemu --json KERNEL", _rows, _json);
        SetAction(Run);
    }

    public override IReadOnlyList<Section> Details =>
    [
        new("Exit status",
        [
            new("0", "Both were compared, however the guest ended"),
            new("124", "Compared up to where one's time ran out"),
            new("2, 4, 130", "As everywhere: bad arguments or files; no KVM or no QEMU; interrupted"),
        ]),
    ];

    private int Run(ParseResult line)
    {
        string kernel = line.GetValue(_kernel)!;
        MachineOptions options = ReadOptions(line, kernel);
        QemuMachine qemu = new()
        {
            Program = QemuRun.Find(line.GetValue(_qemu)!),
            Type = ReadMachine(line.GetValue(_machine)!),
            Kernel = kernel,
            Initrd = line.GetValue(_initrd),
            CommandLine = line.GetValue(_append) ?? "",
            Cpu = line.GetValue(_cpu)!,
            Smp = line.GetValue(_smp)!,
            Ram = options.Memory.Size,
        };
        TimeSpan timeout = SecondsText.Parse(line.GetValue(_timeout)!, OptionName.Timeout);
        int rows = ReadRows(line.GetValue(_rows)!);
        using EndSignals signals = new();
        try
        {
            MonitorRun own = MiniVmmMachine.Run(options, timeout, ExitStatus.Of, Messages.Warning, signals.Cancellation);
            (MonitorRun other, QemuTraceReader trace) = QemuRun.Run(qemu, timeout, signals.Cancellation);
            Comparison comparison = new() { Guest = kernel, MiniVmm = own, Qemu = other, Remarks = [.. Remarks(own, other, trace)] };
            if (line.GetValue(_json))
                Answers.WriteJson(writer => ComparisonJson.Write(writer, comparison));
            else
                new ComparisonText(Standard.Output, table => Answers.Print([table]), rows).Write(comparison);
            return own.TimedOut || other.TimedOut ? ExitStatus.Timeout : ExitStatus.Success;
        }
        catch (OperationCanceledException)
        {
            return ExitStatus.Interrupted;
        }
    }

    private MachineOptions ReadOptions(ParseResult line, string kernel)
    {
        MachineOptions options = new MachineOptions { Kernel = kernel }
            .With(OptionName.Smp, line.GetValue(_smp)!)
            .With(OptionName.Mem, line.GetValue(_mem)!)
            .With(OptionName.Cpu, line.GetValue(_cpu)!);
        if (line.GetValue(_append) is { } append)
            options = options.With(OptionName.Append, append);
        if (line.GetValue(_initrd) is { } initrd)
            options = options.With(OptionName.Initrd, initrd);
        return options;
    }

    private static string ReadMachine(string text) => Machines.Contains(text)
        ? text
        : throw new BadInputException($"--machine {text}: not pc, q35 or microvm");

    private static int ReadRows(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int rows) && rows is > 0 and <= MostRows
            ? rows
            : throw new BadInputException($"--rows {text}: not a whole number from 1 to {MostRows}");

    private static IEnumerable<string> Remarks(MonitorRun own, MonitorRun other, QemuTraceReader trace)
    {
        yield return "a kind's time is what the monitor takes from the exit to the vCPU's next KVM_RUN, with its own trace switched on. "
            + $"QEMU's clock has whole microseconds, and its trace has two lines or more in each exit, of at most {trace.LineCost} us each "
            + "(from one KVM_CHECK_EXTENSION to the next, median).";
        yield return "QEMU's trace has an exit's reason alone; what was accessed is what its devices saw before the next KVM_RUN.";
        if (!trace.HasLoadedKernel)
            yield return "QEMU's firmware has not read the kernel by fw_cfg: all of its exits are counted as the firmware's.";
        if (other.Trace.Coalesced > 0)
            yield return $"QEMU's devices got {other.Trace.Coalesced} writes that KVM had gathered: they made no exits of their own.";
        if (trace.BadLines > 0)
            yield return $"{trace.BadLines} lines of QEMU's trace could not be read.";
        foreach (MonitorRun run in (MonitorRun[])[own, other])
        {
            if (run.Trace.Dropped > 0)
                yield return $"{run.Monitor}: {run.Trace.Dropped} exits more are counted, and not compared.";
        }
    }
}
