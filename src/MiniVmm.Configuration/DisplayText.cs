using MiniVmm.Display;

namespace MiniVmm.Configuration;

/// <summary>Where the screen is shown: <c>auto|none|tty</c>; QEMU's <c>curses</c> is tty.</summary>
public static class DisplayText
{
    /// <exception cref="BadInputException">It is none of them.</exception>
    public static DisplayKind Parse(string text) => text switch
    {
        "auto" => DisplayKind.Auto,
        "none" => DisplayKind.None,
        "tty" or "curses" => DisplayKind.Tty,
        _ => throw new BadInputException($"{OptionName.Display.With(text)}: is not auto, none or tty"),
    };
}
