using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Display;

/// <summary>Where a machine's screen is: looked at from any thread, and by nobody who does not want to see it.</summary>
/// <param name="memory">Guest RAM, with the text.</param>
/// <param name="crtc">The text screen's controller, or null.</param>
/// <param name="framebuffer">What is shown instead of text while it has a mode; null for none.</param>
internal sealed class GuestScreen(GuestMemory memory, VgaCrtc? crtc, LinearFramebuffer? framebuffer = null)
{
    /// <summary>The text screen now.</summary>
    public TextScreen Text => TextScreen.Read(memory, crtc)
        ?? throw new InvalidOperationException("a PC has RAM at 0xb8000");

    /// <summary>What is shown now.</summary>
    public ScreenImage Capture() => framebuffer?.Capture() ?? ScreenImage.Of(Text);

    /// <summary>Width and height of <see cref="Capture"/>, at the moment.</summary>
    public (int Width, int Height) Size => framebuffer?.Mode is { } mode
        ? (mode.Width, mode.Height)
        : (Text.Columns * ConsoleFont.Width, Text.Rows * ConsoleFont.Height);

    /// <summary>The same for a terminal of so many columns and rows.</summary>
    public TerminalFrame Frame(int columns, int rows) => framebuffer?.Capture() is { } picture
        ? TerminalFrame.Of(picture, columns, rows)
        : TerminalFrame.Of(Text, columns, rows);

    /// <summary>Whether there is anything to see.</summary>
    public bool HasContent => framebuffer is { Mode: not null } ? !framebuffer.IsBlack : Text.HasText;
}
