using MiniVmm.Devices;

namespace MiniVmm.Display.Rfb;

/// <summary>X11's names of keys, as numbers, on a US keyboard (X11/keysymdef.h).</summary>
internal static class Keysyms
{
    /// <summary>Finds the key: a capital's is the letter's, as whoever types it holds Shift too.</summary>
    public static bool TryFind(uint keysym, out ScanCode key)
    {
        key = default;
        if (keysym is >= 0x20 and < 0x7f)
            return UsKeyboard.TryFind((char)keysym, out key, out _);
        ushort? code = keysym switch
        {
            0xff08 => 0x0e, // BackSpace
            0xff09 or 0xfe20 => 0x0f, // Tab
            0xff0d => 0x1c, // Return
            0xff13 => 0xe11d, // Pause
            0xff14 => 0x46, // Scroll_Lock
            0xff15 or 0xff61 => 0xe037, // Sys_Req, Print
            0xff1b => 0x01, // Escape
            0xff50 => 0xe047, // Home
            0xff51 => 0xe04b,
            0xff52 => 0xe048,
            0xff53 => 0xe04d,
            0xff54 => 0xe050,
            0xff55 => 0xe049, // Page_Up
            0xff56 => 0xe051,
            0xff57 => 0xe04f, // End
            0xff63 => 0xe052, // Insert
            0xff67 => 0xe05d, // Menu
            0xff7f => 0x45, // Num_Lock
            0xff8d => 0xe01c, // KP_Enter
            0xffaa => 0x37,
            0xffab => 0x4e,
            0xffad => 0x4a,
            0xffae => 0x53,
            0xffaf => 0xe035,
            >= 0xffb0 and <= 0xffb9 => KeypadDigit(keysym - 0xffb0),
            >= 0xffbe and <= 0xffc7 => (ushort)(0x3b + (keysym - 0xffbe)), // F1 to F10
            0xffc8 => 0x57,
            0xffc9 => 0x58,
            0xffe1 => 0x2a, // Shift_L
            0xffe2 => 0x36,
            0xffe3 => 0x1d, // Control_L
            0xffe4 => 0xe01d,
            0xffe5 => 0x3a, // Caps_Lock
            0xffe7 or 0xffe9 => 0x38, // Meta_L, Alt_L
            0xffe8 or 0xffea or 0xfe03 => 0xe038, // Meta_R, Alt_R, AltGr
            0xffeb => 0xe05b, // Super_L
            0xffec => 0xe05c,
            0xffff => 0xe053, // Delete
            _ => null,
        };
        key = new(code ?? 0);
        return code is not null;
    }

    private static ushort KeypadDigit(uint digit)
    {
        ReadOnlySpan<byte> codes = [0x52, 0x4f, 0x50, 0x51, 0x4b, 0x4c, 0x4d, 0x47, 0x48, 0x49];
        return codes[(int)digit];
    }
}
