using MiniVmm.Cli;
using MiniVmm.Cli.Qemu;
using MiniVmm.Diagnostics;
using MiniVmm.Host;
using MiniVmm.Tools;
using MiniVmm.Tools.Qemu;

Linux.IgnoreFileSizeSignal(); // reports and redirected output report EFBIG instead
Milestones milestones = new();
return CommandLine.Run(() =>
{
    if (QemuCommand.IsAsked(Environment.GetCommandLineArgs()[0], args, out ReadOnlySpan<string> options))
        return QemuQuestion.Find(options) is { } question ? QemuHelp.Print(question) : QemuCommand.Run(milestones, options);
    return CommandLine.Invoke(CommandLine.Parse(ToolsCommands.Create(milestones), args));
});
