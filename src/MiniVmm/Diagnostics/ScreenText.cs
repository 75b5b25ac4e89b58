using System.Text;
using MiniVmm.Display;

namespace MiniVmm.Diagnostics;

/// <summary>What of a PC's text screen the user has not seen.</summary>
internal static class ScreenText
{
    /// <summary>The lines on the screen, if any holds text that was not printed elsewhere too.</summary>
    /// <param name="screen">The screen.</param>
    /// <param name="printed">What the user has seen of the guest lately.</param>
    /// <returns>From the first line with text to the last one, without trailing blanks; empty if there is nothing new.</returns>
    public static IReadOnlyList<string> Unseen(TextScreen screen, ReadOnlySpan<byte> printed)
    {
        ArgumentNullException.ThrowIfNull(screen);
        if (screen.IsUntouched)
            return [];
        List<string> lines = [];
        bool unseen = false;
        for (int row = 0; row < screen.Rows; row++)
        {
            string line = screen.Line(row);
            lines.Add(line);
            unseen |= line.Length > 0 && printed.IndexOf(Encoding.UTF8.GetBytes(line.Trim())) < 0;
        }

        if (!unseen)
            return [];
        int first = lines.FindIndex(line => line.Length > 0);
        return lines[first..(lines.FindLastIndex(line => line.Length > 0) + 1)];
    }
}
