using System.Text.Json;
using MiniVmm.Cli;
using MiniVmm.Cli.Output;
using MiniVmm.Control;
using Spectre.Console;

namespace MiniVmm.Tools;

/// <summary>Answers of control sockets on standard output.</summary>
internal static class Answers
{
    public static void WriteJson(Action<Utf8JsonWriter> write)
    {
        using Stream output = Standard.OpenOutput();
        using (Utf8JsonWriter writer = new(output, new JsonWriterOptions { Indented = true }))
            write(writer);
        output.Write("\n"u8);
    }

    /// <summary>Tables, with a blank line between them.</summary>
    public static void Print(IReadOnlyList<AnswerTable> tables)
    {
        IAnsiConsole console = Tables.StandardOutput();
        for (int i = 0; i < tables.Count; i++)
        {
            if (i > 0)
                console.WriteLine();
            console.Write(Table(tables[i]));
        }
    }

    private static Table Table(AnswerTable answer)
    {
        Table table = Tables.New([.. answer.Columns.Select(column => column.IsNumber ? $">{column.Title}" : column.Title)]);
        foreach (IReadOnlyList<string> row in answer.Rows)
            table.AddRow([.. row.Select(cell => Markup.Escape(Messages.Printable(cell)))]);
        return table;
    }
}
