using MiniVmm.Configuration;
using MiniVmm.Control;
using MiniVmm.Machine;

namespace MiniVmm.Cli.Qemu;

/// <summary>
/// Makes MiniVmm's options of QEMU's. What other options refer to by an ID is read first, wherever it stands, as QEMU does.
/// </summary>
internal sealed partial class QemuTranslation
{
    /// <summary>Where <c>-debugcon</c> is: 0x402 for OVMF.</summary>
    private const string DebugPort = "isa-debugcon.iobase=";

    /// <summary>The serial port that SeaBIOS shows its screen on too: none where it is empty.</summary>
    private const string ScreenOnSerial = "etc/sercon-port";

    private readonly List<QemuWord> _words = [];
    private readonly List<string> _notes = [];
    private readonly QemuConsoles _consoles = new();
    private readonly QemuDrives _drives = new();
    private readonly QemuNetworks _networks = new();
    private readonly QemuShares _shares = new();
    private readonly Dictionary<string, QemuList> _memories = new(StringComparer.Ordinal);
    private MachineOptions _options = new()
    {
        Kernel = "",
        PcDevices = PcDevices.All & ~(PcDevices.DebugExit | PcDevices.DebugConsole),
        Virtio = VirtioBus.Pci,
        Pci = true,
        FwCfgDevice = true,
    };
    private QemuMachine _machine = new() { Options = null!, Spellings = null! };
    private string _machineType = "pc";
    private bool _pcie;
    private string? _memoryBackend;
    private QemuWord? _log;
    private string? _logFile;

    private QemuTranslation(ReadOnlySpan<string> arguments)
    {
        for (int i = 0; i < arguments.Length; i++)
        {
            string word = arguments[i];
            if (word is not ['-', _, ..])
            {
                _words.Add(new(QemuOptions.Find("-hda")!, "-hda", word)); // a bare word is a disk
                continue;
            }

            QemuOption option = QemuOptions.Find(word) ?? throw new BadInputException(Unknown(word));
            if (!option.TakesValue)
                _words.Add(new(option, word, ""));
            else if (i + 1 < arguments.Length)
                _words.Add(new(option, word, arguments[++i]));
            else
                throw new BadInputException($"{word}: no value; it takes {option.Value}");
        }
    }

    /// <summary>Reads a command line, without the program's name.</summary>
    /// <exception cref="BadInputException">It makes no sense, or counts on something that is not there.</exception>
    public static QemuMachine Translate(ReadOnlySpan<string> arguments) => new QemuTranslation(arguments).Run();

    private QemuMachine Run()
    {
        foreach (QemuWord word in _words)
            Treat(word);
        foreach (QemuWord word in _words)
            Define(word);
        foreach (QemuWord word in _words)
            Use(word);
        _drives.Place(isQ35: _machineType == "q35" || _machineType.StartsWith("pc-q35-", StringComparison.Ordinal));
        foreach (QemuWord word in _words.Where(word => word.Option.Name == "device"))
            AddDevice(word);

        _options = _drives.AddTo(_options);
        if (_words.Any(word => word.Option.Name == "snapshot"))
            _options = _options with { Disks = [.. _options.Disks.Select(disk => disk with { Snapshot = true })] };
        _options = _networks.AddTo(_options, _notes) with { Shares = _shares.Used };
        _options = _consoles.AddTo(_options);
        if (_memoryBackend is { } id)
            _options = UseMemory(id);
        if (_drives.Flashes is { Code: { } code } flashes)
            _options = _options with { Firmware = code, FirmwareVariables = flashes.Variables };
        if (_options.Kernel.Length == 0 && _options.Firmware is null)
            _options = _options with { Firmware = FindFirmware() };
        if (_options.Firmware is not null && _consoles.KeepsScreenFromSerial && !_options.FwCfg.Any(file => file.Name == ScreenOnSerial))
            _options = _options with { FwCfg = [.. _options.FwCfg, new(ScreenOnSerial, null, "")] };
        if (_options is { Kernel.Length: > 0, Firmware: { } firmware })
        {
            _options = _options with { Firmware = null, FirmwareVariables = null };
            _notes.Add($"-bios {firmware} has no effect: the kernel is entered without it");
        }

        if (_options is { Smbios: not null, Firmware: null })
        {
            _options = _options with { Smbios = null };
            _notes.Add("-smbios and -uuid have no effect: it is firmware that tells the guest, and the kernel is entered without it");
        }

        if (_log is { } log)
            _machine = _machine with { Log = QemuLogItem.Read(log, _logFile, _notes) };
        if (_machine is { Daemonizes: true, Log.File: null })
            _machine = _machine with { Log = null }; // a daemon's standard error leads nowhere

        if (_machine.StartsPaused && _options.Gdb is not null)
        {
            _machine = _machine with { StartsPaused = false };
            _options = _options with { GdbWaits = true };
        }

        // Without a name nobody could let it go on, size its balloon, or plug memory.
        if (_options.Name is null && (_machine.StartsPaused || _options.Balloon is not null || _options.Memory.Max is not null))
            _options = _options with { Name = MachineName.Default };
        return _machine with { Options = _options, Spellings = _drives.Spellings, Notes = _notes };
    }

    /// <summary>SeaBIOS, which QEMU brings along, where the distributions put it.</summary>
    private string FindFirmware()
    {
        if (!_drives.AreThere)
            throw new BadInputException("nothing to boot; give a kernel with -kernel, or a disk");
        return FirmwareFallback.FindSeaBios(_words.Where(word => word.Option.Name == "L").Select(word => word.Value))
            ?? throw new BadInputException("no firmware to boot a disk: install SeaBIOS (package seabios), or name one with -bios");
    }

    private static string Unknown(string word)
    {
        string? near = Spelling.Closest(word.TrimStart('-'), [.. QemuOptions.All.Select(option => option.Name)]);
        return $"{word}: QEMU has no such option{(near is null ? "" : $" (did you mean -{near}?)")}; "
            + "'minivmm qemu --help-qemu' lists them";
    }

    private void Treat(QemuWord word)
    {
        if (word.Option.Treatment == QemuTreatment.Missing && !IsHarmless(word))
            throw new BadInputException($"{word}: {word.Option.Note}");
        if (word.Option.Name == "icount" && word.Value.Contains("rr=", StringComparison.Ordinal))
            throw new BadInputException($"{word}: runs are neither recorded nor replayed; leave it out");
        if (word.Option.Treatment == QemuTreatment.Ignored && !IsHarmless(word))
            _notes.Add($"{word} has no effect: {word.Option.Note}");
    }

    /// <summary>Values of an option that has no effect, or is missing, with which it would have none in QEMU either.</summary>
    private static bool IsHarmless(QemuWord word) => (word.Option.Name, word.Value) switch
    {
        ("monitor", "none" or "null") => true,
        ("parallel", "none" or "null") => true,
        ("vnc", "none") => true,
        ("spice", "disable=on") => true,
        ("sandbox", "off") => true,
        ("echr", "1" or "0x1") => true,
        ("global", string text) => text.StartsWith(DebugPort, StringComparison.Ordinal),
        _ => false,
    };

    private void SetClock(QemuWord word, string value)
    {
        foreach (string part in CommaList.Split(value))
        {
            if (part.StartsWith("base=", StringComparison.Ordinal))
                _options = _options.With(OptionName.Rtc, part["base=".Length..]);
            else if (part is not ("clock=host" or "driftfix=none"))
                _notes.Add($"-{word.Option.Name}: {part} has no effect: the clock goes on as the host's");
        }
    }

    /// <summary>Takes what others refer to.</summary>
    private void Define(QemuWord word)
    {
        switch (word.Option.Name)
        {
            case "chardev":
                _consoles.Define(word, _notes);
                break;
            case "hda" or "hdb" or "hdc" or "hdd" or "cdrom" or "fda" or "fdb":
                _drives.DefineShort(word);
                break;
            case "drive":
            case "blockdev":
                _drives.Define(word, _notes);
                break;
            case "netdev":
                _networks.Define(word, _notes);
                break;
            case "fsdev":
                _shares.Define(word, _notes);
                break;
            case "object":
                DefineObject(word);
                break;
        }
    }

    private void Use(QemuWord word)
    {
        string value = word.Value;
        switch (word.Option.Name)
        {
            case "kernel":
                _options = _options with { Kernel = value };
                break;
            case "append":
                _options = _options.With(OptionName.Append, value);
                break;
            case "initrd":
                _options = _options.With(OptionName.Initrd, value);
                break;
            case "cpu":
                _options = _options.With(OptionName.Cpu, value);
                break;
            case "smp":
                _options = _options.With(OptionName.Smp, value);
                break;
            case "m":
                _options = _options.With(OptionName.Mem, value);
                break;
            case "bios":
                _options = _options.With(OptionName.Firmware, value);
                break;
            case "boot":
                _options = _options.With(OptionName.Boot, value);
                break;
            case "fw_cfg":
                _options = _options.With(OptionName.FwCfg, value);
                break;
            case "uuid":
                _options = _options.With(OptionName.Smbios, $"type=1,uuid={value}");
                break;
            case "smbios" when SmbiosText.IsKnown(value):
                _options = _options.With(OptionName.Smbios, value);
                break;
            case "smbios":
                _notes.Add($"{word} has no effect: firmware tells of types 1 and 11");
                break;
            case "virtfs":
                _shares.Add(word, _notes);
                break;
            case "rtc":
                SetClock(word, value);
                break;
            case "mem-path":
                _options = _options.With(OptionName.MemPath, value);
                break;
            case "mem-prealloc":
                _options = _options.With(OptionName.MemPrealloc, "on");
                break;
            case "machine":
            case "M":
                UseMachine(word);
                break;
            case "accel":
                QemuList accelerator = new(word, "accel");
                UseAccelerator(word, accelerator.Require("accel"));
                accelerator.PassOver("kernel-irqchip", "thread", "tb-size", "split-wx", "one-insn-per-tb", "dirty-ring-size", "kvm-shadow-mem");
                accelerator.SayRest(_notes);
                break;
            case "name":
                UseName(word);
                break;
            case "no-reboot":
                _machine = _machine with { EndsAtReset = true };
                break;
            case "no-shutdown":
                _machine = _machine with { StaysAfterShutdown = true };
                break;
            case "global" when value.StartsWith(DebugPort, StringComparison.Ordinal):
                _options = _options with
                {
                    DebugConsolePort = _options.With(OptionName.Device, $"isa-debugcon,iobase={value[DebugPort.Length..]}").DebugConsolePort,
                };
                break;
            case "action":
                UseAction(new QemuList(word, "reboot"));
                break;
            case "s":
                _options = _options.With(OptionName.Gdb, "1234");
                break;
            case "gdb" when value != "none":
                UseGdb(word, value);
                break;
            case "S":
                _machine = _machine with { StartsPaused = true };
                break;
            case "d":
                _log = word;
                break;
            case "D":
                _logFile = value;
                break;
            case "daemonize":
                _machine = _machine with { Daemonizes = true };
                _consoles.HasNoTerminal();
                break;
            case "pidfile":
                _machine = _machine with { PidFile = value };
                break;
            case "vnc" when value != "none":
                UseVnc(new(word, "vnc"));
                break;
            case "display" when value.StartsWith("vnc=", StringComparison.Ordinal):
                UseVnc(new(new(word.Option, "-vnc", value["vnc=".Length..]), "vnc"));
                break;
            case "display" when value.Split(',')[0] == "curses":
                _options = _options.With(OptionName.Display, "tty");
                break;
            case "nographic":
            case "nodefaults":
            case "display":
            case "serial":
            case "debugcon":
            case "monitor":
                _consoles.Use(word, _notes);
                break;
            case "nic":
                _networks.UseNic(word, _notes);
                break;
            case "net":
                _networks.UseNet(word, _notes);
                break;
        }
    }
}
