using System.Globalization;
using MiniVmm.Configuration;
using MiniVmm.Control;
using MiniVmm.Machine;

namespace MiniVmm.Cli.Qemu;

/// <summary><c>-machine</c>, <c>-accel</c>, <c>-object</c>, and where the machine is reached.</summary>
internal sealed partial class QemuTranslation
{
    private const int FirstVncPort = 5900;

    private void UseMachine(QemuWord word)
    {
        QemuList list = new(word, "type");
        string type = _machineType = list.Take("type") ?? _machineType; // several -machine are one
        bool microvm = type == "microvm";
        bool pc = type is "pc" or "q35" or "isapc"
            || type.StartsWith("pc-i440fx-", StringComparison.Ordinal) || type.StartsWith("pc-q35-", StringComparison.Ordinal);
        if (!microvm && !pc)
            throw list.Bad($"there is no machine {type}; MiniVmm is a pc, q35 or microvm");
        if (list.Take("accel") is { } accelerators)
            UseAccelerator(word, accelerators);
        _memoryBackend = list.Take("memory-backend") ?? _memoryBackend;
        if (list.TakeSwitch("mem-merge"))
            _options = _options.With(OptionName.MemMerge, "on");
        _pcie = list.TakeSwitch("pcie", otherwise: _pcie);
        bool pci = microvm ? _pcie : type != "isapc";
        _options = _options with { Pci = pci, Virtio = pci ? VirtioBus.Pci : VirtioBus.Mmio };

        if (list.Take("firmware") is { } firmware)
            _options = _options.With(OptionName.Firmware, firmware);
        foreach (string there in (string[])["acpi", "i8042", "isa-serial", "pic", "pit", "rtc"])
            NoteSwitch(list, there, isThere: true);
        foreach (string missing in (string[])["hmat", "hpet", "ioapic2", "nvdimm", "smm", "vmport"])
            NoteSwitch(list, missing, isThere: false);

        // Those of which a guest sees nothing, and what -usb accepts.
        list.PassOver(
            "auto-kernel-cmdline", "dump-guest-core", "fd-bootchk", "graphics", "kernel-irqchip", "kernel_irqchip", "mem-merge", "sata", "smbus",
            "suppress-vmdesc", "usb", "x-option-roms");
        list.SayRest(_notes);

        void NoteSwitch(QemuList list, string key, bool isThere)
        {
            // What is neither on nor off is auto.
            if (isThere && list.Take(key) is "off" or "no" or "false")
                _notes.Add($"{word.Spelling}: {key}=off has no effect: {(key == "acpi" ? "the tables are there; a kernel need not read them" : "it is always there")}");
            else if (!isThere && list.Take(key) is "on" or "yes" or "true")
                _notes.Add($"{word.Spelling}: {key}=on has no effect: there is none");
        }
    }

    private void UseAccelerator(QemuWord word, string names)
    {
        // A list is tried in its order: kvm:tcg, or several options.
        if (names.Split(':').Contains("kvm"))
            return;
        if (!_words.Any(other => other.Option.Name is "enable-kvm" || other.Value.Contains("kvm", StringComparison.Ordinal)))
            _notes.Add($"{word.Spelling}: the guest runs under KVM, not {names}");
    }

    /// <summary>QEMU counts displays, from port 5900 on.</summary>
    private void UseVnc(QemuList display)
    {
        const string open = "whoever connects can see and type; leave it out, and use a loopback address or unix:PATH, and a tunnel";
        string address = display.Require("vnc");
        foreach (string key in (string[])["password", "sasl", "acl", "tls", "x509"])
        {
            if (display.TakeSwitch(key))
                throw display.Bad($"{key}=on: {open}");
        }

        foreach (string key in (string[])["password-secret", "tls-creds", "tls-authz", "sasl-authz", "x509verify"])
        {
            if (display.Take(key) is { } secret)
                throw display.Bad($"{key}={secret}: {open}");
        }

        if (display.TakeSwitch("reverse"))
            throw display.Bad("reverse=on: nobody is called; clients connect");
        display.PassOver(
            "share", "lossy", "non-adaptive", "key-delay-ms", "audiodev", "power-control", "display", "head", "ipv4", "ipv6", "connections");
        display.SayRest(_notes);
        if (!address.StartsWith("unix:", StringComparison.Ordinal))
        {
            int colon = address.LastIndexOf(':');
            if (colon < 0 || !ushort.TryParse(address.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort number)
                || number > ushort.MaxValue - FirstVncPort)
                throw display.Bad("use [HOST]:DISPLAY, with a number from 0 on, or unix:PATH");
            string port = (FirstVncPort + number).ToString(CultureInfo.InvariantCulture);
            address = colon == 0 ? port : $"{address[..colon]}:{port}";
        }

        _options = _options.With(OptionName.Display, $"vnc={address}");
        _consoles.HasNoWindow();
    }

    /// <summary>A socket that listens, as QEMU's of gdb does without being told.</summary>
    private void UseGdb(QemuWord word, string device)
    {
        List<string> parts = CommaList.Split(device);
        string address = parts[0];
        if (!address.StartsWith("tcp:", StringComparison.Ordinal) && !address.StartsWith("unix:", StringComparison.Ordinal))
            throw new BadInputException($"{word}: use tcp:[HOST]:PORT, unix:PATH or none");
        foreach (string part in parts.Skip(1))
        {
            if (part is not ("server" or "server=on" or "nowait" or "wait=off" or "nodelay" or "nodelay=on"))
                _notes.Add($"{word.Spelling}: {part} has no effect");
        }

        _options = _options.With(OptionName.Gdb, address);
    }

    private void UseName(QemuWord word)
    {
        QemuList list = new(word, "guest");
        string? name = list.Take("guest");
        list.PassOver("debug-threads");
        list.SayRest(_notes);
        if (name is not null && MachineName.IsValid(name))
            _options = _options with { Name = name };
        else if (name is not null)
            _notes.Add($"{word.Spelling}: '{name}' cannot be a name for 'minivmm ctl'; use letters, digits, '.', '_' and '-'");
    }

    private void UseAction(QemuList list)
    {
        if (list.Take("reboot") is { } reboot)
            _machine = _machine with { EndsAtReset = reboot == "shutdown" };
        if (list.Take("shutdown") is { } shutdown)
            _machine = _machine with { StaysAfterShutdown = shutdown == "pause" };
        list.PassOver("panic", "watchdog");
        list.RequireAllTaken();
    }

    private void DefineObject(QemuWord word)
    {
        QemuList list = new(word, "qom-type");
        string type = list.Require("qom-type");
        switch (type)
        {
            case "memory-backend-ram":
            case "memory-backend-memfd":
            case "memory-backend-file":
                _memories[list.Require("id")] = list;
                break;
            case "rng-random":
            case "rng-builtin":
                break; // a -device virtio-rng uses it
            case "iothread":
                break; // every device has a thread
            default:
                throw list.Bad("there is no such object");
        }
    }

    private MachineOptions UseMemory(string id)
    {
        if (!_memories.TryGetValue(id, out QemuList? memory))
            throw new BadInputException($"memory-backend={id}: no -object has that id");
        MachineOptions options = _options;
        if (memory.Take("mem-path") is { } path)
            options = options.With(OptionName.MemPath, path);
        if (memory.TakeSwitch("prealloc"))
            options = options.With(OptionName.MemPrealloc, "on");
        if (memory.TakeSwitch("merge"))
            options = options.With(OptionName.MemMerge, "on");
        memory.PassOver(
            "size", "share", "dump", "prealloc-threads", "prealloc-context", "host-nodes", "policy", "reserve", "align", "discard-data", "seal");
        memory.SayRest(_notes);
        return options;
    }
}
