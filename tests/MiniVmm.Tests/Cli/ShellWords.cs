using System.Text;

namespace MiniVmm.Tests.Cli;

/// <summary>Command lines of minivmm in shell text: words by the shell's quotes, up to a redirection or a pipe.</summary>
internal static class ShellWords
{
    /// <summary>The arguments of each minivmm that a line starts.</summary>
    public static IEnumerable<string[]> CommandLines(string line)
    {
        List<string>? words = null;
        foreach (string word in Split(line).Append(";"))
        {
            if (word is ";" or "|" or "&" or "#" or ">" or "<" or ">>")
            {
                if (words is not null)
                    yield return [.. words];
                words = null;
                if (word == "#")
                    yield break;
            }
            else if (words is null && (word == "minivmm" || word.EndsWith("/minivmm", StringComparison.Ordinal)))
            {
                words = [];
            }
            else
            {
                words?.Add(word);
            }
        }
    }

    private static IEnumerable<string> Split(string line)
    {
        StringBuilder word = new();
        bool started = false;
        char quote = '\0';
        foreach (char letter in line)
        {
            if (quote != '\0')
            {
                if (letter == quote)
                    quote = '\0';
                else
                    word.Append(letter);
            }
            else if (letter is '"' or '\'')
            {
                quote = letter;
                started = true;
            }
            else if (char.IsWhiteSpace(letter)
                || letter is ';' or '|' or '&' or '>' or '<' or ')'
                || (letter == '#' && !started))
            {
                if (started)
                    yield return word.ToString();
                word.Clear();
                started = false;
                if (!char.IsWhiteSpace(letter))
                    yield return letter == ')' ? ";" : letter.ToString();
            }
            else
            {
                word.Append(letter);
                started = true;
            }
        }

        if (started)
            yield return word.ToString();
    }
}
