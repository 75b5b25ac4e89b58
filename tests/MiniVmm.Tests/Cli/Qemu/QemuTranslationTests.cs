using MiniVmm.Boot;
using MiniVmm.Cli.Qemu;
using MiniVmm.Devices;
using MiniVmm.Display;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Network;
using MiniVmm.Terminal;

namespace MiniVmm.Tests.Cli.Qemu;

/// <summary>Command lines of QEMU's, most of them as projects' scripts have them.</summary>
public sealed partial class QemuTranslationTests
{
    private static readonly MachineOptions Plain = Translate("-kernel k").Options;

    public static TheoryData<string> Forgiven =>
    [
        "-enable-kvm", "-accel kvm", "-accel kvm -accel tcg", "-M pc,accel=kvm:tcg", "-machine q35,accel=kvm,kernel_irqchip=on,smm=off,vmport=off",
        "-no-user-config", "-monitor none", "-parallel none", "-rtc base=utc", "-rtc base=utc,clock=host,driftfix=none", "-vga none", "-usb", "-audiodev none,id=x",
        "-no-fd-bootchk", "-k en-us", "-L /usr/share/qemu", "-msg timestamp=on", "-object iothread,id=io0", "-net none", "-nic none",
        "-chardev file,id=c,path=log,mux=on", "-chardev stdio,id=c,mux=on,signal=off", "-machine q35,hpet=off,acpi=on,usb=on,smm=auto,dump-guest-core=off",
        "-accel kvm,kernel-irqchip=split,dirty-ring-size=4096", "-blockdev driver=qcow2,node-name=q,file=f,discard=unmap", "-vnc none",
        "--enable-kvm", "-sandbox off", "-device virtio-serial-pci", "-m 128", "-m 128M", "-m size=128M", "-echr 1", "-fsdev local,id=f,path=/srv,security_model=none", "-no-hpet", "-D log",
    ];

    [Theory]
    [MemberData(nameof(Forgiven))]
    public void What_does_not_matter_is_taken_in_silence(string words)
    {
        QemuMachine machine = Translate($"-kernel k {words}");

        Assert.Empty(machine.Notes);
        Assert.Equal(Shown(Plain), Shown(machine.Options));
    }

    [Theory]
    [InlineData("-d in_asm,int,nochain", "-d in_asm,nochain has no effect: under KVM only int, cpu_reset, guest_errors and invalid_mem are seen")]
    [InlineData("-d trace:kvm*", "-d trace:kvm* has no effect")]
    [InlineData("-d all", "-d out_asm,in_asm,op,")]
    [InlineData("-dfilter 0x1000+0x100", "it picks translated code")]
    [InlineData("-monitor stdio", "minivmm ctl")]
    [InlineData("-accel tcg", "-accel: the guest runs under KVM, not tcg")]
    [InlineData("-M q35,foo=on", "-M: foo=on has no effect")]
    [InlineData("-device usb-tablet", "-device usb-tablet has no effect: nobody types or points there")]
    [InlineData("-device virtio-rng-pci,strange=1", "-device virtio-rng-pci: strange=1 has no effect")]
    [InlineData("-nic user", "the card is a virtio one, not QEMU's e1000")]
    [InlineData("-netdev user,id=n0", "-netdev n0 has no effect: no card uses it")]
    [InlineData("-virtfs local,path=/srv,mount_tag=t,security_model=mapped-xattr", "-virtfs: security_model=mapped-xattr is none here")]
    [InlineData("-rtc base=utc,driftfix=slew", "-rtc: driftfix=slew has no effect: the clock goes on as the host's")]
    [InlineData("-rtc clock=vm", "-rtc: clock=vm has no effect: the clock goes on as the host's")]
    [InlineData("-uuid 00112233-4455-6677-8899-aabbccddeeff", "-smbios and -uuid have no effect: it is firmware that tells the guest")]
    [InlineData("-smbios type=0,vendor=x", "-smbios type=0,vendor=x has no effect: firmware tells of types 1 and 11")]
    [InlineData("-display dbus", "nothing is shown over dbus")]
    [InlineData("-device VGA", "-device VGA has no effect: use bochs-display or ramfb")]
    [InlineData("-name two words", "'two words' cannot be a name")]
    [InlineData("-name guest=a,process=b", "-name: process=b has no effect")]
    [InlineData("-chardev stdio,id=c,logfile=F", "-chardev: logfile=F has no effect")]
    [InlineData("-chardev socket,id=c,path=s,server=on,wait=off,reconnect=5,delay=off", "-chardev: reconnect=5 has no effect")]
    [InlineData("-chardev pty,id=c,path=link", "-chardev: path=link has no effect")]
    [InlineData("-machine q35,acpi=off", "-machine: acpi=off has no effect: the tables are there; a kernel need not read them")]
    [InlineData("-machine microvm,pit=off,i8042=on", "-machine: pit=off has no effect: it is always there")]
    [InlineData("-machine pc,i8042=off", "-machine: i8042=off has no effect: it is always there")]
    [InlineData("-M q35,smm=on,hpet=off", "-M: smm=on has no effect: there is none")]
    [InlineData("-M pc,hpet=on", "-M: hpet=on has no effect: there is none")]
    [InlineData("-accel kvm,strange=1", "-accel: strange=1 has no effect")]
    [InlineData("-vnc :1,to=9,share=ignore", "-vnc: to=9 has no effect")]
    [InlineData("-display vnc=:1,websocket=on", "-vnc: websocket=on has no effect")]
    [InlineData("-gdb tcp::1234,server=on,wait=off,telnet=on", "-gdb: telnet=on has no effect")]
    [InlineData("-net nic,model=virtio,strange=1", "-net: strange=1 has no effect")]
    public void What_has_no_effect_is_said_in_a_line(string words, string note)
    {
        (string option, string? value) = (words.Split(' ')[0], words.Contains(' ', StringComparison.Ordinal) ? words[(words.IndexOf(' ', StringComparison.Ordinal) + 1)..] : null);
        QemuMachine machine = QemuTranslation.Translate(["-kernel", "k", option, .. value is null ? Array.Empty<string>() : [value]]);

        Assert.Contains(note, Assert.Single(machine.Notes), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-d int", "irq", false, null)]
    [InlineData("-d guest_errors,int,invalid_mem -D log", "unclaimed,irq", false, "log")]
    [InlineData("-D log -d cpu_reset", null, true, "log")]
    [InlineData("-d int,cpu_reset,guest_errors", "irq,unclaimed", true, null)]
    [InlineData("-d int -d cpu_reset", null, true, null)]
    public void Items_of_the_log_that_KVM_shows_are_traced(string words, string? trace, bool resets, string? file)
    {
        QemuMachine machine = Translate($"-kernel k {words}");

        Assert.Empty(machine.Notes);
        Assert.Equal(new QemuLogRequest(trace, resets, file), machine.Log);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-D log")]
    [InlineData("-d exec")]
    [InlineData("-d int -daemonize -display none")]
    public void Nothing_is_logged_that_is_not_asked_for_or_that_nobody_sees(string words) =>
        Assert.Null(Translate($"-kernel k {words}").Log);

    [Fact]
    public void A_log_files_name_may_hold_the_process_ID() =>
        Assert.Equal($"a{Environment.ProcessId}.log", Translate("-kernel k -d int -D a%d.log").Log!.File);

    [Theory]
    [InlineData("", "nothing to boot; give a kernel with -kernel, or a disk")]
    [InlineData("-kernel", "-kernel: no value; it takes FILE")]
    [InlineData("-kernel k -krenel", "-krenel: QEMU has no such option (did you mean -kernel?)")]
    [InlineData("-kernel k -qmp unix:x", "-qmp unix:x: use -name and 'minivmm ctl'")]
    [InlineData("-kernel k -d int,frob", "-d int,frob: QEMU's log has no item 'frob'; 'minivmm qemu -d help' lists them")]
    [InlineData("-kernel k -d int -D a%s", "-D a%s: of % there may be one %d")]
    [InlineData("-kernel k -d int -D %d-%d", "-D %d-%d: of % there may be one %d")]
    [InlineData("-kernel k -device e1000", "-device e1000: there is no such card; use virtio-net-pci")]
    [InlineData("-kernel k -device nvme,drive=d", "-device nvme,drive=d: there is no such disk; use virtio-blk-pci or ide-hd")]
    [InlineData("-kernel k -device frob", "-device frob: there is no such device")]
    [InlineData("-kernel k -device virtio-blk-pci,drive=d", "-device virtio-blk-pci,drive=d: no -drive or -blockdev is called d")]
    [InlineData("-kernel k -device virtio-net-pci,netdev=n", "-device virtio-net-pci,netdev=n: no -netdev is called n")]
    [InlineData("-kernel k -drive if=virtio", "-drive if=virtio: file= is missing")]
    [InlineData("-kernel k -drive file=x,if=virtio,format=vmdk", "-drive file=x,if=virtio,format=vmdk: images of format vmdk are not read")]
    [InlineData("-kernel k -M virt", "-M virt: there is no machine virt; MiniVmm is a pc, q35 or microvm")]
    [InlineData("-kernel k -serial telnet:x", "-serial telnet:x: use stdio, mon:stdio, file:FILE, pty, unix:PATH")]
    [InlineData("-kernel k -chardev socket,id=c,host=h,port=1,telnet=on", "-chardev socket,id=c,host=h,port=1,telnet=on: telnet=on: whoever connects")]
    [InlineData("-kernel k -chardev socket,id=c,path=p,abstract=on", "-chardev socket,id=c,path=p,abstract=on: abstract=on: whoever connects")]
    [InlineData("-kernel k -chardev socket,id=c,port=1,host=,tls-creds=t", "-chardev socket,id=c,port=1,host=,tls-creds=t: tls-creds=t: the socket would be open")]
    [InlineData("-kernel k -vnc 127.0.0.1:1,password=on", "-vnc 127.0.0.1:1,password=on: password=on: whoever connects can see and type")]
    [InlineData("-kernel k -vnc :1,password", "-vnc :1,password: password=on: whoever connects can see and type")]
    [InlineData("-kernel k -display vnc=:1,password=on", "-vnc :1,password=on: password=on: whoever connects")]
    [InlineData("-kernel k -vnc :1,tls-creds=t", "-vnc :1,tls-creds=t: tls-creds=t: whoever connects")]
    [InlineData("-kernel k -vnc host:1,reverse=on", "-vnc host:1,reverse=on: reverse=on: nobody is called")]
    [InlineData("-kernel k -serial tcp:x", "Console tcp:x: no port from 1 to 65535")]
    [InlineData("-kernel k -serial stdio -serial stdio", "-serial: only one port can have the terminal")]
    [InlineData("-kernel k -serial stdio -serial null -serial file:x", "-serial: a third one; MiniVmm has two serial ports")]
    [InlineData("-kernel k -serial chardev:c", "-serial chardev:c: no -chardev is called c")]
    [InlineData("-kernel k -smp 3,cores=2", "Smp 3,cores=2: ")]
    [InlineData("-kernel k -m lots", "Mem lots: ")]
    [InlineData("-kernel k -rtc base=noon", "Rtc noon: no time, such as utc, localtime, 2026-02-28")]
    [InlineData("-kernel k -nic user,model=e1000", "-nic user,model=e1000: there is no card e1000")]
    [InlineData("-kernel k -device isa-debug-exit,iobase=x", "Device isa-debug-exit,iobase=x: 'iobase=x'")]
    [InlineData("-drive if=none,id=a,file=a -device ide-hd,drive=a,bootindex=x", "-device ide-hd,drive=a,bootindex=x: bootindex=x is no number from 0 to")]
    [InlineData("-drive if=none,id=a,file=a -device ide-hd,drive=a,bootindex=99999999999", "-device ide-hd,drive=a,bootindex=99999999999: bootindex=99999999999 is no")]
    [InlineData(
        "-drive if=none,id=a,file=a -device ide-hd,drive=a,bootindex=1 -drive if=none,id=b,file=b -device ide-cd,drive=b,bootindex=1",
        "-device ide-cd,drive=b,bootindex=1: another disk has bootindex=1")]
    [InlineData("-drive file=fat:rw:folder", "-drive file=fat:rw:folder: no folder is made into a disk; make an image of it, with mformat")]
    [InlineData("-kernel k -icount shift=auto,rr=record,rrfile=f", "-icount shift=auto,rr=record,rrfile=f: runs are neither recorded nor replayed")]
    [InlineData("-kernel k -fsdev local,id=f", "-fsdev local,id=f: path= is missing")]
    [InlineData("-kernel k -fsdev proxy,id=f,path=/", "-fsdev proxy,id=f,path=/: only a local folder is shared")]
    [InlineData("-kernel k -device virtio-9p-pci,fsdev=f,mount_tag=t", "-device virtio-9p-pci,fsdev=f,mount_tag=t: no -fsdev is called f")]
    [InlineData("-kernel k -device vhost-user-fs-pci,chardev=c,tag=t", "-device vhost-user-fs-pci,chardev=c,tag=t: folders are shared by virtio-9p-pci")]
    [InlineData("-kernel k -echr 2", "-echr 2: the key is Ctrl-A")]
    [InlineData("-kernel k -M memory-backend=m", "memory-backend=m: no -object has that id")]
    public void What_matters_and_is_missing_is_an_error_with_the_nearest_way(string words, string complaint) =>
        Assert.StartsWith(
            complaint, Assert.Throws<BadInputException>(() => Translate(words)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("-virtfs local,path=/srv,mount_tag=t,security_model=none,readonly=on,id=x", true)]
    [InlineData("-fsdev local,id=f,path=/srv,security_model=none,multidevs=remap -device virtio-9p-pci,fsdev=f,mount_tag=t", false)]
    [InlineData("-device virtio-9p-device,fsdev=f,mount_tag=t -fsdev local,id=f,path=/srv,readonly", true)]
    public void A_folder_is_shared_by_one_option_or_by_two(string words, bool readOnly)
    {
        QemuMachine machine = Translate($"-kernel k {words}");

        Assert.Equal(new() { Folder = "/srv", Tag = "t", ReadOnly = readOnly }, Assert.Single(machine.Options.Shares));
        Assert.Empty(machine.Notes);
    }

    /// <summary>What public projects start QEMU with: the options, with names of files of no project.</summary>
    [Theory]
    [InlineData("Linux' KUnit", "-nodefaults -m 1024 -kernel bzImage -append console=ttyS0 -no-reboot -nographic -accel kvm -accel hvf -accel tcg -serial stdio", 0)]
    [InlineData("kvm-unit-tests", "-nodefaults -device pc-testdev -device isa-debug-exit,iobase=0xf4,iosize=0x4 -vnc none -serial stdio -device pci-testdev -machine accel=kvm -kernel x.flat -smp 1 -append a -initrd env", 0)]
    [InlineData("bootimage", "-drive format=raw,file=boot.bin -device isa-debug-exit,iobase=0xf4,iosize=0x04 -serial stdio -display none -no-reboot", 0)]
    [InlineData("xv6", "-serial mon:stdio -drive file=fs.img,index=1,media=disk,format=raw -drive file=xv6.img,index=0,media=disk,format=raw -smp 2 -m 512", 0)]
    [InlineData("Buildroot", "-M pc -kernel bzImage -drive file=rootfs.ext2,if=virtio,format=raw -append rootwait -net nic,model=virtio -net user", 0)]
    [InlineData("Hermit", "-display none -serial stdio -kernel loader -initrd app -smp 1 -m 128M -enable-kvm -cpu host -device isa-debug-exit,iobase=0xf4,iosize=0x04 -netdev user,id=u1,hostfwd=tcp::9975-:9975 -device virtio-net-pci,netdev=u1,disable-legacy=on", 0)]
    [InlineData("Unikraft", "-kernel app -nographic -no-reboot -cpu qemu64,+pdpe1gb -m 64M -machine pc,accel=kvm -netdev bridge,id=en0,br=virbr0 -device virtio-net-pci,netdev=en0 -parallel none -nodefaults -serial mon:stdio", 0)]
    [InlineData("Theseus", "-cdrom os.iso -no-reboot -no-shutdown -s -m 512M -serial mon:stdio -smp 4 -cpu Broadwell -boot d", 0)]
    [InlineData("OSv", "-kernel loader.elf -m 2G -smp 4 -vnc :1 -device virtio-blk-pci,id=blk0,drive=hd0 -drive file=usr.img,if=none,id=hd0,cache=none,aio=native -netdev user,id=un0,net=192.168.122.0/24 -device virtio-net-pci,netdev=un0 -device virtio-rng-pci -enable-kvm -cpu host,+x2apic -chardev stdio,mux=on,id=stdio,signal=off -mon chardev=stdio,mode=readline -device isa-serial,chardev=stdio", 1)]
    [InlineData("syzkaller", "-m 2048 -smp 2 -display none -serial stdio -no-reboot -name VM-0 -device virtio-rng-pci -enable-kvm -cpu host,migratable=off -device virtio-net-pci,netdev=net0 -netdev user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:10022-:22 -hda root.img -snapshot -kernel bzImage -append root=/dev/sda", 0)]
    [InlineData("a tutorial's kernel", "-kernel myos.bin", 0)]
    [InlineData("a tutorial's disc", "-cdrom myos.iso -serial stdio -m 128M -monitor none", 0)]
    public void Command_lines_of_projects_are_taken_as_they_are(string project, string words, int notes)
    {
        QemuMachine machine = Translate(words.Contains("-kernel", StringComparison.Ordinal) ? words : $"-bios b {words}");

        Assert.True(machine.Notes.Count == notes, $"{project}: {string.Join("; ", machine.Notes)}");
    }

    [Fact]
    public void A_kernel_has_its_command_line_and_its_modules()
    {
        MachineOptions options = QemuTranslation.Translate(["-kernel", "k", "-append", "a b=\"c\"", "-initrd", "m1 words,m2"]).Options;

        Assert.Equal(("k", "a b=\"c\""), (options.Kernel, options.CommandLine));
        Assert.Equal([new BootFile("m1", "words"), new BootFile("m2")], options.Initrds);
    }

    [Fact]
    public void Processors_and_memory_are_QEMUs()
    {
        MachineOptions options = Translate(
            "-kernel k -smp cpus=4,cores=2,threads=1 -m size=1G,slots=2,maxmem=4G -cpu qemu64,+avx -mem-path /dev/hugepages -mem-prealloc").Options;

        Assert.Equal((4, 2), (options.Topology.Count, options.Topology.Sockets));
        Assert.Equal(("qemu64,+avx", "/dev/hugepages"), (options.Cpu.Text, options.Memory.Path));
        Assert.Equal((1024 * MemoryLayout.MiB, 4096 * MemoryLayout.MiB), (options.Memory.Size, options.Memory.Max!.Value));
        Assert.True(options.Memory.Prealloc);
        Assert.NotNull(options.Name); // or nobody could plug any
    }

    [Theory]
    [InlineData("", VirtioBus.Pci, true)]
    [InlineData("-M q35", VirtioBus.Pci, true)]
    [InlineData("-machine pc-q35-8.2", VirtioBus.Pci, true)]
    [InlineData("-M type=pc-i440fx-9.0", VirtioBus.Pci, true)]
    [InlineData("-M microvm", VirtioBus.Mmio, false)]
    [InlineData("-M microvm,pcie=on", VirtioBus.Pci, true)]
    [InlineData("-M isapc", VirtioBus.Mmio, false)]
    public void The_machine_decides_the_bus(string words, VirtioBus bus, bool pci)
    {
        MachineOptions options = Translate($"-kernel k {words}").Options;

        Assert.Equal((bus, pci), (options.Virtio, options.Pci));
    }

    [Theory]
    [InlineData("", ConsoleKind.Stdio, false)] // QEMU shows it in a window
    [InlineData("-nographic", ConsoleKind.Stdio, false)]
    [InlineData("-serial mon:stdio", ConsoleKind.Stdio, false)]
    [InlineData("-serial stdio -display none", ConsoleKind.Stdio, true)]
    [InlineData("-nodefaults -nographic -serial stdio", ConsoleKind.Stdio, true)]
    [InlineData("-chardev stdio,id=c,signal=off,mux=on -serial chardev:c -mon chardev=c", ConsoleKind.Stdio, false)]
    [InlineData("-serial chardev:c -chardev stdio,id=c", ConsoleKind.Stdio, true)]
    [InlineData("-display none", ConsoleKind.None, false)]
    [InlineData("-nodefaults -nographic", ConsoleKind.None, false)]
    [InlineData("-debugcon stdio", ConsoleKind.None, false)]
    [InlineData("-serial null", ConsoleKind.None, false)]
    [InlineData("-serial file:out.txt -nographic", ConsoleKind.File, false)]
    [InlineData("-serial pty", ConsoleKind.Pty, false)]
    [InlineData("-serial mon:pty", ConsoleKind.Pty, false)]
    [InlineData("-serial mon:vc", ConsoleKind.None, false)]
    [InlineData("-serial unix:s,server,nowait", ConsoleKind.Socket, false)]
    [InlineData("-serial chardev:s -chardev socket,id=s,host=localhost,port=4444,server=on", ConsoleKind.Socket, false)]
    [InlineData("-device virtio-serial-pci -device virtconsole,chardev=c -chardev stdio,id=c", ConsoleKind.Virtio, true)]
    public void The_serial_port_goes_where_QEMU_would_show_it(string words, ConsoleKind kind, bool signals)
    {
        MachineOptions options = Translate($"-kernel k {words}").Options;

        Assert.Equal((kind, signals), (options.Console, options.ConsoleKeepsSignals));
        Assert.True(options.PcDevices.HasFlag(PcDevices.Serial));
        Assert.Equal(kind == ConsoleKind.File ? "out.txt" : null, options.ConsolePath);
    }

    [Fact]
    public void Without_a_serial_port_there_is_none() =>
        Assert.False(Translate("-kernel k -serial none").Options.PcDevices.HasFlag(PcDevices.Serial));

    /// <summary>As QEMU has names: whole behind <c>file:</c>, with commas doubled in lists.</summary>
    [Fact]
    public void A_comma_belongs_to_a_files_name()
    {
        MachineOptions options = Translate("-kernel k -serial file:a,b.log -debugcon file:c,,d -vnc unix:e,,f -gdb unix:g,,h").Options;

        Assert.Equal(("a,b.log", "c,,d"), (options.ConsolePath, options.DebugConsolePath));
        Assert.Equal(("e,f", "g,h"), (options.Vnc!.Path, options.Gdb!.Path));
        Assert.Equal(new SerialTarget(ConsoleKind.File, "i,j"), Translate("-kernel k -serial null -serial mon:file:i,j").Options.Com2);
    }

    [Fact]
    public void A_file_is_appended_to_where_that_is_asked_for()
    {
        MachineOptions options = Translate(
            "-kernel k -chardev file,id=a,path=a.log,append=on -serial chardev:a -chardev file,id=b,path=b.log,append=on -serial chardev:b "
            + "-chardev file,id=c,path=c.log,append=on -device isa-debugcon,chardev=c").Options;

        Assert.True(options.ConsoleAppends && options.DebugConsoleAppends && options.Com2!.Appends);
        Assert.Equal(("a.log", "b.log", "c.log"), (options.ConsolePath, options.Com2.Path, options.DebugConsolePath));
        Assert.False(Translate("-kernel k -chardev file,id=a,path=a,append=off -serial chardev:a").Options.ConsoleAppends);
    }

    /// <summary>As virtme-ng has it, beside a serial port on the terminal.</summary>
    [Theory]
    [InlineData("file,path=log")]
    [InlineData("pty")]
    public void A_virtio_console_that_is_not_on_the_terminal_is_said(string backend)
    {
        QemuMachine machine = Translate($"-kernel k -chardev {backend},id=c -device virtio-serial-pci -device virtconsole,chardev=c -serial mon:stdio");

        Assert.Equal(["-device virtconsole has no effect: it can be on the terminal alone"], machine.Notes);
        Assert.Equal(ConsoleKind.Stdio, machine.Options.Console);
    }

    [Fact]
    public void A_virtio_console_that_is_not_on_the_terminal_leaves_that_to_the_serial_port()
    {
        const string console = "-kernel k -chardev file,path=log,id=c -device virtconsole,chardev=c";

        Assert.Equal(ConsoleKind.Stdio, Translate(console).Options.Console); // where QEMU has a window
        Assert.True(Translate($"{console} -serial stdio").Options.ConsoleKeepsSignals);
        Assert.False(Translate($"{console} -serial mon:stdio").Options.ConsoleKeepsSignals);
    }

    [Fact]
    public void Memory_that_is_not_as_asked_for_is_said() => Assert.Equal(
        ["-object: hugetlb=on has no effect"],
        Translate("-kernel k -object memory-backend-memfd,id=m,size=64M,share=on,hugetlb=on -machine memory-backend=m").Notes);

    [Fact]
    public void The_machine_may_name_its_firmware() => Assert.Equal("f", Translate("-machine pc,firmware=f -hda x").Options.Firmware);

    [Fact]
    public void The_second_serial_port_is_COM2()
    {
        Assert.Equal(new SerialTarget(ConsoleKind.File, "a,b"), Translate("-kernel k -serial stdio -chardev file,id=f,path=a,,b -serial chardev:f").Options.Com2);
        Assert.Equal(new SerialTarget(ConsoleKind.Pty), Translate("-kernel k -serial stdio -serial pty").Options.Com2);
        Assert.Equal(new SerialTarget(ConsoleKind.None), Translate("-kernel k -serial stdio -serial null").Options.Com2);
        Assert.Null(Translate("-kernel k -serial stdio -serial none").Options.Com2);
    }

    [Theory]
    [InlineData("-serial null -serial mon:stdio", ConsoleKind.None, false)]
    [InlineData("-serial file:out.txt -serial stdio", ConsoleKind.File, true)]
    [InlineData("-serial unix:s,server,nowait -serial stdio", ConsoleKind.Socket, true)]
    public void It_has_the_terminal_where_the_first_one_has_it_not(string words, ConsoleKind first, bool signals)
    {
        MachineOptions options = Translate($"-kernel k {words}").Options;

        Assert.Equal((first, new SerialTarget(ConsoleKind.Stdio), signals), (options.Console, options.Com2, options.ConsoleKeepsSignals));
    }

    /// <summary>QEMU has SeaBIOS write to the serial port with -nographic alone; here the terminal stands in for a window, too.</summary>
    [Theory]
    [InlineData("-nographic", true)]
    [InlineData("-display none -nographic", true)]
    [InlineData("-serial stdio", true)]
    [InlineData("-display none -serial stdio", false)]
    [InlineData("-vnc :1", false)]
    public void SeaBIOS_shows_itself_on_the_serial_port_where_there_is_no_screen(string words, bool shows)
    {
        IReadOnlyList<FwCfgFile> files = Translate($"-bios b disk {words}").Options.FwCfg;

        Assert.Equal(shows ? [] : [new FwCfgFile("etc/sercon-port", null, "")], files);
        Assert.Empty(Translate($"-kernel k {words}").Options.FwCfg);
        Assert.Equal(
            new FwCfgFile("etc/sercon-port", null, "x"),
            Assert.Single(Translate($"-bios b disk {words} -fw_cfg name=etc/sercon-port,string=x").Options.FwCfg));
    }

    [Theory]
    [InlineData("-M microvm,pcie=on -machine acpi=off", VirtioBus.Pci)]
    [InlineData("-M microvm -machine accel=kvm", VirtioBus.Mmio)]
    [InlineData("-machine q35 -machine acpi=off", VirtioBus.Pci)]
    public void Several_options_of_the_machine_are_one(string words, VirtioBus bus) =>
        Assert.Equal(bus, Translate($"-kernel k {words}").Options.Virtio);

    [Fact]
    public void The_ports_of_tests_are_there_when_asked_for()
    {
        Assert.False(Plain.PcDevices.HasFlag(PcDevices.DebugExit));
        Assert.False(Plain.PcDevices.HasFlag(PcDevices.DebugConsole));

        MachineOptions options = Translate(
            "-kernel k -device isa-debug-exit,iobase=0xf4,iosize=0x04 -device pc-testdev "
            + "-device isa-debugcon,iobase=0x402,chardev=d -chardev file,id=d,path=log.txt").Options;

        Assert.Equal(DeviceWindow.Ports(0xf4, 4), options.DebugExitPorts);
        Assert.True(options.TestDevices);
        Assert.Equal(
            (0x402, DebugConsoleKind.File, "log.txt"),
            (options.DebugConsolePort, options.DebugConsole, options.DebugConsolePath));
        Assert.True(options.PcDevices.HasFlag(PcDevices.DebugExit | PcDevices.DebugConsole));
        QemuMachine moved = Translate("-kernel k -global isa-debugcon.iobase=0x402 -debugcon file:log.txt");
        Assert.Equal((0x402, "log.txt", 0), (moved.Options.DebugConsolePort, moved.Options.DebugConsolePath, moved.Notes.Count));
        Assert.False(Translate("-kernel k -global isa-debugcon.iobase=0x402").Options.PcDevices.HasFlag(PcDevices.DebugConsole));
        Assert.True(Translate("-kernel k -vga none -device ramfb").Options.Ramfb);
        Assert.Equal(DebugConsoleKind.Stdio, Translate("-kernel k -debugcon stdio").Options.DebugConsole);
    }

    [Fact]
    public void A_disk_boots_by_firmware_and_a_kernel_without()
    {
        MachineOptions options = Translate("-bios b -boot order=d -cdrom c").Options;
        Assert.Equal(("b", "d", ""), (options.Firmware, options.BootOrder.Drives, options.Kernel));

        QemuMachine machine = Translate("-bios b -kernel k");
        Assert.Null(machine.Options.Firmware);
        Assert.Equal("-bios b has no effect: the kernel is entered without it", Assert.Single(machine.Notes));
    }

    [Fact]
    public void Firmware_tells_who_the_machine_is()
    {
        MachineOptions options = Translate("-bios b -uuid 00112233-4455-6677-8899-aabbccddeeff -smbios type=1,serial=ds=nocloud -smbios type=11,value=x").Options;

        Assert.Equal("00112233-4455-6677-8899-aabbccddeeff", options.Smbios!.Uuid.ToString());
        Assert.Equal(("ds=nocloud", "x"), (options.Smbios.Serial, Assert.Single(options.Smbios.OemStrings)));
    }

    [Theory]
    [InlineData("-vnc :1")]
    [InlineData("-display vnc=:1")]
    [InlineData("-vnc 127.0.0.1:1,share=ignore")]
    public void Displays_are_counted_from_port_5900(string words)
    {
        MachineOptions options = Translate($"-kernel k {words}").Options;

        Assert.Equal(ConsoleKind.None, options.Console);
        Assert.Contains("5901", options.ToString(), StringComparison.Ordinal);
        Assert.Equal(DisplayKind.Tty, Translate("-kernel k -display curses").Options.Display);
        Assert.StartsWith("-vnc x: use [HOST]:DISPLAY", Assert.Throws<BadInputException>(() => Translate("-kernel k -vnc x")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Firmware_is_looked_for_where_L_says()
    {
        string folder = Directory.CreateTempSubdirectory("minivmm-test-").FullName;
        File.WriteAllBytes(Path.Combine(folder, "bios.bin"), []);

        Assert.Equal(Path.Combine(folder, "bios.bin"), QemuTranslation.Translate(["-L", folder, "-hda", "x"]).Options.Firmware);

        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("-netdev user,id=n0,hostfwd=tcp::2222-:22 -device virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01")]
    [InlineData("-nic user,model=virtio-net-pci,hostfwd=tcp::2222-:22,mac=52:54:00:00:00:01")]
    [InlineData("-net nic,model=virtio,macaddr=52:54:00:00:00:01 -net user,hostfwd=tcp::2222-:22")]
    public void Networks_are_joined_to_their_cards(string words)
    {
        NetOptions net = Assert.Single(Translate($"-kernel k {words}").Options.Nets);

        Assert.Equal((NetMode.User, "52:54:00:00:00:01"), (net.Mode, net.Mac.ToString()));
        Assert.Equal((2222, 22), ((int)Assert.Single(net.User.HostForwards).HostPort, (int)net.User.HostForwards[0].GuestPort));
    }

    [Fact]
    public void Taps_and_bridges_are_the_hosts()
    {
        IReadOnlyList<NetOptions> nets = Translate(
            "-kernel k -netdev tap,id=t,ifname=tap0,script=no,downscript=no,vhost=on -device virtio-net-pci,netdev=t "
            + "-netdev bridge,id=b,br=br1 -device virtio-net-pci,netdev=b").Options.Nets;

        Assert.Equal([(NetMode.Tap, "tap0"), (NetMode.Bridge, "br1")], nets.Select(net => (net.Mode, net.Interface!)));
    }

    [Fact]
    public void Memory_that_the_machine_refers_to_is_the_guests()
    {
        MemoryOptions memory = Translate(
            "-kernel k -m 64M -object memory-backend-file,id=m,size=64M,mem-path=/dev/shm,prealloc=on -machine q35,memory-backend=m").Options.Memory;

        Assert.Equal(("/dev/shm", true), (memory.Path, memory.Prealloc));
    }

    [Fact]
    public void The_process_behaves_as_it_was_told()
    {
        QemuMachine machine = Translate("-kernel k -no-reboot -no-shutdown -S -pidfile p -name guest=web,debug-threads=on");

        Assert.True(machine is { EndsAtReset: true, StaysAfterShutdown: true, StartsPaused: true, PidFile: "p" });
        Assert.Equal("web", machine.Options.Name);
        Assert.True(Translate("-kernel k -action reboot=shutdown,shutdown=pause") is { EndsAtReset: true, StaysAfterShutdown: true });
        Assert.False(Translate("-kernel k").EndsAtReset);
    }

    [Theory]
    [InlineData("-s", "127.0.0.1:1234", false)]
    [InlineData("-s -S", "127.0.0.1:1234", true)]
    [InlineData("-S -gdb tcp::4321", "127.0.0.1:4321", true)]
    [InlineData("-gdb tcp:0.0.0.0:9000,server=on,wait=off", "0.0.0.0:9000", false)]
    [InlineData("-gdb unix:/run/g", "unix:/run/g", false)]
    [InlineData("-gdb none", null, false)]
    public void Gdb_is_where_QEMUs_is_and_lets_a_machine_go_that_starts_paused(string words, string? address, bool waits)
    {
        QemuMachine machine = Translate($"-kernel k {words}");

        Assert.Equal((address, waits, false), (machine.Options.Gdb?.ToString(), machine.Options.GdbWaits, machine.StartsPaused));
        Assert.Empty(machine.Notes);
    }

    [Fact]
    public void Devices_that_give_and_take_are_there()
    {
        MachineOptions options = Translate(
            "-kernel k -object rng-random,filename=/dev/urandom,id=r -device virtio-rng-pci,rng=r -device virtio-balloon-pci,deflate-on-oom=on").Options;

        Assert.True(options.Rng);
        Assert.True(options.Balloon is { Size: 0, DeflateOnOom: true, Reporting: false });
        Assert.NotNull(options.Name); // or nobody could size it
    }

    private static QemuMachine Translate(string words) =>
        QemuTranslation.Translate(words.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static string Shown(MachineOptions options) =>
        options.ToString() + string.Join(',', options.Disks) + string.Join(',', options.Nets) + options.Memory;
}
