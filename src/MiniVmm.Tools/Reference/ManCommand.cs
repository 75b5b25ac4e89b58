using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;

namespace MiniVmm.Tools.Reference;

/// <summary><c>minivmm man</c>: the manual page.</summary>
internal sealed class ManCommand : DocumentedCommand
{
    public ManCommand()
        : base("man", "Print the manual page, as in: minivmm man | man -l -") => SetAction(Run);

    private static int Run(ParseResult line)
    {
        foreach (string text in ManPage.Lines(line.RootCommandResult.Command))
            Standard.Output.WriteLine(text);
        return ExitStatus.Success;
    }
}
