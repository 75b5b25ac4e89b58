using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Display;

/// <summary>Where a machine's screen is: looked at from any thread, and by nobody who does not want to see it.</summary>
/// <param name="memory">Guest RAM, with the text.</param>
/// <param name="crtc">The text screen's controller, or null.</param>
/// <param name="framebuffers">What is shown instead of text: the first that has a mode.</param>
internal sealed class GuestScreen(GuestMemory memory, VgaCrtc? crtc, params LinearFramebuffer?[] framebuffers)
{
    /// <summary>The text screen now.</summary>
    public TextScreen Text => TextScreen.Read(memory, crtc)
        ?? throw new InvalidOperationException("a PC has RAM at 0xb8000");

    /// <summary>What is shown now.</summary>
    public ScreenImage Capture() => Shown?.Capture() ?? ScreenImage.Of(Text);

    /// <summary>Width and height of <see cref="Capture"/>, at the moment.</summary>
    public (int Width, int Height) Size => Shown?.Mode is { } mode
        ? (mode.Width, mode.Height)
        : (Text.Columns * ConsoleFont.Width, Text.Rows * ConsoleFont.Height);

    /// <summary>The same for a terminal of so many columns and rows.</summary>
    public TerminalFrame Frame(int columns, int rows) => Shown?.Capture() is { } picture
        ? TerminalFrame.Of(picture, columns, rows)
        : TerminalFrame.Of(Text, columns, rows);

    /// <summary>Whether there is anything to see.</summary>
    public bool HasContent => Shown is { } framebuffer ? !framebuffer.IsBlack : Text.HasText;

    private LinearFramebuffer? Shown
    {
        get
        {
            foreach (LinearFramebuffer? framebuffer in framebuffers)
            {
                if (framebuffer is { Mode: not null })
                    return framebuffer;
            }

            return null;
        }
    }
}
