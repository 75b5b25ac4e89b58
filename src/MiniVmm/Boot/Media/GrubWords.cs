using System.Text;

namespace MiniVmm.Boot.Media;

/// <summary>
/// Splits a GRUB script into statements of words, and replaces variables in them (GRUB manual, "Writing full configuration
/// files directly"). The blocks of menu entries come as words that are { and }.
/// </summary>
internal sealed class GrubWords(string text, Func<string, string> variable)
{
    private int _at;
    private List<string>? _returned;

    /// <summary>Whether there is nothing left.</summary>
    public bool IsAtEnd => _at >= text.Length && _returned is null;

    /// <summary>Gives words back, to be the next statement.</summary>
    public void Return(List<string> words) => _returned = words;

    /// <summary>The next statement's words; none for an empty one.</summary>
    public List<string> Next()
    {
        if (_returned is { } returned)
        {
            _returned = null;
            return returned;
        }

        List<string> words = [];
        StringBuilder? word = null;
        while (_at < text.Length)
        {
            char letter = text[_at++];
            switch (letter)
            {
                case '\n' or ';':
                    End();
                    return words;
                case ' ' or '\t' or '\r':
                    End();
                    break;
                case '#' when word is null:
                    while (_at < text.Length && text[_at] != '\n')
                        _at++;
                    break;
                case '}' when word is null && words.Count > 0:
                    _at--; // a statement of its own
                    return words;
                case '{' or '}' when word is null:
                    words.Add(letter.ToString());
                    return words; // what follows belongs inside, or behind
                case '\\' when _at < text.Length:
                    if (text[_at] == '\r' && _at + 1 < text.Length)
                        _at++;
                    if (text[_at] != '\n')
                        (word ??= new()).Append(text[_at]);
                    _at++;
                    break;
                case '\'':
                    word ??= new();
                    while (_at < text.Length && text[_at] != '\'')
                        word.Append(text[_at++]);
                    _at++;
                    break;
                case '"':
                    Quoted(word ??= new());
                    break;
                case '$':
                    // Nothing makes no word, unless in quotes.
                    if (Variable() is { Length: > 0 } value)
                        (word ??= new()).Append(value);
                    break;
                default:
                    (word ??= new()).Append(letter);
                    break;
            }
        }

        End();
        return words;

        void End()
        {
            if (word is not null)
                words.Add(word.ToString());
            word = null;
        }
    }

    private void Quoted(StringBuilder word)
    {
        while (_at < text.Length && text[_at] != '"')
        {
            char letter = text[_at++];
            if (letter == '\\' && _at < text.Length && text[_at] is '"' or '\\' or '$')
                word.Append(text[_at++]);
            else if (letter == '$')
                word.Append(Variable());
            else
                word.Append(letter);
        }

        _at++;
    }

    private string Variable()
    {
        bool isBraced = _at < text.Length && text[_at] == '{';
        int start = isBraced ? _at + 1 : _at;
        int end = start;
        while (end < text.Length && (char.IsAsciiLetterOrDigit(text[end]) || text[end] is '_' or '?' or '@' or '*' or '#'))
            end++;
        if (isBraced && (end >= text.Length || text[end] != '}'))
            return "$";
        _at = isBraced ? end + 1 : end;
        return variable(text[start..end]);
    }
}
