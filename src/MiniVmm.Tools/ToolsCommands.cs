using System.CommandLine;
using System.CommandLine.Help;
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
        RootCommand root = new("MiniVmm boots small kernels and Linux on KVM, and shows how.")
        {
            run,
            new DebugCommand(run),
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
        };
        root.Options.Clear();
        root.Options.Add(new HelpOption("--help", CommandLine.HelpAliases) { Description = "Show this help", Action = new ShowHelp() });
        root.Options.Add(new VersionOption { Description = "Show the version" });
        return root;
    }
}
