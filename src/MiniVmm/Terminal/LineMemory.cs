namespace MiniVmm.Terminal;

/// <summary>The last lines of a text, to be found again and forgotten; without carriage returns. Allocates nothing.</summary>
/// <param name="capacity">Bytes; the oldest lines give way.</param>
internal sealed class LineMemory(int capacity)
{
    private readonly byte[] _text = new byte[capacity];
    private bool _restOfLineForgotten; // so that its end is not remembered as an empty line

    /// <summary>Bytes remembered.</summary>
    public int Length { get; private set; }

    private ReadOnlySpan<byte> Text => _text.AsSpan(0, Length);

    public void Add(byte value)
    {
        bool forgotten = _restOfLineForgotten;
        if (value == '\r')
            return;
        _restOfLineForgotten = false;
        if (forgotten && value == '\n')
            return;
        if (Length == _text.Length)
            ForgetTo(Text[(Length / 2)..].IndexOf((byte)'\n') is >= 0 and int end ? (Length / 2) + end + 1 : Length);
        _text[Length++] = value;
    }

    public void Clear() => Length = 0;

    /// <summary>A line came to its end that is not to be remembered.</summary>
    public void SkipLine() => _restOfLineForgotten = false;

    /// <summary>Whether a line starts like this; the prefix may be a whole line with its end.</summary>
    public bool StartsLine(ReadOnlySpan<byte> prefix)
    {
        for (int start = 0; start < Length; start = EndOfLine(start) + 1)
        {
            if (Text[start..].StartsWith(prefix))
                return true;
        }

        return false;
    }

    /// <summary>Whether the last line has no end yet, and is this.</summary>
    public bool EndsWithPart(ReadOnlySpan<byte> part) => Text[(Text.LastIndexOf((byte)'\n') + 1)..].SequenceEqual(part);

    /// <summary>
    /// Forgets all up to the first line that is this one; carriage returns and its end do not count. The last line need
    /// not have come to its end.
    /// </summary>
    /// <returns>Whether there is such a line; true for nothing at all.</returns>
    public bool TryForgetThrough(ReadOnlySpan<byte> line)
    {
        if (line.IsEmpty)
            return true;
        ReadOnlySpan<byte> wanted = line.TrimEnd("\r\n"u8);
        for (int start = 0; start < Length;)
        {
            int end = EndOfLine(start);
            if (Text[start..end].SequenceEqual(wanted))
            {
                _restOfLineForgotten = end == Length;
                ForgetTo(Math.Min(end + 1, Length));
                return true;
            }

            start = end + 1;
        }

        return false;
    }

    private int EndOfLine(int start) => Text[start..].IndexOf((byte)'\n') is >= 0 and int length ? start + length : Length;

    private void ForgetTo(int start)
    {
        Text[start..].CopyTo(_text);
        Length -= start;
    }
}
