using MiniVmm.Cli;
using MiniVmm.Cli.Qemu;
using MiniVmm.Diagnostics;

Milestones milestones = new();
return CommandLine.Run(() =>
{
    if (QemuCommand.IsAsked(Environment.GetCommandLineArgs()[0], args, out ReadOnlySpan<string> options))
        return QemuQuestion.Find(options) is null ? QemuCommand.Run(milestones, options) : ToolsProgram.Become();
    return args is ["run", ..] ? CommandLine.RunMachine(milestones, args) : ToolsProgram.Become();
});
