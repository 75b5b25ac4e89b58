using MiniVmm.Cli.Output;
using Spectre.Console;

namespace MiniVmm.Tools;

/// <summary>The look of MiniVmm's tables: no lines, columns two blanks apart, numbers to the right.</summary>
internal static class Tables
{
    public static Table New(params ReadOnlySpan<string> headers)
    {
        Table table = new Table().Border(TableBorder.None);
        foreach (string header in headers)
        {
            bool number = header.StartsWith('>');
            TableColumn column =
                new TableColumn(Markup.Escape(number ? header[1..] : header)).Padding(0, 0, 2, 0).NoWrap();
            table.AddColumn(number ? column.RightAligned() : column);
        }

        return table;
    }

    /// <summary>Standard error, in colour only on a terminal, and never cut to a width where it is not one.</summary>
    public static IAnsiConsole StandardError() =>
        On(new TerminalOutput(Standard.Error, Standard.ErrorIsTerminal, Standard.ErrorColumns));

    /// <summary>Standard output, likewise.</summary>
    public static IAnsiConsole StandardOutput() =>
        On(new TerminalOutput(Standard.Output, Standard.OutputIsTerminal, Standard.OutputColumns));

    /// <summary>Any other output.</summary>
    public static IAnsiConsole On(TerminalOutput output) => AnsiConsole.Create(new AnsiConsoleSettings
    {
        Ansi = output.IsTerminal ? AnsiSupport.Detect : AnsiSupport.No,
        ColorSystem = output.IsTerminal ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
        Out = output,
    });
}
