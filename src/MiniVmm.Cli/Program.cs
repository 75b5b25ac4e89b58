using MiniVmm.Cli;
using MiniVmm.Diagnostics;

return CommandLine.Run(new Milestones(), Environment.GetCommandLineArgs()[0], args);
