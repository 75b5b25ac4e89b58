using System.Buffers;
using System.Text;

namespace MiniVmm.Hosting;

/// <summary>A guest's console as lines.</summary>
internal static class ConsoleLines
{
    /// <summary>Bytes of a line; a longer one is cut in pieces, since a guest may never end it.</summary>
    public const int LongestLine = 4096;

    /// <summary>Follows a console to its end.</summary>
    /// <param name="console">What the guest prints.</param>
    /// <param name="take">Gets each line without its end, as text that cannot control a terminal.</param>
    public static async Task FollowAsync(Stream console, Action<string> take)
    {
        byte[] line = new byte[LongestLine];
        int length = 0;
        while (true)
        {
            int got = await console.ReadAsync(line.AsMemory(length)).ConfigureAwait(false);
            if (got == 0)
                break;
            length = TakeLines(line.AsSpan(0, length + got), length, take);
        }

        if (line.AsSpan(0, length).Trim((byte)'\r').Length > 0)
            take(Printable(line.AsSpan(0, length)));
    }

    /// <returns>How many bytes are left, which have moved to the beginning.</returns>
    private static int TakeLines(Span<byte> text, int seen, Action<string> take)
    {
        int start = 0;
        for (int at = seen; at < text.Length; at++)
        {
            if (text[at] != '\n')
                continue;
            take(Printable(text[start..at]));
            start = at + 1;
        }

        Span<byte> rest = text[start..];
        if (rest.Length == LongestLine)
        {
            int whole = WithoutPartOfLetter(rest);
            take(Printable(rest[..whole]));
            rest = rest[whole..];
        }

        rest.CopyTo(text);
        return rest.Length;
    }

    /// <returns>The bytes up to a letter of UTF-8 that goes on behind the text, if there is one.</returns>
    private static int WithoutPartOfLetter(ReadOnlySpan<byte> text)
    {
        for (int tail = 1; tail <= 3; tail++)
        {
            if (Rune.DecodeFromUtf8(text[^tail..], out _, out _) == OperationStatus.NeedMoreData)
                return text.Length - tail;
        }

        return text.Length;
    }

    /// <summary>Some guests end lines by "\r\n", others by "\n\r".</summary>
    private static string Printable(ReadOnlySpan<byte> line) => PlainText.Of(Encoding.UTF8.GetString(line.Trim((byte)'\r')));
}
