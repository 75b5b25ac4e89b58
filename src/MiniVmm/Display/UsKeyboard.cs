using MiniVmm.Devices;

namespace MiniVmm.Display;

/// <summary>Which key of a US keyboard gives a letter, and whether with Shift: the layout that a kernel's first table is for.</summary>
internal static class UsKeyboard
{
    public static readonly ScanCode Shift = new(0x2a);
    public static readonly ScanCode Control = new(0x1d);
    public static readonly ScanCode Alt = new(0x38);

    // From scan code 0x02 on; a blank is a key without a letter.
    private const string Plain = "1234567890-=\b\tqwertyuiop[]\n asdfghjkl;'` \\zxcvbnm,./";
    private const string Shifted = "!@#$%^&*()_+  QWERTYUIOP{}  ASDFGHJKL:\"~ |ZXCVBNM<>?";
    private const int First = 0x02;

    /// <summary>Finds the key.</summary>
    /// <param name="letter">ASCII; a line feed is Enter, and so is a carriage return.</param>
    /// <param name="key">The key.</param>
    /// <param name="shift">Whether with Shift.</param>
    /// <returns>False for a letter that such a keyboard has not.</returns>
    public static bool TryFind(char letter, out ScanCode key, out bool shift)
    {
        shift = false;
        key = new(0x39);
        if (letter == ' ')
            return true;
        if (letter == '\u001b')
        {
            key = new(0x01);
            return true;
        }

        int at = Plain.IndexOf(letter == '\r' ? '\n' : letter, StringComparison.Ordinal);
        if (at < 0)
        {
            at = Shifted.IndexOf(letter, StringComparison.Ordinal);
            shift = true;
        }

        key = new((ushort)(First + at));
        return at >= 0;
    }
}
