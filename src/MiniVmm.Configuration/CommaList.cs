namespace MiniVmm.Configuration;

/// <summary>Parts with commas between, as QEMU has them: a comma that belongs to a part is doubled.</summary>
internal static class CommaList
{
    /// <returns>The parts, with single commas; an empty text is one empty part.</returns>
    public static List<string> Split(string text)
    {
        List<string> parts = [];
        int start = 0;
        for (int at = 0; at <= text.Length; at++)
        {
            if (at < text.Length && text[at] != ',')
                continue;
            if (at + 1 < text.Length && text[at + 1] == ',')
            {
                at++;
                continue;
            }

            parts.Add(text[start..at].Replace(",,", ",", StringComparison.Ordinal));
            start = at + 1;
        }

        return parts;
    }
}
