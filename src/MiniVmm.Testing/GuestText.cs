using System.Text;

namespace MiniVmm.Testing;

/// <summary>A line of a guest's, or a piece of a long one.</summary>
/// <param name="Text">Without its end, escape sequences and control characters.</param>
/// <param name="IsStart">Whether it is the line's beginning.</param>
/// <param name="Seen">Characters at its beginning that the piece before ended with.</param>
internal readonly record struct GuestLine(string Text, bool IsStart, int Seen);

/// <summary>
/// A console's bytes, however they are split, as lines: ended by "\n", "\r\n", "\n\r" or "\r"; without ANSI escape
/// sequences (ECMA-48) and control characters; backspaces take letters back. Bounded, whatever the guest prints.
/// </summary>
/// <param name="take">Gets the lines.</param>
internal sealed class GuestText(Action<GuestLine> take)
{
    /// <summary>Bytes of a line that are held; a longer one comes in pieces.</summary>
    public const int LongestPiece = 16 * 1024;

    /// <summary>Bytes that two pieces share, so that a text on the border is in one of them: UTF-8 takes up to 3 a character.</summary>
    public const int Overlap = 4 * Expectation.LongestText;

    private readonly byte[] _line = new byte[LongestPiece];
    private State _state;
    private int _length;
    private int _seen; // bytes at the beginning that belong to the piece before
    private bool _return; // a carriage return, and nothing since

    private enum State
    {
        Text,
        Escape,
        Sequence, // ESC [ … up to a final byte
        Intermediate, // ESC and a byte of 0x20–0x2f: one more follows
        String, // ESC ] … up to BEL or ESC \
        StringEscape,
    }

    /// <summary>The line that is not ended yet.</summary>
    public string Unfinished => Decode(_line.AsSpan(0, _length));

    /// <summary>Takes the next bytes.</summary>
    public void Take(ReadOnlySpan<byte> bytes)
    {
        foreach (byte letter in bytes)
            _state = Next(letter);
    }

    /// <summary>Nothing follows: the last line needs no end.</summary>
    public void End()
    {
        if (_length > _seen)
            EndLine();
        _length = _seen = 0;
        _return = false;
    }

    private State Next(byte letter) => _state switch
    {
        // CAN and SUB cancel a sequence; another ESC begins one; a line's end is never a part of one.
        not State.Text when letter is 0x18 or 0x1a => State.Text,
        not State.Text when letter is (byte)'\n' or (byte)'\r' => Text(letter),
        State.Text when letter == 0x1b => State.Escape,
        State.Text => Text(letter),
        State.Escape => letter switch
        {
            (byte)'[' => State.Sequence,
            (byte)']' or (byte)'P' or (byte)'X' or (byte)'^' or (byte)'_' => State.String,
            0x1b => State.Escape,
            >= 0x20 and <= 0x2f => State.Intermediate,
            _ => State.Text,
        },
        State.Sequence => letter switch
        {
            0x1b => State.Escape,
            >= 0x40 and <= 0x7e => State.Text,
            _ => State.Sequence,
        },
        State.Intermediate => letter switch
        {
            0x1b => State.Escape,
            >= 0x20 and <= 0x2f => State.Intermediate,
            _ => State.Text,
        },
        State.String => letter switch
        {
            0x07 => State.Text,
            0x1b => State.StringEscape,
            _ => State.String,
        },
        _ => letter == (byte)'\\' ? State.Text : State.String,
    };

    private State Text(byte letter)
    {
        switch (letter)
        {
            case (byte)'\n':
                EndLine();
                _return = false;
                return State.Text;
            case (byte)'\r':
                _return = true;
                return State.Text;
        }

        // A return without a line feed starts the line again: what it held is a line of its own.
        if (_return && _length > _seen)
            EndLine();
        _return = false;
        if (letter == '\b')
            _length = Math.Max(_length - 1, _seen);
        else if (letter is >= 0x20 and not 0x7f or (byte)'\t')
            Append(letter);
        return State.Text;
    }

    private void Append(byte letter)
    {
        if (_length == LongestPiece)
        {
            Hand();
            _line.AsSpan(LongestPiece - Overlap).CopyTo(_line);
            _length = _seen = Overlap;
        }

        _line[_length++] = letter;
    }

    private void EndLine()
    {
        if (_seen == 0 || _length > _seen)
            Hand();
        _length = _seen = 0;
    }

    private void Hand() => take(new(
        Decode(_line.AsSpan(0, _length)), _seen == 0, _seen == 0 ? 0 : Decode(_line.AsSpan(0, _seen)).Length));

    /// <summary>UTF-8, with U+FFFD for what is none and for the control characters of 0x80 to 0x9f.</summary>
    private static string Decode(ReadOnlySpan<byte> line)
    {
        string text = Encoding.UTF8.GetString(line);
        return text.Any(IsControl)
            ? string.Create(text.Length, text, static (plain, text) =>
            {
                for (int i = 0; i < plain.Length; i++)
                    plain[i] = IsControl(text[i]) ? '\ufffd' : text[i];
            })
            : text;
    }

    private static bool IsControl(char letter) => char.IsControl(letter) && letter != '\t';
}
