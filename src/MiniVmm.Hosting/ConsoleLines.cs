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

        if (length > 0)
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
            take(Printable(rest));
            return 0;
        }

        rest.CopyTo(text);
        return rest.Length;
    }

    private static string Printable(ReadOnlySpan<byte> line)
    {
        char[] text = Encoding.UTF8.GetString(line.TrimEnd((byte)'\r')).ToCharArray();
        foreach (ref char letter in text.AsSpan())
        {
            if (char.IsControl(letter) && letter != '\t')
                letter = '\ufffd';
        }

        return new string(text);
    }
}
