namespace MiniVmm.Display;

/// <summary>The colours of a cell of a text screen.</summary>
/// <param name="Foreground">0 to 15.</param>
/// <param name="Background">0 to 15.</param>
/// <param name="Blinks">Whether the letter comes and goes.</param>
internal readonly record struct CellColours(int Foreground, int Background, bool Blinks)
{
    /// <summary>Takes the high byte of a cell apart (IBM VGA, text attributes).</summary>
    /// <param name="cell">The cell.</param>
    /// <param name="blinks">Whether bit 7 lets the letter blink; else it makes the background bright.</param>
    public static CellColours Of(ushort cell, bool blinks)
    {
        int background = cell >> 12;
        return blinks
            ? new((cell >> 8) & 0x0f, background & 0x07, (background & 0x08) != 0)
            : new((cell >> 8) & 0x0f, background, false);
    }
}
