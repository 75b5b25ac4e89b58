using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Diagnostics;
using MiniVmm.Tools.Qemu;
using MiniVmm.Tools.Reference;

namespace MiniVmm.Tools;

/// <summary>All commands, in the order in which help shows them.</summary>
internal static class ToolsCommands
{
    public static RootCommand Create(Milestones milestones)
    {
        ToolsRunCommand run = new(milestones);
        return CommandLine.WithHelp(
            [
                run,
                new DebugCommand(run, milestones),
                new TestCommand(),
                new TraceCommand(),
                new QemuUsage(),
                new ServeCommand(),
                new PsCommand(),
                TopCommand.OfAll(),
                TopCommand.OfOne(),
                new CtlCommand(),
                new DevicesCommand(),
                new DoctorCommand(),
                new CpuidCommand(),
                new CompareQemuCommand(),
                new Command("bench", "Measure what KVM and MiniVmm cost") { new BenchExitsCommand() },
                new CompletionCommand(),
                new ManCommand(),
                new SchemaCommand(),
            ],
            new ShowHelp());
    }
}
