using CsCheck;
using MiniVmm.Tools;
using Spectre.Console;

namespace MiniVmm.Tests.Cli;

public sealed class UnpaddedWriterTests
{
    private static readonly Gen<string[]> Pieces = Gen.Int[0, 8].Select(i => ((string[])[" ", "  ", "\n", "a", " b", "c ", " \n", "\u00e9", ""])[i]).Array[0, 30];

    [Fact]
    public void A_table_in_a_pipe_has_no_line_that_ends_in_a_blank()
    {
        Table table = Tables.New("name", ">count", "what");
        table.AddRow("a  b", "1", "");
        table.AddRow("longer", "12,345", "something");

        Assert.Equal("name     count  what\na  b         1\nlonger  12,345  something\n", Written(isTerminal: false, console => console.Write(table)));
    }

    [Fact]
    public void A_terminal_gets_what_it_always_got() =>
        Assert.EndsWith("a \n", Written(isTerminal: true, console => console.Write("a \n")), StringComparison.Ordinal);

    [Fact]
    public void However_a_text_comes_only_blanks_before_an_end_are_left_out() => Pieces.Sample(pieces =>
    {
        StringWriter whole = new(), letters = new();
        using UnpaddedWriter writer = new(whole), slow = new(letters);
        foreach (string piece in pieces)
        {
            writer.Write(piece);
            foreach (char letter in piece)
                slow.Write(letter);
        }

        string expected = string.Join('\n', string.Concat(pieces).Split('\n').Select(line => line.TrimEnd(' ')));
        Assert.Equal(expected, whole.ToString());
        Assert.Equal(expected, letters.ToString());
    });

    private static string Written(bool isTerminal, Action<IAnsiConsole> write)
    {
        StringWriter text = new() { NewLine = "\n" };
        write(Tables.On(new TerminalOutput(text, isTerminal, columns: 80)));
        return text.ToString();
    }
}
