using Spectre.Console;

namespace MiniVmm.Cli;

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
    public static IAnsiConsole StandardError() => Create(Console.Error, Console.IsErrorRedirected);

    /// <summary>Standard output, likewise.</summary>
    public static IAnsiConsole StandardOutput() => Create(Console.Out, Console.IsOutputRedirected);

    private static IAnsiConsole Create(TextWriter writer, bool redirected)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Out = new AnsiConsoleOutput(writer),
        });
        if (redirected)
            console.Profile.Width = 200;
        return console;
    }
}
