using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Diagnostics;

Milestones milestones = new();
RootCommand root = new("MiniVmm boots small kernels and Linux on KVM, and shows how.")
{
    new RunCommand(milestones),
    new PsCommand(),
    new CtlCommand(),
    new Command("bench", "Measure what KVM and MiniVmm cost") { new BenchExitsCommand() },
};
return CommandLine.Invoke(root, args);
