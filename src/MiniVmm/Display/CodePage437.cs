namespace MiniVmm.Display;

/// <summary>Code page 437, the letters in every VGA, as Unicode.</summary>
internal static class CodePage437
{
    private const string Lower = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼";

    private const string Upper =
        "⌂ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐"
        + "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■ ";

    /// <summary>What a VGA shows for a byte; never a control character.</summary>
    public static char Letter(byte value) => value switch
    {
        < 0x20 => Lower[value],
        < 0x7f => (char)value,
        _ => Upper[value - 0x7f],
    };
}
