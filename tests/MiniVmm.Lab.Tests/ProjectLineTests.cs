namespace MiniVmm.Lab.Tests;

/// <summary>
/// Lines by which public projects start QEMU, as in MiniVmm.Guest.Tests' ProjectLineTests, of those whose guests need an ordinary KVM. QEMU is
/// not asked here, where it would translate inside a machine that is translated itself.
/// </summary>
[Trait(LabKind.Trait, LabKind.Kvm)]
[Trait(LabKind.Shared, LabKind.Kvm)]
public sealed class ProjectLineTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory().FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(
        "MikeOS", "qemu-system-i386 -soundhw pcspk -drive format=raw,file=disk_images/mikeos.flp,index=0,if=floppy",
        "mkdir disk_images && cp $G/boot-disk.img disk_images/mikeos.flp", "boot: drive 00\nboot: second sector\nboot: written\nboot: ok\n")]
    [InlineData(
        "the OSDev wiki's Bare Bones", "qemu-system-i386 -cdrom myos.iso",
        "mkdir -p isodir/boot/grub && cp $G/hello.elf isodir/boot/myos.bin && printf 'set timeout=0\\nmenuentry \"myos\" {\\nmultiboot /boot/myos.bin\\n}\\n' "
        + ">isodir/boot/grub/grub.cfg && grub-mkrescue -o myos.iso isodir 2>&1",
        "multiboot 1, loader \"GRUB 2", "hello: ok\n")]
    [InlineData(
        "ToaruOS", "qemu-system-x86_64 -M q35 -m 3G -smp 4 -enable-kvm -no-reboot -serial mon:stdio -device AC97 -cdrom image.iso "
        + "-fw_cfg name=opt/org.toaruos.bootmode,string=normal",
        "cp $G/boot-serial.iso image.iso", "boot: drive e0\nCD001\nboot: ok\n")]
    [InlineData(
        "seL4", "qemu-system-x86_64 -cpu Nehalem,-vme,+pdpe1gb,-xsave,-xsaveopt,-xsavec,-fsgsbase,-invpcid,enforce -nographic -serial mon:stdio -m size=512M "
        + "-kernel images/kernel-x86_64-pc99 -initrd images/sel4test-driver-image-x86_64-pc99",
        "mkdir images && cp $G/hello.elf images/kernel-x86_64-pc99 && cp $G/exit-code.elf images/sel4test-driver-image-x86_64-pc99",
        "  command line  \"images/kernel-x86_64-pc99\"\n", "hello: ok\n")]
    public async Task Its_guest_comes_up_and_powers_off(string project, string line, string files, params string[] texts)
    {
        await using VmmProcess vmm = await StartAsync(project, line, files);
        vmm.CloseInput();

        await vmm.AssertExitAsync(0);

        foreach (string text in texts)
            Assert.Contains(text, vmm.Output, StringComparison.Ordinal);
    }

    /// <summary>Of the lines' options those with a file of the host's: the firmware in a flash, and no variables beside it.</summary>
    [Fact]
    public async Task Limine_s_template_comes_up_through_OVMF_and_its_disc()
    {
        await using VmmProcess vmm = await StartAsync(
            "limine",
            "qemu-system-x86_64 -M q35 -drive if=pflash,unit=0,format=raw,file=ovmf/ovmf-code-x86_64.fd,readonly=on -cdrom template-x86_64.iso -m 2G",
            "mkdir -p ovmf iso_root && cp /usr/share/OVMF/OVMF_CODE_4M.fd ovmf/ovmf-code-x86_64.fd && truncate -s 4M iso_root/efi.img && mformat -i iso_root/efi.img :: && "
            + "mmd -i iso_root/efi.img ::/EFI ::/EFI/BOOT && mcopy -i iso_root/efi.img /boot/ipxe.efi ::/EFI/BOOT/BOOTX64.EFI && "
            + "xorriso -as mkisofs -quiet --efi-boot efi.img -efi-boot-part --efi-boot-image --protective-msdos-label iso_root -o template-x86_64.iso 2>&1");

        await vmm.WaitForAsync("Open Source Network Boot Firmware");
    }

    /// <summary>With -no-shutdown QEMU stays when the guest has powered off, until it is ended.</summary>
    [Fact]
    public async Task Theseus_boots_its_disc_behind_a_disk_of_data_and_stays()
    {
        await using VmmProcess vmm = await StartAsync(
            "theseus",
            "qemu-system-x86_64 -cdrom theseus.iso -no-reboot -no-shutdown -s -m 512M -serial stdio -cpu Broadwell -net none -smp 2 "
            + "-drive format=raw,file=random_data2.img,if=none,id=mydisk -device ide-hd,drive=mydisk,bus=ide.0,serial=4696886396",
            "cp $G/boot-serial.iso theseus.iso && truncate -s 1M random_data2.img");

        await vmm.WaitForAsync("boot: ok\n");
        vmm.Signal(VmmProcess.SIGTERM);

        await vmm.AssertExitAsync(0);
    }

    /// <summary>Debian's kernel for these projects' own: without an initial RAM disk it finds no root, panics, and resets where the line says so.</summary>
    [Fact]
    public async Task Rcutorture_has_Linux_console_in_a_file()
    {
        await using VmmProcess vmm = await StartAsync(
            "rcutorture",
            "qemu-system-x86_64 -enable-kvm -display none -no-reboot -smp 2 -net none -serial file:console.log -m 512 -kernel arch/x86/boot/bzImage "
            + "-append \"debug_boot_weak_hash panic=-1 selinux=0 initcall_debug debug console=ttyS0 rcutorture.n_barrier_cbs=4 rcutorture.stat_interval=15 "
            + "rcutorture.shutdown_secs=60 rcutorture.test_no_idle_hz=1 rcutorture.verbose=1\"",
            "mkdir -p arch/x86/boot && cp $G/vmlinuz-cloud arch/x86/boot/bzImage");
        vmm.CloseInput();

        await vmm.AssertExitAsync(0);

        string log = await File.ReadAllTextAsync(Path.Combine(_folder, "console.log"));
        Assert.Contains("Command line: debug_boot_weak_hash panic=-1", log, StringComparison.Ordinal);
        Assert.Contains("Kernel panic - not syncing: VFS", log, StringComparison.Ordinal);
        Assert.Empty(vmm.Output);
    }

    [Fact]
    public async Task Syzkaller_has_Linux_console_and_a_disk_that_stays_as_it_is()
    {
        await using VmmProcess vmm = await StartAsync(
            "syzkaller",
            "qemu-system-x86_64 -m 1024 -smp 2 -display none -serial stdio -no-reboot -name VM-0 -device virtio-rng-pci -enable-kvm -cpu host,migratable=off "
            + "-device virtio-net-pci,netdev=net0 -netdev user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:10022-:22 -hda root.img -snapshot "
            + "-kernel bzImage -append \"root=/dev/sda console=ttyS0\"",
            "cp $G/vmlinuz-cloud bzImage && truncate -s 1M root.img");

        await vmm.WaitForAsync("Command line: root=/dev/sda console=ttyS0");
        await vmm.WaitForAsync("Kernel panic - not syncing: VFS");
    }

    /// <summary>virtme-ng as it is: it calls QEMU itself, with the host's files as the guest's root by 9P.</summary>
    [Fact]
    public async Task Virtme_ng_boots_Debian_s_kernel_on_the_hosts_files()
    {
        await using VmmProcess vmm = await StartAsync(
            "virtme-ng",
            "script -qec \"virtme-run --kimg /boot/vmlinuz-$(uname -r) --mods auto --memory 512M --cpus 2 --force-9p --verbose --show-boot-console\" /dev/null",
            "test -e $G/virtme || { echo virtme-ng could not be fetched: tests/lab/fetch-virtme; exit 1; } && cp $G/vmlinuz-amd64 /boot/vmlinuz-$(uname -r) && "
            + "printf '#!/bin/sh\\nPYTHONPATH=%s/virtme/usr/lib/python3/dist-packages exec /usr/bin/python3 %s/virtme/usr/bin/virtme-run \"$@\"\\n' $G $G "
            + ">bin/virtme-run && chmod +x bin/virtme-run && echo from-the-host >hello");

        await vmm.WaitForAsync("switching to real root"); // in steps: a busy lab takes its time
        await vmm.WaitForAsync("basic initialization done");
        await vmm.WaitForAsync("(CTRL+d to exit)");
        await vmm.WaitForAsync("# ");
        await vmm.SendLineAsync($"grep ' / ' /proc/mounts; cat {_folder}/hello; exit");

        await vmm.AssertExitAsync(0);
        Assert.Contains("/dev/root / 9p ro,", vmm.Output, StringComparison.Ordinal);
        Assert.Contains("\nfrom-the-host\n", vmm.Output, StringComparison.Ordinal);
    }

    private async Task<VmmProcess> StartAsync(string project, string line, string files)
    {
        await LabHost.ShellAsync($"cd {_folder} && G='{Lab.Guest("")}' && mkdir bin && ln -s '{Lab.MiniVmm}' bin/qemu-system-x86_64 && "
            + $"ln -s '{Lab.MiniVmm}' bin/qemu-system-i386 && {files}");
        return VmmProcess.Start($"line-{project.Replace(' ', '-')}", "sh", "-c", $"cd {_folder} && PATH={_folder}/bin:$PATH && exec {line}");
    }
}
