using MiniVmm.Devices;

namespace MiniVmm.Display;

/// <summary>The names of keys, as QEMU's sendkey has them, with a few that everybody tries first: enter, space, escape.</summary>
internal static class KeyNames
{
    /// <summary>Keys that are held together, at most.</summary>
    public const int MostTogether = 8;

    private const string Letters = "qwertyuiop", SecondRow = "asdfghjkl", ThirdRow = "zxcvbnm";

    /// <summary>Reads a combination such as "ctrl-alt-delete".</summary>
    /// <exception cref="BadInputException">There is no such key, or there are too many.</exception>
    public static IReadOnlyList<ScanCode> Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] names = text.Split('-');
        if (names.Length > MostTogether)
            throw new BadInputException($"{text}: {names.Length} keys together; at most {MostTogether}");
        return
        [
            .. names.Select(name => Find(name.ToLowerInvariant()) ?? throw new BadInputException(
                $"{text}: there is no key '{name}'; keys are a to z, 0 to 9, f1 to f12, ret, spc, esc, tab, backspace, ctrl, alt, "
                + "shift, up, down, left, right, delete, minus and others of QEMU's sendkey")),
        ];
    }

    private static ScanCode? Find(string name)
    {
        if (name.Length == 1)
        {
            int at;
            if (name[0] is >= '0' and <= '9')
                return new((ushort)(name[0] == '0' ? 0x0b : name[0] - '1' + 0x02));
            if ((at = Letters.IndexOf(name[0], StringComparison.Ordinal)) >= 0)
                return new((ushort)(0x10 + at));
            if ((at = SecondRow.IndexOf(name[0], StringComparison.Ordinal)) >= 0)
                return new((ushort)(0x1e + at));
            if ((at = ThirdRow.IndexOf(name[0], StringComparison.Ordinal)) >= 0)
                return new((ushort)(0x2c + at));
            return null;
        }

        if (name.StartsWith('f') && int.TryParse(name.AsSpan(1), out int number) && number is >= 1 and <= 12)
            return new((ushort)(number <= 10 ? 0x3b + number - 1 : 0x57 + number - 11));
        return Code(name) is { } code ? new(code) : null;
    }

    private static ushort? Code(string name) => name switch
    {
        "esc" or "escape" => 0x01,
        "minus" => 0x0c,
        "equal" => 0x0d,
        "backspace" => 0x0e,
        "tab" => 0x0f,
        "bracket_left" => 0x1a,
        "bracket_right" => 0x1b,
        "ret" or "enter" or "return" => 0x1c,
        "ctrl" or "ctrl_l" => 0x1d,
        "semicolon" => 0x27,
        "apostrophe" => 0x28,
        "grave_accent" => 0x29,
        "shift" or "shift_l" => 0x2a,
        "backslash" => 0x2b,
        "comma" => 0x33,
        "dot" => 0x34,
        "slash" => 0x35,
        "shift_r" => 0x36,
        "asterisk" or "kp_multiply" => 0x37,
        "alt" or "alt_l" => 0x38,
        "spc" or "space" => 0x39,
        "caps_lock" => 0x3a,
        "num_lock" => 0x45,
        "scroll_lock" => 0x46,
        "kp_7" => 0x47,
        "kp_8" => 0x48,
        "kp_9" => 0x49,
        "kp_subtract" => 0x4a,
        "kp_4" => 0x4b,
        "kp_5" => 0x4c,
        "kp_6" => 0x4d,
        "kp_add" => 0x4e,
        "kp_1" => 0x4f,
        "kp_2" => 0x50,
        "kp_3" => 0x51,
        "kp_0" => 0x52,
        "kp_decimal" => 0x53,
        "sysrq" => 0x54,
        "less" => 0x56,
        "kp_enter" => 0xe01c,
        "ctrl_r" => 0xe01d,
        "kp_divide" => 0xe035,
        "print" => 0xe037,
        "alt_r" or "altgr" => 0xe038,
        "home" => 0xe047,
        "up" => 0xe048,
        "pgup" => 0xe049,
        "left" => 0xe04b,
        "right" => 0xe04d,
        "end" => 0xe04f,
        "down" => 0xe050,
        "pgdn" => 0xe051,
        "insert" or "ins" => 0xe052,
        "delete" or "del" => 0xe053,
        "meta_l" or "win" => 0xe05b,
        "meta_r" => 0xe05c,
        "menu" => 0xe05d,
        "pause" => 0xe11d,
        _ => null,
    };
}
