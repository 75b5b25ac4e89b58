using System.Text;

namespace MiniVmm.Teaching;

/// <summary>Text in columns of 120 characters, as a terminal or a slide has them.</summary>
internal static class TextColumns
{
    /// <summary>Characters in a line at most, where words allow it.</summary>
    public const int Width = 120;

    /// <summary>A blank at which no line is broken.</summary>
    public const char Joint = '\u00a0';

    /// <summary>Writes a text behind what begins its line, and breaks it between words; the rest is indented.</summary>
    /// <param name="output">Gets whole lines.</param>
    /// <param name="first">What the line begins with.</param>
    /// <param name="indent">Where the text begins, in this line and in those that follow.</param>
    /// <param name="text">Words, a blank apart.</param>
    /// <param name="continued">Where the lines that follow begin, if not there too.</param>
    public static void Wrap(TextWriter output, string first, int indent, string text, int? continued = null)
    {
        StringBuilder line = new(first.PadRight(indent));
        bool isEmpty = true;
        foreach (string word in text.Split(' '))
        {
            if (!isEmpty && line.Length + 1 + word.Length > Width)
            {
                output.WriteLine(line.ToString().TrimEnd());
                line.Clear().Append(' ', continued ?? indent);
                isEmpty = true;
            }

            if (!isEmpty)
                line.Append(' ');
            line.Append(word.Replace(Joint, ' '));
            isEmpty = false;
        }

        output.WriteLine(line.ToString().TrimEnd());
    }
}
