using System.Text;
using MiniVmm.Devices;

namespace MiniVmm.Display;

/// <summary>
/// What is typed on a terminal, as keys of the guest's keyboard: letters as a US keyboard has them, and the sequences that xterm
/// and the Linux console send for the other keys. What has no key is dropped.
/// </summary>
/// <param name="keyboard">The keyboard's controller.</param>
internal sealed class TerminalKeys(I8042 keyboard) : IConsoleKeys
{
    private const byte Escape = 0x1b;
    private const byte Rubout = 0x7f;

    /// <summary>Bytes of scan codes that a key with all its modifiers takes, at most.</summary>
    private const int MostOfAKey = 32;

    [Flags]
    private enum Modifiers
    {
        None = 0,
        Shift = 1,
        Alt = 2,
        Control = 4,
    }

    public int Receive(ReadOnlySpan<byte> data)
    {
        int taken = 0;
        while (taken < data.Length && keyboard.Waiting < Ps2Keyboard.QueueSize - MostOfAKey)
            taken += TakeKey(data[taken..]);
        return taken;
    }

    /// <summary>What a break is on a keyboard: Print Screen with Alt, which is SysRq.</summary>
    public void SendBreak() => Press(new ScanCode(0x54), Modifiers.Alt);

    /// <summary>Presses the key at the start.</summary>
    /// <returns>How many bytes it was; at least 1.</returns>
    private int TakeKey(ReadOnlySpan<byte> data)
    {
        if (data[0] != Escape)
            return TakeLetter(data, Modifiers.None);
        if (data.Length == 1)
        {
            Press(new ScanCode(0x01), Modifiers.None);
            return 1;
        }

        if (data[1] is (byte)'[' or (byte)'O')
            return TakeSequence(data);
        if (data[1] == Escape)
        {
            Press(new ScanCode(0x01), Modifiers.None);
            return 1;
        }

        return 1 + TakeLetter(data[1..], Modifiers.Alt);
    }

    private int TakeLetter(ReadOnlySpan<byte> data, Modifiers modifiers)
    {
        byte value = data[0];
        if (value >= 0x80)
        {
            Rune.DecodeFromUtf8(data, out _, out int length);
            return Math.Max(1, length);
        }

        if (value is Rubout or 0x08)
            Press(new ScanCode(0x0e), modifiers);
        else if (UsKeyboard.TryFind((char)value, out ScanCode key, out bool shift))
            Press(key, modifiers | (shift ? Modifiers.Shift : Modifiers.None));
        else if (value == 0)
            Press(new ScanCode(0x39), modifiers | Modifiers.Control);
        else if (UsKeyboard.TryFind(char.ToLowerInvariant((char)(value | 0x40)), out ScanCode letter, out bool shifted))
            Press(letter, modifiers | Modifiers.Control | (shifted ? Modifiers.Shift : Modifiers.None));
        return 1;
    }

    /// <summary>ESC [ parameters letter, ESC O letter, ESC [ [ letter.</summary>
    private int TakeSequence(ReadOnlySpan<byte> data)
    {
        if (data is [_, (byte)'[', (byte)'[', >= (byte)'A' and <= (byte)'E', ..]) // F1 to F5 of the Linux console
        {
            Press(new ScanCode((ushort)(0x3b + data[3] - 'A')), Modifiers.None);
            return 4;
        }

        int at = 2, first = 0, second = 0;
        bool separated = false;
        for (; at < data.Length && data[at] is (byte)';' or (>= (byte)'0' and <= (byte)'9'); at++)
        {
            if (data[at] == ';')
                separated = true;
            else if (separated)
                second = Math.Min(999, (10 * second) + data[at] - '0');
            else
                first = Math.Min(999, (10 * first) + data[at] - '0');
        }

        if (at == data.Length)
            return at; // cut off
        Modifiers modifiers = second > 1 ? (Modifiers)((second - 1) & 7) : Modifiers.None;
        if (data[at] == 'Z') // Tab backwards
            Press(new ScanCode(0x0f), Modifiers.Shift);
        else if ((data[at] == '~' ? Numbered(first) : Lettered(data[at])) is { } code)
            Press(new ScanCode(code), modifiers);
        return at + 1;
    }

    private static ushort? Numbered(int number) => number switch
    {
        1 or 7 => 0xe047, // Home
        2 => 0xe052,
        3 => 0xe053,
        4 or 8 => 0xe04f, // End
        5 => 0xe049,
        6 => 0xe051,
        >= 11 and <= 15 => (ushort)(0x3b + number - 11),
        >= 17 and <= 21 => (ushort)(0x40 + number - 17),
        23 or 24 => (ushort)(0x57 + number - 23),
        _ => null,
    };

    private static ushort? Lettered(byte letter) => letter switch
    {
        (byte)'A' => 0xe048,
        (byte)'B' => 0xe050,
        (byte)'C' => 0xe04d,
        (byte)'D' => 0xe04b,
        (byte)'H' => 0xe047,
        (byte)'F' => 0xe04f,
        >= (byte)'P' and <= (byte)'S' => (ushort)(0x3b + letter - 'P'),
        _ => null,
    };

    private void Press(ScanCode key, Modifiers modifiers)
    {
        Hold(modifiers, down: true);
        _ = keyboard.TryReport(key, down: true);
        _ = keyboard.TryReport(key, down: false);
        Hold(modifiers, down: false);
    }

    private void Hold(Modifiers modifiers, bool down)
    {
        if ((modifiers & Modifiers.Control) != 0)
            _ = keyboard.TryReport(UsKeyboard.Control, down);
        if ((modifiers & Modifiers.Alt) != 0)
            _ = keyboard.TryReport(UsKeyboard.Alt, down);
        if ((modifiers & Modifiers.Shift) != 0)
            _ = keyboard.TryReport(UsKeyboard.Shift, down);
    }
}
