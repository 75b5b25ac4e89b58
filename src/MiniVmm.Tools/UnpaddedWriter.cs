using System.Text;

namespace MiniVmm.Tools;

/// <summary>
/// Passes text on without the blanks that lines end in: tables are padded to their width, which is for terminals alone. Blanks are kept
/// until it is known what follows.
/// </summary>
internal sealed class UnpaddedWriter(TextWriter inner) : TextWriter
{
    private int _blanks;

    public override Encoding Encoding => inner.Encoding;

    public override void Write(char value) => Write([value]);

    public override void Write(string? value) => Write(value.AsSpan());

    public override void Write(char[] buffer, int index, int count) => Write(buffer.AsSpan(index, count));

    public override void Write(ReadOnlySpan<char> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int end = buffer.IndexOf('\n');
            ReadOnlySpan<char> line = end < 0 ? buffer : buffer[..end];
            ReadOnlySpan<char> text = line.TrimEnd(' ');
            if (!text.IsEmpty)
            {
                inner.Write(new string(' ', _blanks));
                inner.Write(text);
                _blanks = 0;
            }

            if (end < 0)
            {
                _blanks += line.Length - text.Length;
                return;
            }

            inner.Write('\n');
            _blanks = 0;
            buffer = buffer[(end + 1)..];
        }
    }

    public override void Flush() => inner.Flush();
}
