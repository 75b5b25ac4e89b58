using System.CommandLine;
using System.CommandLine.Invocation;
using System.Globalization;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;

namespace MiniVmm.Tools.Reference;

/// <summary><c>--help</c>, of whichever command it stands behind.</summary>
internal sealed class ShowHelp : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    /// <summary>Columns of the terminal; where there is none, of the one that COLUMNS tells of.</summary>
    public static int Width => Standard.OutputColumns
        ?? (int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), NumberStyles.None, CultureInfo.InvariantCulture, out int columns)
            ? columns
            : HelpText.MostColumns);

    public override int Invoke(ParseResult parseResult)
    {
        CommandPage page = CommandPage.Of(parseResult.CommandResult.Command);
        foreach (string line in HelpText.Lines(page, Width))
            Standard.Output.WriteLine(line);
        return ExitStatus.Success;
    }
}
