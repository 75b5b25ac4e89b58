using MiniVmm.Display;

namespace MiniVmm.Terminal;

/// <summary>Where the guest's console goes.</summary>
public enum ConsoleKind
{
    /// <summary>Standard input and output.</summary>
    Stdio,

    /// <summary>A file, written anew unless it is appended to; no input.</summary>
    File,

    /// <summary>Nowhere.</summary>
    None,

    /// <summary>
    /// Standard input goes to the virtio console; its text and the serial port's both go to standard output.
    /// </summary>
    Virtio,

    /// <summary>A stream of the program that runs the machine, both ways.</summary>
    Stream,

    /// <summary>A pseudoterminal of its own, both ways.</summary>
    Pty,

    /// <summary>A socket, both ways.</summary>
    Socket,
}

/// <summary>Where the text of port 0xe9 goes.</summary>
public enum DebugConsoleKind
{
    /// <summary>Where the console's text goes; a line that COM1 prints too is shown once.</summary>
    Auto,

    /// <summary>Standard output, all of it.</summary>
    Stdio,

    /// <summary>Standard error.</summary>
    Stderr,

    /// <summary>Nowhere.</summary>
    None,

    /// <summary>A file, written anew unless it is appended to.</summary>
    File,
}

/// <summary>Where a serial port besides the console goes.</summary>
/// <param name="Kind">Not <see cref="ConsoleKind.Virtio"/>; <see cref="ConsoleKind.Stdio"/> where the console has not the terminal.</param>
/// <param name="Path">The file of <see cref="ConsoleKind.File"/>.</param>
/// <param name="Socket">The socket of <see cref="ConsoleKind.Socket"/>.</param>
public sealed record SerialTarget(ConsoleKind Kind, string? Path = null, ConsoleSocket? Socket = null)
{
    /// <summary>Whether the text goes behind what is in the file, rather than in its place.</summary>
    public bool Appends { get; init; }
}

/// <summary>Where the guest's texts go.</summary>
/// <param name="Console">Where the console's goes, and where its keys come from.</param>
/// <param name="ConsolePath">The file of <see cref="ConsoleKind.File"/>.</param>
/// <param name="DebugConsole">Where port 0xe9's goes.</param>
/// <param name="DebugConsolePath">The file of <see cref="DebugConsoleKind.File"/>.</param>
/// <param name="Display">Where its screen is shown.</param>
internal sealed record ConsoleOptions(
    ConsoleKind Console,
    string? ConsolePath,
    DebugConsoleKind DebugConsole,
    string? DebugConsolePath,
    DisplayKind Display = DisplayKind.None)
{
    /// <summary>The option that names it.</summary>
    public OptionName Option { get; init; } = OptionName.Console;

    /// <summary>The socket of <see cref="ConsoleKind.Socket"/>.</summary>
    public ConsoleSocket? Socket { get; init; }

    /// <summary>Whether the console's text goes behind what is in its file, rather than in its place.</summary>
    public bool Appends { get; init; }

    /// <summary>The same of port 0xe9's.</summary>
    public bool DebugAppends { get; init; }

    /// <summary>Whether a terminal's keys for signals keep their meaning, and Ctrl-A has none.</summary>
    public bool KeepsSignals { get; init; }

    /// <summary>Whether nothing is read from standard input.</summary>
    public bool IsOutputOnly { get; init; }
}
