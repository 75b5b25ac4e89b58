namespace MiniVmm.Configuration;

/// <summary>QEMU's lists: parts separated by commas; a comma inside a part is doubled.</summary>
internal static class CommaList
{
    /// <returns>The parts, with their commas single again; an empty text gives one empty part.</returns>
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
