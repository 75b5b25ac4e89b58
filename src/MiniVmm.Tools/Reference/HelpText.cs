using MiniVmm.Cli;

namespace MiniVmm.Tools.Reference;

/// <summary>A command's page as <c>--help</c> shows it: within a width, each long syntax on a line of its own.</summary>
internal static class HelpText
{
    /// <summary>Columns of a line, at most, however wide the terminal is.</summary>
    public const int MostColumns = 100;

    /// <summary>Columns below which nothing is wrapped any narrower.</summary>
    public const int FewestColumns = 40;

    private const int Indent = 2;
    private const int TextColumn = 24;
    private const int NarrowTextColumn = 8;
    private const int ContinuedSyntax = 8;

    public static IEnumerable<string> Lines(CommandPage page, int columns)
    {
        int width = Math.Clamp(columns, FewestColumns, MostColumns);
        foreach (string line in Wrap(Sentence(page.Description), width))
            yield return line;
        yield return "";
        foreach (string line in Hanging("Usage: ", page.Usage, width))
            yield return line;
        foreach (Section section in page.Sections)
        {
            yield return "";
            yield return section.Title;
            foreach (Entry entry in section.Entries)
            {
                foreach (string line in Lines(entry, width))
                    yield return line;
            }

            if (section.Example is not { } example)
                continue;
            foreach (string line in Hanging("  Example: ", example, width))
                yield return line;
        }
    }

    /// <summary>A text's words in lines no wider than that; a longer word has a line to itself.</summary>
    public static IEnumerable<string> Wrap(string text, int width) => Fill(text.Split(' '), " ", width, width);

    private static IEnumerable<string> Lines(Entry entry, int width)
    {
        int column = width < 2 * TextColumn ? NarrowTextColumn : TextColumn;
        List<string> text = [.. Wrap(entry.Text, width - column)];
        bool beside = Indent + entry.Syntax.Length + 2 <= column;
        if (beside)
        {
            yield return $"{new string(' ', Indent)}{entry.Syntax}".PadRight(column) + text[0];
            text.RemoveAt(0);
        }
        else
        {
            int indent = Indent;
            foreach (string line in Fill(Pieces(entry.Syntax), "", width - Indent, width - ContinuedSyntax))
            {
                yield return new string(' ', indent) + line;
                indent = ContinuedSyntax;
            }
        }

        foreach (string line in text)
            yield return new string(' ', column) + line;
    }

    private static IEnumerable<string> Hanging(string start, string text, int width)
    {
        string before = start;
        foreach (string line in Wrap(text, width - start.Length))
        {
            yield return before + line;
            before = new string(' ', start.Length);
        }
    }

    /// <summary>A syntax, cut before each [ and | outside a bracket, where a line may break.</summary>
    private static List<string> Pieces(string syntax)
    {
        List<string> pieces = [];
        int start = 0;
        int depth = 0;
        for (int i = 0; i < syntax.Length; i++)
        {
            if (i > start && depth == 0 && syntax[i] is '[' or '|')
            {
                pieces.Add(syntax[start..i]);
                start = i;
            }

            depth += syntax[i] switch { '[' => 1, ']' => -1, _ => 0 };
        }

        pieces.Add(syntax[start..]);
        return pieces;
    }

    private static IEnumerable<string> Fill(IEnumerable<string> pieces, string between, int first, int rest)
    {
        string line = "";
        int width = first;
        foreach (string piece in pieces)
        {
            if (line.Length > 0 && line.Length + between.Length + piece.Length > width)
            {
                yield return line;
                line = piece;
                width = rest;
            }
            else
            {
                line = line.Length == 0 ? piece : line + between + piece;
            }
        }

        yield return line;
    }

    private static string Sentence(string text) => text.EndsWith('.') ? text : $"{text}.";
}
