using System.CommandLine;
using System.CommandLine.Parsing;
using MiniVmm.Configuration;
using MiniVmm.Control;
using MiniVmm.Diagnostics;
using MiniVmm.Host;
using MiniVmm.Machine;

namespace MiniVmm.Cli;

/// <summary><c>minivmm run</c>: boots a kernel and stays until it ends.</summary>
internal class RunCommand : DocumentedCommand
{
    private readonly Argument<string?> _kernelArgument = new("KERNEL")
    {
        Arity = ArgumentArity.ZeroOrOne,
        Description = "Kernel to boot: Linux bzImage or vmlinux, ELF with a PVH note, multiboot",
    };
    private readonly Option<string?> _kernel = new("--kernel")
    {
        HelpName = "FILE",
        Description = "The same, as an option",
    };
    private readonly Option<string?> _initrd = new("--initrd")
    {
        HelpName = "FILE[,FILE...]",
        Description = "Initial RAM disk; several files are joined. For a multiboot kernel its modules, "
            + "as in \"a.img words,b.img\"; two commas are one of a name",
    };
    private readonly Option<string[]> _module = new("--module")
    {
        HelpName = "\"FILE words\"",
        Description = "A module of a multiboot or PVH kernel; may be repeated",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<string?> _append = new("--append")
    {
        HelpName = "TEXT",
        Description = "Kernel command line",
    };
    private readonly Option<string> _smp = new("--smp")
    {
        HelpName = "N[,maxcpus=M][,sockets=S][,cores=C][,threads=T]",
        Description = "vCPUs and their topology; N = sockets x cores x threads",
        DefaultValueFactory = _ => "1",
    };
    private readonly Option<string> _mem = new("--mem", "-m")
    {
        HelpName = "SIZE[,max=SIZE]",
        Description = "Guest RAM; K, M, G or T, a bare number is MiB; up to max of it can come later ('minivmm ctl')",
        DefaultValueFactory = _ => "128M",
    };
    private readonly Option<string?> _memPath = new("--mem-path")
    {
        HelpName = "DIR",
        Description = "Back guest RAM with files there, such as /dev/hugepages",
    };
    private readonly Option<bool> _memPrealloc = new("--mem-prealloc")
    {
        Description = "Populate all of guest RAM before the start",
    };
    private readonly Option<bool> _memMerge = new("--mem-merge") { Description = "Let KSM merge guest RAM" };
    private readonly Option<string> _cpu = new("--cpu")
    {
        HelpName = "MODEL[,+feature][,-feature][,property=value]",
        Description = "CPU model: host, or one of QEMU's ('help' lists them)",
        DefaultValueFactory = _ => "host",
    };
    private readonly Option<string?> _pin = new("--pin")
    {
        HelpName = "LIST",
        Description = "Host CPU of each vCPU, as in 0,2 or 0-3",
    };
    private readonly Option<bool> _noAssist = new("--no-assist")
    {
        Description = "Let an instruction that KVM cannot emulate end the machine, also where MiniVmm could complete it",
    };
    private readonly Option<string> _console = new("--console")
    {
        HelpName = "stdio|virtio|pty|SOCKET|none|FILE",
        Description = "Where the serial port goes; virtio: to stdio as well, and hvc0 beside it, which gets the keys; "
            + "SOCKET: unix:PATH or tcp:[HOST]:PORT, with ,server where others connect to it, and ,wait=off for a guest that does not wait",
        DefaultValueFactory = _ => "stdio",
    };
    private readonly Option<string?> _com2 = new("--com2")
    {
        HelpName = "pty|SOCKET|none|FILE",
        Description = "A second serial port, and where it goes",
    };
    private readonly Option<string> _debugcon = new("--debugcon")
    {
        HelpName = "auto|stdio|stderr|none|FILE",
        Description = "Where port 0xe9's text goes; auto: to the console, without the lines that COM1 prints too",
        DefaultValueFactory = _ => "auto",
    };
    private readonly Option<string> _display = new("--display")
    {
        HelpName = "auto|none|tty|vnc=[HOST:]PORT|vnc=unix:PATH",
        Description = "Where the screen is shown; auto: on the terminal, if the guest writes there and prints nothing",
        DefaultValueFactory = _ => "auto",
    };
    private readonly Option<string[]> _disk = new("--disk")
    {
        HelpName = "FILE[,if=virtio|ide|cdrom|floppy][,ro][,snapshot][,serial=TEXT][,cache=writeback|none|unsafe][,format=raw|qcow2][,iops=N][,bw=SIZE]",
        Description = "A disk, virtio unless if= says otherwise; may be repeated",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<string[]> _cdrom = new("--cdrom")
    {
        HelpName = "FILE",
        Description = "A CD-ROM drive with that disc",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<string[]> _fda = new("--fda")
    {
        HelpName = "FILE",
        Description = "A floppy drive with that disk, for firmware",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<string?> _boot = new("--boot")
    {
        HelpName = "[order=]DRIVES[,menu=on|off]",
        Description = "What firmware boots from: a for floppies, c for disks, d for CD-ROM, n for networks, in that order",
    };
    private readonly Option<string[]> _net = new("--net")
    {
        HelpName = "user|tap=NAME|bridge=BRIDGE|nat[=SUBNET]|vfio=ADDRESS|none[,mac=MAC][,mtu=N][,queues=N][,bw=SIZE][,hostfwd=...]",
        Description = "A virtio network card, and what it is connected to; may be repeated",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<string[]> _device = new("--device")
    {
        HelpName = "vfio=ADDRESS[,reset=on|off]|isa-debug-exit[,iobase=PORT][,iosize=N]|isa-debugcon[,iobase=PORT]|pc-testdev|pci-testdev|bochs-display",
        Description = "A PCI device of the host, handed to the guest ('minivmm devices' lists them), or one of QEMU's for kernel tests; may be repeated",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<string?> _balloon = new("--balloon")
    {
        HelpName = "SIZE[,deflate-on-oom=on|off][,reporting=on|off]",
        Description = "A virtio balloon, of SIZE (0) at the start; 'minivmm ctl' changes it",
        Arity = ArgumentArity.ZeroOrOne,
    };
    private readonly Option<string?> _name = new("--name")
    {
        HelpName = "NAME",
        Description = "Name shown by ps and used by ctl; unnamed machines are not listed",
    };
    private readonly Option<bool> _rng = new("--rng") { Description = "A virtio source of random numbers" };
    private readonly Option<string> _virtio = new("--virtio")
    {
        HelpName = "mmio|pci",
        Description = "Where the guest finds its virtio devices: in memory, or on a PCI bus with MSI-X",
        DefaultValueFactory = _ => "mmio",
    };
    private readonly Option<bool> _pci = new("--pci") { Description = "A PCI bus even with nothing on it" };
    private readonly Option<string?> _firmware = new("--firmware")
    {
        HelpName = "FILE",
        Description = "Firmware instead of a kernel, such as SeaBIOS, in a machine with the chipset that it looks for",
    };
    private readonly Option<string?> _firmwareVars = new("--firmware-vars")
    {
        HelpName = "FILE",
        Description = "The variables of UEFI firmware, which the machine writes: a copy of the firmware's template",
    };
    private readonly Option<string[]> _share = new("--share")
    {
        HelpName = "FOLDER[,tag=NAME][,ro]",
        Description = "A folder of the host's that the guest mounts by 9P, as share0 or NAME; may be repeated",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<string[]> _fwCfg = new("--fw-cfg")
    {
        HelpName = "[name=]NAME,file=FILE|string=TEXT",
        Description = "A file in QEMU's firmware configuration device (fw_cfg), which the guest has then; may be repeated",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<string[]> _smbios = new("--smbios")
    {
        HelpName = "type=1,KEY=TEXT[,...]|type=11,value=TEXT",
        Description = "Who the machine says that it is, by firmware: manufacturer, product, version, serial, uuid, sku, family; or a text; may be repeated",
        DefaultValueFactory = _ => [],
    };
    private readonly Option<string> _rtc = new("--rtc")
    {
        HelpName = "utc|localtime|DATE[Ttime]",
        Description = "What the real-time clock shows at the start: the host's time (default: utc), or a date such as 2026-02-28T23:59:50",
    };
    private readonly Option<bool> _virtioCmdline = new("--virtio-cmdline")
    {
        Description = "Describe virtio devices on the kernel's command line too, for kernels that read no ACPI tables",
    };
    private readonly Option<string> _decompress = new("--decompress")
    {
        HelpName = "auto|guest",
        Description = "Who unpacks a bzImage: MiniVmm where it can, or the kernel's own stub",
        DefaultValueFactory = _ => "auto",
    };
    private readonly Option<string> _format = new("--format")
    {
        HelpName = "auto|flat16|flat32|flat64",
        Description = "What the kernel is; flat: bytes without a header, entered in real, protected or long mode",
        DefaultValueFactory = _ => "auto",
    };
    private readonly Option<string?> _loadAddr = new("--load-addr")
    {
        HelpName = "ADDRESS",
        Description = "Where a flat kernel goes; 0x7c00 for flat16, else 0x100000",
    };
    private readonly Option<string?> _entry = new("--entry")
    {
        HelpName = "N|NAME|ADDRESS",
        Description = "Which entry of an image's boot menu starts, or where a flat kernel is entered",
    };
    private readonly Option<string?> _gdb = new("--gdb")
    {
        HelpName = "[HOST:]PORT|unix:PATH",
        Description = "Where gdb connects ('target remote'), on the loopback unless HOST says otherwise; -s is --gdb 1234",
    };
    private readonly Option<bool> _gdbWait = new("--gdb-wait")
    {
        Description = "The guest waits before its first instruction until gdb lets it go on",
    };
    private readonly Option<string?> _timeout = new("--timeout")
    {
        HelpName = "SECONDS",
        Description = "End the machine after that time, with status 124",
    };
    private readonly Option<string?> _hangAfter = new("--hang-after")
    {
        HelpName = "SECONDS",
        Description = "Say where each vCPU is when the guest has printed nothing for that time, and go on",
    };
    private readonly Option<string?> _core = new("--core")
    {
        HelpName = "FILE",
        Description = "Write an ELF core, for gdb, if the guest crashes or its time runs out",
    };
    private readonly Option<string?> _symbols = new("--symbols")
    {
        HelpName = "FILE",
        Description = "ELF file or System.map that names the kernel's functions, in traces and reports, where the kernel's file does not",
    };
    private readonly Option<string?> _screenshotAtEnd = new("--screenshot-at-end")
    {
        HelpName = "FILE",
        Description = "Write what the screen shows at the end to a PNG file",
    };
    private readonly Option<bool> _stats = new("--stats") { Description = "Print at the end what the vCPUs did" };
    private readonly Option<string?> _trace = new("--trace")
    {
        HelpName = "exits|io|mmio|irq|msr|virtio|unclaimed|all[,vcpu=N][,port=A-B][,addr=A-B][,device=NAME][,after=N][,limit=N]",
        Description = "Say what the guest does, a line an exit; several kinds may be named",
    };
    private readonly Option<string?> _traceFile = new("--trace-file")
    {
        HelpName = "FILE",
        Description = "Put the trace there instead, for Perfetto and 'minivmm trace'; of everything if nothing else is asked for",
    };
    private readonly Option<bool> _dryRun = new("--dry-run")
    {
        Description = "Show what would be built and why, and build nothing",
    };
    private readonly FormOption _explain = new("--explain", "text")
    {
        HelpName = "text|c|json",
        Arity = ArgumentArity.ZeroOrOne,
        Description = "Show each call to KVM as the machine is made, and why; =c and =json write that as a C program or JSON, and run nothing",
    };
    private readonly Milestones _milestones;

    public RunCommand(Milestones milestones)
        : base("run", "Boot a kernel; QEMU's spellings, such as -smp and -kernel, mean the same")
    {
        _milestones = milestones;
        Arguments.Add(_kernelArgument);
        Group(
            "Boot",
            "minivmm run --kernel vmlinuz --initrd initrd.img --append \"console=ttyS0 root=/dev/vda\"",
            _kernel, _initrd, _module, _append, _decompress, _format, _loadAddr, _entry, _firmware, _firmwareVars, _boot);
        Group(
            "Processors",
            "minivmm run --smp 8,sockets=2,cores=2,threads=2 --cpu host,-avx512f --pin 0-7 KERNEL",
            _smp, _cpu, _pin, _noAssist);
        Group(
            "Memory",
            "minivmm run --mem 2G --mem-path /dev/hugepages --mem-prealloc KERNEL",
            _mem, _memPath, _memPrealloc, _memMerge, _balloon);
        Group(
            "Devices",
            "minivmm run --disk root.qcow2 --disk data.img,ro --net user,hostfwd=tcp::2222-:22 --rng KERNEL",
            _console, _com2, _debugcon, _display, _disk, _cdrom, _fda, _net, _device, _rng, _share, _virtio, _virtioCmdline, _pci, _fwCfg, _smbios, _rtc);
        Group(
            "Observing",
            "minivmm run --name web --stats --timeout 60 KERNEL",
            _name, _gdb, _gdbWait, _timeout, _hangAfter, _core, _symbols, _screenshotAtEnd, _stats, _trace, _traceFile, _dryRun, _explain);
        SetAction(Run);
    }

    /// <summary>Those of a gdb that somebody else starts, and what <c>minivmm debug</c> does not do.</summary>
    public IReadOnlyList<Option> DebuggerOptions => [_gdb, _gdbWait, _explain];

    private int Run(ParseResult line) => Run(line, ReadOptions, run =>
    {
        run.AnnouncesGdb = true;
        return line.GetValue(_explain) is { } form ? Explain(run, form) : ExitStatus.Of(run.Run());
    });

    /// <summary>Has the machine run that a command line describes, or answers what it asks instead.</summary>
    /// <param name="line">The command line, all of whose options count, but for <see cref="DebuggerOptions"/>.</param>
    /// <param name="read">Makes the machine of it.</param>
    /// <param name="boot">Runs it, and gives the exit status.</param>
    internal int Run(ParseResult line, Func<ParseResult, MachineOptions> read, Func<MachineRun, int> boot)
    {
        if (line.GetValue(_cpu) is "help" or "?")
            return ListCpuModels();
        Linux.IgnoreFileSizeSignal(); // disks, --mem-path and --console FILE report EFBIG instead
        TimeSpan? timeout =
            line.GetValue(_timeout) is { } seconds ? SecondsText.Parse(seconds, OptionName.Timeout) : null;
        MachineOptions options = read(line);
        _milestones.Reach("arguments read");
        MachineRun run = new(options, _milestones)
        {
            Timeout = timeout,
            Statistics = line.GetValue(_stats),
            Trace = TraceRequest.Of(line.GetValue(_trace), line.GetValue(_traceFile)),
        };
        return line.GetValue(_dryRun) ? Show(run) : boot(run);
    }

    /// <summary><c>--cpu help</c>.</summary>
    protected virtual int ListCpuModels() => ToolsProgram.Become();

    /// <summary><c>--dry-run</c>.</summary>
    protected virtual int Show(MachineRun run) => ToolsProgram.Become();

    /// <summary><c>--explain</c>.</summary>
    protected virtual int Explain(MachineRun run, string form) => ToolsProgram.Become();

    /// <summary>The machine that a command line describes.</summary>
    /// <exception cref="BadInputException">A text is wrong.</exception>
    internal MachineOptions ReadOptions(ParseResult line)
    {
        MachineOptions options = new() { Kernel = ReadKernel(line) ?? "" };
        foreach ((Option option, OptionName name) in Texts())
        {
            if (line.GetResult(option) is not { Implicit: false } given)
                continue;
            if (given.Tokens.Count == 0)
                options = options.With(name, option is Option<bool> ? "on" : "");
            foreach (Token token in given.Tokens)
                options = options.With(name, token.Value);
        }

        // A balloon that nobody can size is of little use, and so is memory that nobody can plug.
        return options is { Name: null } and ({ Balloon: not null } or { Memory.Max: not null }) ? options with { Name = MachineName.Default } : options;
    }

    /// <summary>The options that the library reads, in the order in which their mistakes are reported.</summary>
    internal (Option Option, OptionName Name)[] Texts() =>
    [
        (_smp, OptionName.Smp),
        (_initrd, OptionName.Initrd),
        (_module, OptionName.Module),
        (_append, OptionName.Append),
        (_decompress, OptionName.Decompress),
        (_format, OptionName.Format),
        (_loadAddr, OptionName.LoadAddr),
        (_entry, OptionName.Entry),
        (_cpu, OptionName.Cpu),
        (_mem, OptionName.Mem),
        (_memPath, OptionName.MemPath),
        (_memPrealloc, OptionName.MemPrealloc),
        (_memMerge, OptionName.MemMerge),
        (_pin, OptionName.Pin),
        (_noAssist, OptionName.NoAssist),
        (_console, OptionName.Console),
        (_com2, OptionName.Com2),
        (_debugcon, OptionName.Debugcon),
        (_display, OptionName.Display),
        (_hangAfter, OptionName.HangAfter),
        (_core, OptionName.Core),
        (_symbols, OptionName.Symbols),
        (_screenshotAtEnd, OptionName.ScreenshotAtEnd),
        (_stats, OptionName.Stats),
        (_name, OptionName.Name),
        (_gdb, OptionName.Gdb),
        (_gdbWait, OptionName.GdbWait),
        (_disk, OptionName.Disk),
        (_cdrom, OptionName.Cdrom),
        (_fda, OptionName.Fda),
        (_boot, OptionName.Boot),
        (_net, OptionName.Net),
        (_device, OptionName.Device),
        (_balloon, OptionName.Balloon),
        (_rng, OptionName.Rng),
        (_share, OptionName.Share),
        (_virtio, OptionName.Virtio),
        (_virtioCmdline, OptionName.VirtioCmdline),
        (_pci, OptionName.Pci),
        (_firmware, OptionName.Firmware),
        (_firmwareVars, OptionName.FirmwareVars),
        (_fwCfg, OptionName.FwCfg),
        (_smbios, OptionName.Smbios),
        (_rtc, OptionName.Rtc),
    ];

    private string? ReadKernel(ParseResult line) => (line.GetValue(_kernelArgument), line.GetValue(_kernel)) switch
    {
        (null, null) when line.GetValue(_firmware) is not null => null,
        (null, null) => throw new BadInputException(line.GetValue(_balloon) is { Length: > 0 } size && !char.IsAsciiDigit(size[0])
            ? $"no kernel given; if it is {size}, write the kernel first, as --balloon takes a size"
            : $"no kernel given; write minivmm {line.CommandResult.Command.Name} KERNEL"),
        (['-', ..] option, null) when line.Tokens.All(token => token.Type != TokenType.DoubleDash) =>
            throw new BadInputException($"unknown option {option}; see minivmm run --help"),
        (string argument, null) => argument,
        (null, string option) => option,
        (string argument, string option) =>
            throw new BadInputException($"two kernels given, {argument} and {option}; name one"),
    };
}
