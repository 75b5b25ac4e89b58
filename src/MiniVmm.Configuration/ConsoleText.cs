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

    /// <summary>A second serial port: <c>pty|unix:PATH|tcp:HOST:PORT|none|FILE</c>.</summary>
    /// <exception cref="BadInputException">A socket's address is wrong, or the text names what the console alone can have.</exception>
    public static MachineOptions Com2(MachineOptions options, string text)
    {
        ArgumentNullException.ThrowIfNull(options);
        ConsoleSocket? socket = ConsoleSocketText.TryParse(text, OptionName.Com2);
        SerialTarget target = text switch
        {
            "stdio" or "virtio" => throw new BadInputException(
                $"{OptionName.Com2.With(text)}: the terminal is {OptionName.Console}'s; use pty, unix:PATH, tcp:HOST:PORT, none or a file"),
            "pty" => new(ConsoleKind.Pty),
            "none" => new(ConsoleKind.None),
            _ => socket is null ? new(ConsoleKind.File, text) : new(ConsoleKind.Socket, Socket: socket),
        };
        return options with { Com2 = target };
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
