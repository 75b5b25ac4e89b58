using System.Text;
using MiniVmm.Memory;

namespace MiniVmm.Diagnostics;

/// <summary>
/// What a guest wrote to a PC's text screen, 80×25 cells of a letter and its colours at 0xb8000. No device shows it: to KVM
/// it is RAM.
/// </summary>
internal static class ScreenText
{
    private const ulong Address = 0xb8000;
    private const int Columns = 80;
    private const int Rows = 25;
    private const int CellSize = 2;

    // Code page 437 from 0x80 on, the letters in every VGA.
    private const string Upper =
        "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐"
        + "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";

    /// <summary>The lines on the screen, if any holds text that was not printed elsewhere too.</summary>
    /// <param name="memory">Guest RAM.</param>
    /// <param name="printed">What the user has seen of the guest lately.</param>
    /// <returns>From the first line with text to the last one, without trailing blanks; empty if there is nothing new.</returns>
    public static IReadOnlyList<string> Unseen(GuestMemory memory, ReadOnlySpan<byte> printed)
    {
        ArgumentNullException.ThrowIfNull(memory);
        if (!memory.TryGetSpan(Address, Columns * Rows * CellSize, out Span<byte> cells))
            return [];
        List<string> lines = [];
        bool unseen = false;
        for (int row = 0; row < Rows; row++)
        {
            string line = Line(cells.Slice(row * Columns * CellSize, Columns * CellSize));
            lines.Add(line);
            unseen |= line.Length > 0 && printed.IndexOf(Encoding.UTF8.GetBytes(line.Trim())) < 0;
        }

        if (!unseen)
            return [];
        int first = lines.FindIndex(line => line.Length > 0);
        return lines[first..(lines.FindLastIndex(line => line.Length > 0) + 1)];
    }

    private static string Line(ReadOnlySpan<byte> cells)
    {
        Span<char> line = stackalloc char[Columns];
        for (int i = 0; i < Columns; i++)
        {
            line[i] = cells[i * CellSize] switch
            {
                0 or 0xff => ' ',
                >= 0x20 and < 0x7f and byte letter => (char)letter,
                >= 0x80 and byte letter => Upper[letter - 0x80],
                _ => '.',
            };
        }

        return line.TrimEnd(' ').ToString();
    }
}
