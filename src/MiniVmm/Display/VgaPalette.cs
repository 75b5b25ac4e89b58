namespace MiniVmm.Display;

/// <summary>The 16 colours of text, as a BIOS sets the colour registers of a VGA.</summary>
internal static class VgaPalette
{
    /// <summary>0xRRGGBB of a colour from 0 to 15.</summary>
    public static uint Rgb(int colour) => Colours[colour & 0x0f];

    private static ReadOnlySpan<uint> Colours =>
    [
        0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
        0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff,
    ];
}
