using System.Security.Cryptography;

namespace MiniVmm.Guest.Tests;

/// <summary>
/// The lines by which public projects' scripts start QEMU, run by a shell as they are: MiniVmm is QEMU by a link in front on the PATH.
/// Kernels and images are the project's own, under the lines' names. docs/qemu.md has the table; those that need a floppy, UEFI or Linux are
/// in the lab's ProjectLineTests.
/// </summary>
public sealed class ProjectLineTests : IClassFixture<UsableKvm>, IDisposable
{
    /// <summary>What the boot sectors say: by int 10h, or on COM1 themselves.</summary>
    private const string FromDisk = "boot: drive 80\nboot: second sector\nboot: written\nboot: ok\n";

    private const string FromDisc = "boot: drive e0\nCD001\nboot: ok\n";

    /// <summary>The folders where MiniVmm and QEMU run.</summary>
    private const string Here = "here", There = "there";

    private readonly TemporaryFolder _folder = new();

    public ProjectLineTests()
    {
        Directory.CreateDirectory(_folder["bin"]);
        foreach (string name in (string[])["qemu-system-x86_64", "qemu-system-i386"])
            File.CreateSymbolicLink(Path.Combine(_folder["bin"], name), Built.MiniVmm);
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>
    /// Run by MiniVmm and by QEMU: the same status, and the same text of the guest's. Where the line does not ask for KVM, QEMU translates.
    /// </summary>
    [Theory]
    [InlineData(
        "kvm-unit-tests", "qemu-system-x86_64 --no-reboot -nodefaults -device pc-testdev -device isa-debug-exit,iobase=0xf4,iosize=0x4 -vnc none -serial stdio "
        + "-device pci-testdev -machine accel=kvm -kernel x86/msr.flat -smp 1 -initrd env",
        "x86/msr.flat=testdev.elf env", 1, "  environment              MODE=long\n", "  PCI test device          3 tests of memory, 3 of ports\n", "testdev: ok\n")]
    [InlineData(
        "Linux' KUnit", "qemu-system-x86_64 -nodefaults -m 1024 -kernel .kunit/arch/x86/boot/bzImage -append 'kunit.enable=1 console=ttyS0 kunit_shutdown=reboot' "
        + "-no-reboot -nographic -accel kvm -accel hvf -accel tcg -serial stdio",
        ".kunit/arch/x86/boot/bzImage=suite/tap.elf", 0, "TAP version 13\n1..3\nok 1 - add\nok 2 - subtract # SKIP no such thing\nok 3 - multiply\n")]
    [InlineData(
        "Unikraft", "qemu-system-x86_64 -kernel workdir/build/helloworld_qemu-x86_64 -nographic",
        "workdir/build/helloworld_qemu-x86_64=hello.elf", 0, "  power-off     port 0x604, sleep type 0 (from ACPI)\n", "hello: ok\n")]
    [InlineData(
        "Zephyr", "qemu-system-i386 -m 32 -cpu qemu32,+nx,+pae -machine q35 -device isa-debug-exit,iobase=0xf4,iosize=0x04 -no-reboot -nographic -machine acpi=off "
        + "-net none -chardev stdio,id=con,mux=on -serial chardev:con -mon chardev=con,mode=readline -kernel zephyr/zephyr.elf",
        "zephyr/zephyr.elf=exit-code.elf", 1, "exit-code: 0 goes to port 0xf4, so that the exit status is 1\nexit-code: ok\n")]
    [InlineData(
        "Zephyr for 64 bits", "qemu-system-x86_64 -m 32 -cpu qemu64,+x2apic -machine q35 -device isa-debug-exit,iobase=0xf4,iosize=0x04 -no-reboot -nographic "
        + "-machine acpi=off -net none -icount shift=5,align=off,sleep=off -rtc clock=vm -chardev stdio,id=con,mux=on -serial chardev:con "
        + "-mon chardev=con,mode=readline -kernel zephyr/zephyr.elf",
        "zephyr/zephyr.elf=exit-code.elf", 1, "exit-code: 0 goes to port 0xf4, so that the exit status is 1\nexit-code: ok\n")]
    [InlineData(
        "ToaruOS, its tests", "qemu-system-x86_64 -M q35 -m 3G -smp 4 -enable-kvm -kernel misaka-kernel -initrd ramdisk.igz,util/init.krk -append \"root=/dev/ram0 init=/dev/ram1\" "
        + "-nographic -no-reboot -audiodev none,id=id -serial null -serial mon:stdio -device qemu-xhci -device usb-tablet -trace \"usb*\"",
        "misaka-kernel=hello-com2.elf ramdisk.igz util/init.krk", 0, "  command line  \"misaka-kernel root=/dev/ram0 init=/dev/ram1\"\n", "hello: ok\n")]
    [InlineData(
        "xv6", "qemu-system-i386 -nographic -drive file=fs.img,index=1,media=disk,format=raw -drive file=xv6.img,index=0,media=disk,format=raw -smp 2 -m 512",
        "fs.img xv6.img=boot-disk.img", 0, FromDisk)]
    [InlineData(
        "JOS", "qemu-system-i386 -nographic -drive file=obj/kern/kernel.img,index=0,media=disk,format=raw -serial mon:stdio -gdb tcp::$GDBPORT -D qemu.log -smp 1 "
        + "-drive file=obj/fs/fs.img,index=1,media=disk,format=raw",
        "obj/kern/kernel.img=boot-disk.img obj/fs/fs.img", 0, FromDisk)]
    [InlineData(
        "Pintos", "qemu-system-i386 -device isa-debug-exit -drive format=raw,media=disk,index=0,file=PrK23wP6Yo.dsk -m 4 -net none -nographic -monitor null",
        "PrK23wP6Yo.dsk=boot-serial.img", 33, FromDisk)]
    [InlineData(
        "blog_os, by bootimage", "qemu-system-x86_64 -drive format=raw,file=target/x86_64-blog_os/debug/bootimage-blog_os.bin -no-reboot "
        + "-device isa-debug-exit,iobase=0xf4,iosize=0x04 -serial stdio -display none",
        "target/x86_64-blog_os/debug/bootimage-blog_os.bin=boot-serial.img", 33, FromDisk)]
    [InlineData(
        "a kernel of the Little OS Book", "qemu-system-i386 -boot d -cdrom os.iso -m 4 -serial stdio", "os.iso=boot-serial.iso", 0, FromDisc)]
    [InlineData(
        "nobody's: two drives with bootindex=", "qemu-system-x86_64 -nographic -drive format=raw,file=hd.img,if=none,id=a -device ide-hd,drive=a,bootindex=2 "
        + "-drive file=os.iso,format=raw,if=none,media=cdrom,id=c -device ide-cd,drive=c,bootindex=1",
        "hd.img=boot-disk.img os.iso=boot-cd.iso", 0, FromDisc)]
    public async Task The_guest_shows_the_same_under_QEMU_and_the_status_is_the_same(
        string project, string line, string files, int status, params string[] texts)
    {
        Lay(Here, files);
        Lay(There, files);
        string before = ContentsOfDisks(Here);

        Task<MinivmmResult> other = ShellAsync(There, path: "", line);
        MinivmmResult run = (await ShellAsync(Here, _folder["bin"], line)).With(status);
        MinivmmResult qemu = (await other).With(status);

        foreach (string text in texts)
        {
            Assert.True(run.Output.Contains(text, StringComparison.Ordinal), $"{project}\n{run}");
            Assert.True(qemu.Output.Contains(text, StringComparison.Ordinal), $"{project}, QEMU\n{qemu}");
        }

        string after = ContentsOfDisks(Here);
        Assert.Equal(after, ContentsOfDisks(There));
        Assert.Equal(texts.Contains(FromDisk), before != after);
        if (line.Contains("-display none", StringComparison.Ordinal))
            Assert.Equal(qemu.Output, run.Output); // nothing of firmware's, to the letter
    }

    /// <summary>Its line has -cpu host, of which QEMU 7.2 dies on the KVM that emulates.</summary>
    [Fact]
    public async Task Hermit_gets_its_application_and_ends_by_its_own_status()
    {
        Lay(Here, "hermit-loader-x86_64=hello.elf app");

        MinivmmResult run = await ShellAsync(
            Here, _folder["bin"], "qemu-system-x86_64 -enable-kvm -cpu host -smp 1 -m 128M -device isa-debug-exit,iobase=0xf4,iosize=0x04 -display none -serial stdio "
            + "-kernel hermit-loader-x86_64 -initrd app");

        Assert.Contains(", 4096 bytes\n", run.With(0).Output, StringComparison.Ordinal);
        Assert.EndsWith("hello: ok\n", run.Output, StringComparison.Ordinal);
    }

    /// <summary>A line that opens a window and nothing else in QEMU, which is not asked here: it has none without a desktop.</summary>
    [Theory]
    [InlineData("the OSDev wiki's Bare Bones", "qemu-system-i386 -kernel myos.bin")]
    [InlineData("the same on the terminal", "qemu-system-i386 -kernel myos.bin -curses")]
    public async Task What_QEMU_shows_in_a_window_is_on_the_terminal_and_so_is_its_keyboard(string project, string line)
    {
        Lay(Here, "myos.bin=keyboard.elf");
        using PseudoTerminal terminal = new();
        using MinivmmProcess process = terminal.StartProgram("sh", "-c", $"cd '{_folder[Here]}' && exec ../bin/{line}");
        await terminal.Screen.WaitForAsync("keyboard");

        terminal.Type("Hi!");
        await terminal.Screen.WaitForAsync("!");
        terminal.Type("\u001b");

        Assert.Equal((project, 0), (project, (await process.EndAsync(closeInput: false)).Status));
    }

    /// <summary>Makes the files of a line: NAME=GUEST, or NAME for one of 4096 bytes.</summary>
    private void Lay(string folder, string files)
    {
        foreach (string file in files.Split(' '))
        {
            string[] parts = file.Split('=');
            string path = Path.Combine(_folder[folder], parts[0]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            if (parts.Length > 1)
                File.Copy(Built.Guest(parts[1]), path);
            else if (file == "env")
                File.WriteAllText(path, "CPU=2\nMODE=long\n");
            else
                File.WriteAllBytes(path, new byte[parts[0].EndsWith(".img", StringComparison.Ordinal) ? 512_000 : 4096]);
        }
    }

    private string ContentsOfDisks(string folder) => string.Join('\n', Directory.EnumerateFiles(_folder[folder], "*", SearchOption.AllDirectories)
        .Where(path => Path.GetExtension(path) is ".img" or ".dsk" or ".bin")
        .Order().Select(path => Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))));

    /// <summary>As make starts it; JOS, too, computes gdb's port, so that it is nobody else's.</summary>
    private Task<MinivmmResult> ShellAsync(string folder, string path, string line)
    {
        int port = 25000 + (((2 * Environment.ProcessId) + (folder == Here ? 1 : 0)) % 5000);
        return MinivmmProcess.RunProgramAsync(
            "sh", "-c", $"cd '{_folder[folder]}' && PATH='{path}':\"$PATH\" && GDBPORT={port} && exec {line}");
    }
}
