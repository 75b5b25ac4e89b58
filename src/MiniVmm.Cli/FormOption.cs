using System.CommandLine;

namespace MiniVmm.Cli;

/// <summary>A switch that can say more behind an equals sign, as in <c>--explain=c</c>: the next word is never its value.</summary>
/// <param name="usual">What it means without a value.</param>
internal sealed class FormOption(string name, string usual) : Option<string?>(name)
{
    public string Usual => usual;
}
