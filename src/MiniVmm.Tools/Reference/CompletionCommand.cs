using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;

namespace MiniVmm.Tools.Reference;

/// <summary><c>minivmm completion</c>: what a shell needs to complete command lines.</summary>
internal sealed class CompletionCommand : DocumentedCommand
{
    private readonly Argument<string> _shell = new("SHELL")
    {
        HelpName = "bash|zsh|fish",
        Description = "The shell to complete for",
    };

    public CompletionCommand()
        : base("completion", "Print a shell's completion script, as in: eval \"$(minivmm completion bash)\"")
    {
        Arguments.Add(_shell);
        SetAction(Run);
    }

    private int Run(ParseResult line)
    {
        Command root = line.RootCommandResult.Command;
        IEnumerable<string> script = line.GetValue(_shell) switch
        {
            "bash" => BashCompletion.Script(root),
            "zsh" => ZshCompletion.Script(root),
            "fish" => FishCompletion.Script(root),
            string other => throw new BadInputException($"completion {other}: write bash, zsh or fish"),
            null => [],
        };
        foreach (string text in script)
            Standard.Output.WriteLine(text);
        return ExitStatus.Success;
    }
}
