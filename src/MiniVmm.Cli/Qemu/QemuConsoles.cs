using MiniVmm.Configuration;
using MiniVmm.Display;
using MiniVmm.Machine;
using MiniVmm.Terminal;

namespace MiniVmm.Cli.Qemu;

/// <summary>The serial port, the debug console, and what they are joined to.</summary>
internal sealed class QemuConsoles
{
    private readonly Dictionary<string, Target> _characters = new(StringComparer.Ordinal);
    private readonly List<Target> _serial = [];
    private Target? _debug;
    private Target? _virtio;
    private bool _noGraphic;
    private bool _noDisplay;
    private bool _noDefaults;
    private bool _terminalIsTaken;
    private bool _isDetached;

    private enum Kind
    {
        /// <summary>No device.</summary>
        None,

        /// <summary>A device that nobody listens to.</summary>
        Null,

        /// <summary>The terminal, whose keys keep their meaning: Ctrl-C ends the process.</summary>
        Stdio,

        /// <summary>The terminal, whose keys all go to the guest, those behind Ctrl-A excepted.</summary>
        Mux,
        File,
        Pty,
        Socket,
    }

    /// <param name="Kind">Which kind.</param>
    /// <param name="Path">A file's name, or a socket's address as <c>-serial</c> has it.</param>
    /// <param name="Appends">Whether text goes behind what is in the file.</param>
    private sealed record Target(Kind Kind, string? Path = null, bool Appends = false);

    /// <summary>Takes a <c>-chardev</c>.</summary>
    public void Define(QemuWord word, List<string> notes)
    {
        QemuList list = new(word, "backend");
        string backend = list.Require("backend");
        Target target = backend switch
        {
            "stdio" => new(list.TakeSwitch("mux") || !list.TakeSwitch("signal", otherwise: true) ? Kind.Mux : Kind.Stdio),
            "file" => new(Kind.File, list.Require("path"), list.TakeSwitch("append")),
            "null" => new(Kind.Null),
            "pty" => new(Kind.Pty),
            "socket" => new(Kind.Socket, Socket(list)),
            _ => throw list.Bad($"there is no {backend}; use stdio, file, pty, socket or null"),
        };
        _characters[list.Require("id")] = target;
        list.PassOver("mux", "signal"); // the monitor that would share it is not there
        list.SayRest(notes);
    }

    public void Use(QemuWord word, List<string> notes)
    {
        switch (word.Option.Name)
        {
            case "nographic":
                _noGraphic = true;
                break;
            case "nodefaults":
                _noDefaults = true;
                break;
            case "display":
                UseDisplay(word, notes);
                break;
            case "serial":
                _serial.Add(Parse(word));
                break;
            case "debugcon":
                _debug = Parse(word);
                break;
            case "monitor":
                _terminalIsTaken |= word.Value is "stdio";
                break;
        }
    }

    /// <summary>The screen is somewhere else than on the terminal.</summary>
    public void HasNoWindow() => _noDisplay = true;

    /// <summary>
    /// Whether text that firmware writes on its screen stays there: with -nographic QEMU has SeaBIOS write to the serial port too, and so it is
    /// here where the terminal stands in for a window.
    /// </summary>
    public bool KeepsScreenFromSerial => _noDisplay && !_noGraphic;

    /// <summary>There is no terminal once the machine runs.</summary>
    public void HasNoTerminal() => _isDetached = true;

    /// <summary>The virtio console of <c>-device virtconsole</c>.</summary>
    public void UseVirtio(QemuList device, List<string> notes)
    {
        Target target = Find(device, device.Require("chardev"));
        if (target.Kind is Kind.Mux or Kind.Stdio)
            _virtio = target;
        else if (target.Kind != Kind.Null)
            notes.Add("-device virtconsole has no effect: it can be on the terminal alone");
    }

    /// <summary>The serial port of <c>-device isa-serial</c>.</summary>
    public void UseSerial(QemuList device)
    {
        device.PassOver("index", "iobase", "irq");
        _serial.Add(Find(device, device.Require("chardev")));
    }

    /// <summary>The debug console of <c>-device isa-debugcon</c>.</summary>
    public void UseDebug(QemuList device) => _debug = Find(device, device.Require("chardev"));

    public MachineOptions AddTo(MachineOptions options)
    {
        Target serial = Serial();
        if (_isDetached && ((Target?[])[serial, _debug, _virtio]).Any(target => target?.Kind is Kind.Mux or Kind.Stdio))
        {
            throw new BadInputException("-daemonize: there is no terminal then; leave out -nographic and stdio, and use -display none with "
                + "-serial file:FILE, pty, unix:PATH or tcp:HOST:PORT");
        }

        options = options with
        {
            PcDevices = serial.Kind == Kind.None ? options.PcDevices & ~PcDevices.Serial : options.PcDevices,
            Console = serial.Kind switch
            {
                _ when _virtio is not null => ConsoleKind.Virtio,
                Kind.None or Kind.Null => ConsoleKind.None,
                Kind.File => ConsoleKind.File,
                Kind.Pty => ConsoleKind.Pty,
                Kind.Socket => ConsoleKind.Socket,
                _ => ConsoleKind.Stdio,
            },
            ConsolePath = serial.Kind == Kind.File ? serial.Path : null,
            ConsoleAppends = serial.Appends,
            ConsoleKeepsSignals = (_virtio ?? serial).Kind == Kind.Stdio,
        };
        if (_serial.Count > 1)
            options = Second(options);
        if (serial.Kind == Kind.Socket)
            options = options.With(OptionName.Console, serial.Path!);
        if (_debug is not { } debug)
            return options;
        return options with
        {
            PcDevices = debug.Kind == Kind.None ? options.PcDevices : options.PcDevices | PcDevices.DebugConsole,
            DebugConsole = debug.Kind switch
            {
                Kind.Stdio or Kind.Mux => DebugConsoleKind.Stdio,
                Kind.File => DebugConsoleKind.File,
                Kind.Pty or Kind.Socket => throw new BadInputException("-debugcon: use stdio, file:FILE, null or none"),
                _ => DebugConsoleKind.None,
            },
            DebugConsolePath = debug.Path,
            DebugConsoleAppends = debug.Appends,
        };
    }

    private MachineOptions Second(MachineOptions options)
    {
        if (_serial.Skip(2).Any(target => target.Kind is not (Kind.None or Kind.Null)))
            throw new BadInputException("-serial: a third one; MiniVmm has two serial ports, COM1 and COM2");
        return _serial[1].Kind switch
        {
            Kind.None => options,
            Kind.Null => options.With(OptionName.Com2, "none"),
            Kind.Pty => options.With(OptionName.Com2, "pty"),
            Kind.Socket => options.With(OptionName.Com2, _serial[1].Path!),
            Kind.File => options with { Com2 = new(ConsoleKind.File, _serial[1].Path) { Appends = _serial[1].Appends } },
            Kind.Stdio or Kind.Mux when options.Console is not (ConsoleKind.Stdio or ConsoleKind.Virtio) && options.Display != DisplayKind.Tty =>
                options with { Com2 = new(ConsoleKind.Stdio), ConsoleKeepsSignals = _serial[1].Kind == Kind.Stdio },
            _ => throw new BadInputException("-serial: only one port can have the terminal; use file:FILE, pty or a socket for the other"),
        };
    }

    private Target Serial()
    {
        if (_serial.Count > 0)
            return _serial[0];
        bool terminal = !_noDefaults && (_noGraphic || (!_noDisplay && !_isDetached));

        // What QEMU shows in a window goes to the terminal, unless something else is there.
        if (!_noGraphic && (_terminalIsTaken || _debug?.Kind is Kind.Stdio or Kind.Mux || _virtio is not null))
            terminal = false;
        return new(terminal ? Kind.Mux : Kind.Null);
    }

    private void UseDisplay(QemuWord word, List<string> notes)
    {
        string type = word.Value.Split(',', '=')[0];
        if (type == "none")
            _noDisplay = true;
        else if (type is "dbus" or "spice-app")
            notes.Add($"{word} has no effect: nothing is shown over {type}");
    }

    private Target Parse(QemuWord word) => Parse(word, word.Value);

    private Target Parse(QemuWord word, string text)
    {
        string[] parts = text.Split(':', 2);
        return parts switch
        {
            ["none"] => new(Kind.None),
            ["null"] => new(Kind.Null),
            ["stdio"] => new(Kind.Stdio),
            ["mon", "stdio"] => new(Kind.Mux),
            ["mon", string other] when !other.StartsWith("mon:", StringComparison.Ordinal) => Parse(word, other), // the monitor that would share it is not there
            ["file", { Length: > 0 } path] => new(Kind.File, path), // to its end: a comma is the name's
            ["pty"] => new(Kind.Pty),
            ["unix" or "tcp", _] => new(Kind.Socket, text),
            ["chardev", string id] => _characters.TryGetValue(id, out Target? target)
                ? target
                : throw new BadInputException($"{word}: no -chardev is called {id}"),
            ["vc", ..] or ["vc"] => new(Kind.Null),
            _ => throw new BadInputException($"{word}: use stdio, mon:stdio, file:FILE, pty, unix:PATH, tcp:HOST:PORT, null, none or chardev:ID"),
        };
    }

    private static string Socket(QemuList list)
    {
        foreach (string key in (string[])["telnet", "tn3270", "websocket", "abstract"])
        {
            if (list.TakeSwitch(key))
                throw list.Bad($"{key}=on: whoever connects would find another socket than he looks for; leave it out");
        }

        foreach (string key in (string[])["tls-creds", "tls-authz"])
        {
            if (list.Take(key) is { } value)
                throw list.Bad($"{key}={value}: the socket would be open to everybody; use a unix socket, and a program that encrypts");
        }

        list.PassOver("delay", "nodelay", "ipv4", "ipv6", "tight");
        string address = list.Take("path") is { } path
            ? $"unix:{path.Replace(",", ",,", StringComparison.Ordinal)}"
            : $"tcp:{list.Take("host")}:{list.Require("port")}";
        string server = list.TakeSwitch("server") ? ",server" : "";
        return address + server + (list.TakeSwitch("wait", otherwise: true) ? "" : ",wait=off");
    }

    private Target Find(QemuList device, string id) =>
        _characters.TryGetValue(id, out Target? target) ? target : throw device.Bad($"no -chardev is called {id}");
}
