using System.CommandLine;
using System.CommandLine.Invocation;

namespace MiniVmm.Cli;

/// <summary>Leaves <c>--help</c> to minivmm-tools, whatever else stands on the command line.</summary>
internal sealed class AskTools : SynchronousCommandLineAction
{
    public override bool ClearsParseErrors => true;

    public override int Invoke(ParseResult parseResult) => ToolsProgram.Become();
}
