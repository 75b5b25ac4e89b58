using System.CommandLine;
using System.CommandLine.Invocation;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;

namespace MiniVmm.Tools.Reference;

/// <summary><c>--help</c>, of whichever command it stands behind.</summary>
internal sealed class ShowHelp : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult)
    {
        CommandPage page = CommandPage.Of(parseResult.CommandResult.Command);
        foreach (string line in HelpText.Lines(page, Standard.OutputColumns ?? HelpText.MostColumns))
            Standard.Output.WriteLine(line);
        return ExitStatus.Success;
    }
}
