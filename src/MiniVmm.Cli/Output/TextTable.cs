using System.Text;

namespace MiniVmm.Cli.Output;

/// <summary>
/// A table as MiniVmm's all look: no lines, columns two blanks apart, numbers to the right. Written here for what a
/// machine's own process prints: Spectre.Console, which minivmm-tools has, would cost each machine 0.3 MiB.
/// </summary>
/// <param name="headers">The columns; those of numbers begin with <c>&gt;</c>.</param>
internal sealed class TextTable(params string[] headers)
{
    private readonly List<string[]> _rows = [];

    /// <param name="cells">As many as there are columns.</param>
    public void AddRow(params string[] cells) => _rows.Add(cells);

    public void Write(TextWriter writer)
    {
        bool[] isNumber = new bool[headers.Length];
        string[] titles = new string[headers.Length];
        int[] widths = new int[headers.Length];
        for (int i = 0; i < headers.Length; i++)
        {
            isNumber[i] = headers[i] is ['>', ..];
            titles[i] = isNumber[i] ? headers[i][1..] : headers[i];
            widths[i] = titles[i].Length;
            foreach (string[] row in _rows)
                widths[i] = Math.Max(widths[i], row[i].Length);
        }

        writer.WriteLine(Line(titles, widths, isNumber));
        foreach (string[] row in _rows)
            writer.WriteLine(Line(row, widths, isNumber));
    }

    private static string Line(string[] cells, int[] widths, bool[] isNumber)
    {
        StringBuilder line = new();
        for (int i = 0; i < cells.Length; i++)
        {
            line.Append(isNumber[i] ? cells[i].PadLeft(widths[i]) : cells[i].PadRight(widths[i]));
            line.Append("  ");
        }

        return line.ToString().TrimEnd();
    }
}
