using System.Text;
using Spectre.Console;

namespace MiniVmm.Tools;

/// <summary>Tells Spectre of standard output or error what it would ask Console for.</summary>
internal sealed class TerminalOutput(TextWriter writer, bool isTerminal, int? columns) : IAnsiConsoleOutput
{
    /// <summary>Columns where nobody says how many there are: tables are not cut to a terminal's width.</summary>
    private const int Unlimited = 200;

    public TextWriter Writer { get; } = isTerminal ? writer : new UnpaddedWriter(writer);

    public bool IsTerminal => isTerminal;

    public int Width => columns ?? (isTerminal ? 80 : Unlimited);

    public int Height => 24;

    public void SetEncoding(Encoding encoding)
    {
        // It is UTF-8.
    }
}
