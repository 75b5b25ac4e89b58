using MiniVmm.Cli;
using MiniVmm.Diagnostics;

return CommandLine.Run(new Milestones(), args);
