using System.Text;
using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Memory;

namespace MiniVmm.Diagnostics;

/// <summary>What of a PC's text screen the user has not seen.</summary>
internal static class ScreenText
{
    /// <summary>The lines on the screen, if any holds text that was not printed elsewhere too.</summary>
    /// <param name="memory">Guest RAM.</param>
    /// <param name="crtc">The screen's controller, or null.</param>
    /// <param name="printed">What the user has seen of the guest lately.</param>
    /// <returns>From the first line with text to the last one, without trailing blanks; empty if there is nothing new.</returns>
    public static IReadOnlyList<string> Unseen(GuestMemory memory, VgaCrtc? crtc, ReadOnlySpan<byte> printed)
    {
        ArgumentNullException.ThrowIfNull(memory);
        if (TextScreen.Read(memory, crtc) is not { IsUntouched: false } screen)
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
