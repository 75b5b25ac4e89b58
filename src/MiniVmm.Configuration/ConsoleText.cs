using MiniVmm.Machine;
using MiniVmm.Terminal;

namespace MiniVmm.Configuration;

/// <summary>Where the guest's output goes: a keyword, or otherwise the name of a file.</summary>
public static class ConsoleText
{
    /// <summary><c>stdio|virtio|pty|unix:PATH|tcp:HOST:PORT|none|FILE</c>.</summary>
    /// <exception cref="BadInputException">A socket's address is wrong.</exception>
    public static MachineOptions Console(MachineOptions options, string text)
    {
        ArgumentNullException.ThrowIfNull(options);
        ConsoleSocket? socket = ConsoleSocketText.TryParse(text);
        ConsoleKind kind = text switch
        {
            "stdio" => ConsoleKind.Stdio,
            "virtio" => ConsoleKind.Virtio,
            "pty" => ConsoleKind.Pty,
            "none" => ConsoleKind.None,
            _ => socket is null ? ConsoleKind.File : ConsoleKind.Socket,
        };
        return options with { Console = kind, ConsolePath = kind == ConsoleKind.File ? text : null, ConsoleSocket = socket };
    }

    /// <summary><c>auto|stdio|stderr|none|FILE</c>.</summary>
    public static MachineOptions DebugConsole(MachineOptions options, string text)
    {
        ArgumentNullException.ThrowIfNull(options);
        DebugConsoleKind kind = text switch
        {
            "auto" => DebugConsoleKind.Auto,
            "stdio" => DebugConsoleKind.Stdio,
            "stderr" => DebugConsoleKind.Stderr,
            "none" => DebugConsoleKind.None,
            _ => DebugConsoleKind.File,
        };
        return options with { DebugConsole = kind, DebugConsolePath = kind == DebugConsoleKind.File ? text : null };
    }
}
