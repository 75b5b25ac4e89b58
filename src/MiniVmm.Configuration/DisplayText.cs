using MiniVmm.Display;
using MiniVmm.Machine;

namespace MiniVmm.Configuration;

/// <summary>Where the screen is shown: <c>auto|none|tty|vnc=ADDRESS</c>; QEMU's <c>curses</c> is tty.</summary>
public static class DisplayText
{
    private const string Vnc = "vnc=";

    /// <exception cref="BadInputException">It is none of them.</exception>
    public static MachineOptions Parse(MachineOptions options, string text)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(text);
        if (text.StartsWith(Vnc, StringComparison.Ordinal))
        {
            StreamAddress address = VncText.Parse(OptionName.Display.With(text), text[Vnc.Length..]);
            return options with { Display = DisplayKind.Vnc, Vnc = address };
        }

        DisplayKind kind = text switch
        {
            "auto" => DisplayKind.Auto,
            "none" => DisplayKind.None,
            "tty" or "curses" => DisplayKind.Tty,
            _ => throw new BadInputException($"{OptionName.Display.With(text)}: is not auto, none, tty or vnc=[HOST:]PORT"),
        };
        return options with { Display = kind, Vnc = null };
    }
}
