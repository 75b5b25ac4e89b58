using System.CommandLine;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Control;

namespace MiniVmm.Tools.Reference;

/// <summary>
/// <c>minivmm schema</c>: docs/control.schema.json. For those who work on MiniVmm: help
/// does not show it.
/// </summary>
internal sealed class SchemaCommand : Command
{
    public SchemaCommand()
        : base("schema", "Print the JSON schema of the control sockets' protocol")
    {
        Hidden = true;
        SetAction(Run);
    }

    private static int Run(ParseResult line)
    {
        using Stream output = Standard.OpenOutput();
        ProtocolSchema.Write(output, ControlVerbs.All);
        return ExitStatus.Success;
    }
}
