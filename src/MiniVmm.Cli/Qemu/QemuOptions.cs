using static MiniVmm.Cli.Qemu.QemuTreatment;

namespace MiniVmm.Cli.Qemu;

/// <summary>
/// The options of QEMU 10's manual (qemu-system-x86_64) and of older versions that scripts still give, each with what
/// becomes of it: the one source of the parser and of <c>--help-qemu</c>.
/// </summary>
internal static class QemuOptions
{
    private static readonly QemuOption[] Table =
    [
        // What is booted.
        new("kernel", "FILE", Used, "the kernel"),
        new("append", "TEXT", Used, "its command line"),
        new("initrd", "FILE", Used, "initial RAM disk, or a multiboot kernel's modules: \"FILE words,FILE\""),
        new("no-reboot", "", Used, "a reset ends the machine; without it the machine starts again"),
        new("no-shutdown", "", Used, "after a power-off, and with -no-reboot after a reset, the process stays until it is ended"),
        new("action", "EVENT=ACTION", Used, "reboot=shutdown|reset and shutdown=poweroff|pause; panic= has no effect"),

        // Processors and memory.
        new("machine", "TYPE[,...]", Used, "pc and q35: virtio on PCI; microvm: on MMIO; accel=, memory-backend=, firmware= and switches"),
        new("M", "TYPE[,...]", Used, "the same as -machine"),
        new("accel", "NAME", Used, "kvm; any other is said to be KVM all the same"),
        new("enable-kvm", "", Accepted, "it is always on"),
        new("cpu", "MODEL[,...]", Used, "QEMU's models and properties; 'help' lists them"),
        new("smp", "N[,...]", Used, "cpus, maxcpus, sockets, cores, threads"),
        new("m", "SIZE[,...]", Used, "size=, maxmem=; slots= does not matter"),
        new("mem-path", "DIR", Used, "guest RAM from files there"),
        new("mem-prealloc", "", Used, "guest RAM from the start"),
        new("object", "TYPE,id=ID,...", Used, "memory-backend-ram, -memfd, -file; rng-random, rng-builtin; others are missing"),
        new("numa", "...", Ignored, "the guest has one node"),

        // Consoles.
        new("nographic", "", Used, "the first serial port on the terminal, with the keys behind Ctrl-A"),
        new("serial", "DEVICE", Used, "stdio, mon:stdio, file:FILE, pty, unix:PATH, tcp:HOST:PORT, null, none, chardev:ID; two ports, of which one can have the terminal"),
        new("debugcon", "DEVICE", Used, "port 0xe9: stdio, file:FILE, null, none, chardev:ID"),
        new("chardev", "BACKEND,id=ID,...", Used, "stdio, file (append=), pty, socket, null"),
        new("monitor", "DEVICE", Ignored, "use --name, here -name, and 'minivmm ctl'"),
        new("mon", "...", Ignored, "use -name and 'minivmm ctl'"),
        new("echr", "CODE", Missing, "the key is Ctrl-A"),
        new("parallel", "DEVICE", Ignored, "there is no parallel port"),
        new("display", "TYPE", Used, "none: no serial port on the terminal unless -serial says so; curses and vnc= show the screen"),
        new("vga", "TYPE", Accepted, "text at 0xb8000 is seen, whatever the card"),
        new("full-screen", "", Accepted, "there is no window"),
        new("curses", "", Accepted, "there is no window"),
        new("vnc", "DISPLAY", Used, "[HOST]:DISPLAY or unix:PATH; without a host on the loopback; passwords and TLS are refused"),
        new("spice", "...", Ignored, "nothing is shown over SPICE"),
        new("k", "LAYOUT", Accepted, "there is no window"),
        new("g", "WxH[xDEPTH]", Accepted, "there is no window"),

        // Disks.
        new("drive", "file=FILE,...", Used, "if=virtio, ide, floppy, pflash or none; media=cdrom, format, index, bus, unit, readonly, cache, serial, throttling.iops-total and bps-total"),
        new("hda", "FILE", Used, "an IDE disk"),
        new("hdb", "FILE", Used, "the second one"),
        new("hdc", "FILE", Used, "the third one"),
        new("hdd", "FILE", Used, "the fourth one"),
        new("cdrom", "FILE", Used, "a CD-ROM drive with that disc"),
        new("blockdev", "DRIVER,node-name=ID,...", Used, "file, host_device, raw and qcow2"),
        new("snapshot", "", Used, "what guests write to disks is forgotten at the end"),

        // Networks.
        new("netdev", "TYPE,id=ID,...", Used, "user, tap,ifname=, bridge,br="),
        new("nic", "TYPE,...", Used, "user, tap, bridge and none, with a virtio card"),
        new("net", "TYPE,...", Used, "nic, user, tap, bridge and none"),

        // Devices.
        new("device", "DRIVER,...", Used, "virtio-blk, -net, -rng, -balloon, -9p, -serial and virtconsole; ide-hd, ide-cd, isa-debug-exit, isa-debugcon, pc-testdev, pci-testdev, bochs-display, ramfb, vfio-pci; bootindex= of disks"),
        new("usb", "", Accepted, "there are no USB devices, and no bus"),
        new("usbdevice", "NAME", Ignored, "there is no USB"),
        new("audio", "...", Accepted, "there is no sound"),
        new("audiodev", "...", Accepted, "there is no sound"),
        new("soundhw", "NAME", Accepted, "there is no sound"),
        new("watchdog-action", "ACTION", Accepted, "there is no watchdog"),
        new("fsdev", "local,id=ID,path=FOLDER,...", Used, "a folder for -device virtio-9p-pci,fsdev=ID,mount_tag=TAG"),
        new("virtfs", "local,path=FOLDER,mount_tag=TAG,...", Used, "a folder that the guest mounts by 9P"),
        new("tpmdev", "...", Missing, "there is no TPM"),
        new("balloon", "...", Missing, "use -device virtio-balloon"),

        new("fw_cfg", "name=NAME,...", Used, "file=FILE or string=TEXT"),

        // The process.
        new("name", "NAME", Used, "for 'minivmm ps' and 'minivmm ctl'"),
        new("pidfile", "FILE", Used, "holds the process' ID while it runs"),
        new("S", "", Used, "starts paused; with -s or -gdb gdb lets it run, else 'minivmm ctl NAME resume'"),
        new("s", "", Used, "gdb on port 1234 of the loopback"),
        new("gdb", "DEVICE", Used, "tcp:[HOST]:PORT, on the loopback without a host; unix:PATH; none"),
        new("qmp", "DEVICE", Missing, "use -name and 'minivmm ctl'"),
        new("qmp-pretty", "DEVICE", Missing, "use -name and 'minivmm ctl'"),
        new("d", "ITEM[,...]", Used, "int, cpu_reset, guest_errors and invalid_mem, as far as KVM shows them; others have no effect; 'help' lists them"),
        new("D", "FILE", Used, "the log of -d goes there; a %d is the process' ID"),
        new("trace", "...", Ignored, "QEMU's trace events are its own"),
        new("dfilter", "RANGE", Ignored, "it picks translated code, and none is logged"),
        new("daemonize", "", Used, "ends once the machine is there, which runs on without a terminal"),
        new("incoming", "URI", Missing, "machines cannot be received"),
        new("loadvm", "TAG", Missing, "snapshots in images are not read"),
        new("preconfig", "", Missing, "there is no QMP"),
        new("no-user-config", "", Accepted, "there is none"),
        new("nodefaults", "", Used, "no serial port unless -serial says so"),
        new("readconfig", "FILE", Missing, "give its options on the command line"),
        new("set", "...", Missing, "give the property with its -device"),
        new("global", "DRIVER.PROPERTY=VALUE", Ignored, "give the property with its -device; but for isa-debugcon.iobase=, which -debugcon takes"),
        new("compat", "...", Accepted, "nothing here is deprecated"),
        new("msg", "timestamp[=on|off]", Accepted, "messages have no time"),
        new("sandbox", "...", Ignored, "no system calls are filtered"),
        new("run-with", "...", Ignored, "the process stays as it was started"),
        new("runas", "USER", Missing, "start it as that user"),
        new("chroot", "DIR", Missing, "start it with chroot"),
        new("overcommit", "...", Ignored, "for memory that is there from the start use -mem-prealloc"),
        new("seed", "N", Accepted, "random numbers come from the host"),
        new("rtc", "[base=utc|localtime|DATE][,clock=host]", Used, "what the clock shows at the start; it goes on as the host's"),
        new("icount", "...", Ignored, "KVM cannot count instructions, and time is the host's"),
        new("uuid", "UUID", Used, "the machine's, which firmware tells the guest"),
        new("smbios", "type=N,...", Used, "types 1 and 11, by firmware; others have no effect"),
        new("acpitable", "...", Missing, "the tables are MiniVmm's own"),
        new("option-rom", "FILE", Missing, "there is no firmware to run it"),
        new("no-acpi", "", Ignored, "the tables are there; a kernel need not read them"),
        new("no-hpet", "", Accepted, "there is none"),
        new("no-fd-bootchk", "", Accepted, "nothing is checked"),
        new("win2k-hack", "", Accepted, "disks are quick"),
        new("singlestep", "", Missing, "KVM runs the guest"),
        new("tb-size", "N", Accepted, "nothing is translated"),
        new("plugin", "...", Missing, "KVM runs the guest"),
        new("only-migratable", "", Accepted, "nothing is migrated"),
        new("add-fd", "...", Missing, "name the file"),

        // Firmware.
        new("bios", "FILE", Used, "firmware, where no kernel is given; SeaBIOS where it is installed"),
        new("L", "DIR", Used, "where that is looked for first"),
        new("boot", "[order=]DRIVES[,...]", Used, "order, once and menu, for firmware; once until the guest resets its machine"),
        new("pflash", "FILE", Missing, "use -drive if=pflash,unit=0,file=CODE and unit=1 for the variables"),
        new("fda", "FILE", Used, "a floppy drive with that disk"),
        new("fdb", "FILE", Used, "the second one"),

        new("help", "", Used, "a word on what this is"),
        new("h", "", Used, "the same"),
        new("version", "", Used, "the version"),
        new("help-qemu", "", Used, "this table"),
    ];

    public static IReadOnlyList<QemuOption> All => Table;

    /// <param name="word">With one dash or two.</param>
    /// <returns>Null for a word that is no option of QEMU's.</returns>
    public static QemuOption? Find(string word)
    {
        if (word is not ['-', .. string name])
            return null;
        if (name is ['-', .. string longer])
            name = longer;
        return Array.Find(Table, option => option.Name == name);
    }
}
