using MiniVmm.Cli.Qemu;
using MiniVmm.Machine;
using MiniVmm.Storage;

namespace MiniVmm.Tests.Cli.Qemu;

/// <summary>Drives: which, where, and in which order.</summary>
public sealed partial class QemuTranslationTests
{
    [Fact]
    public void Disks_have_their_place_in_the_boot_order()
    {
        QemuMachine machine = Translate(
            "-bios b -drive if=none,id=a,file=a -device virtio-blk-pci,drive=a,bootindex=1 -drive if=none,id=c,file=c -device ide-cd,drive=c,bootindex=0 "
            + "-drive if=none,id=d,file=d -device ide-hd,drive=d,bootindex=-1 -nic none");

        Assert.Equal([1ul, 0ul, null], machine.Options.Disks.Select(disk => disk.BootIndex));
        Assert.Empty(machine.Notes);
        const string card = "-netdev user,id=n -device virtio-net-pci,netdev=n,bootindex=2";
        Assert.Equal(["-device virtio-net-pci: bootindex=2 has no effect"], Translate($"-bios b a {card}").Notes);
        Assert.Empty(Translate($"-kernel k {card}").Notes);
    }

    [Fact]
    public void Drives_are_disks_of_the_guest_in_their_order()
    {
        MachineOptions options = Translate(
            "-kernel k -drive file=b.qcow2,id=b,if=none,format=qcow2,cache=none -device virtio-blk-pci,drive=b,serial=S1 "
            + "-drive file=a,,1.img,if=virtio,format=raw,readonly=on "
            + "-blockdev driver=file,filename=c.img,node-name=f -blockdev driver=raw,file=f,node-name=c -device virtio-blk,drive=c").Options;

        Assert.Equal(
            [
                new DiskOptions { File = "b.qcow2", Format = DiskFormat.Qcow2, Cache = DiskCache.None, Serial = "S1" },
                new DiskOptions { File = "c.img", Format = DiskFormat.Raw },
                new DiskOptions { File = "a,1.img", Format = DiskFormat.Raw, ReadOnly = true },
            ],
            options.Disks);
    }

    /// <summary>As QEMU 7.2 has their PCI functions (`info qtree`): those of -device first, the others as the command line has them.</summary>
    [Theory]
    [InlineData("-drive file=root,if=virtio -drive file=data,if=virtio -hda old -drive file=scratch,if=virtio", "root data scratch")]
    [InlineData("-drive file=a,if=virtio -drive file=b,if=virtio -fda f -drive file=c,if=virtio", "a b c")]
    [InlineData("-drive file=a,if=virtio -drive file=b,if=virtio -drive file=c,if=virtio -drive file=d,if=virtio -cdrom x", "a b c d")]
    [InlineData("-drive file=b,if=virtio,index=1 -drive file=a,if=virtio,index=0", "b a")]
    [InlineData("-drive file=a,if=virtio -drive file=b,if=none,id=b -device virtio-blk-pci,drive=b", "b a")]
    [InlineData("-drive file=a,if=virtio,media=cdrom", "a")]
    public void Virtio_disks_are_numbered_among_themselves(string words, string files) => Assert.Equal(
        files, string.Join(' ', Translate($"-bios b {words}").Options.VirtioDisks.Select(disk => disk.File)));

    [Theory]
    [InlineData("-hda a -hdb b -cdrom c", "a Ide 0, b Ide 1, c Cdrom 2")]
    [InlineData("-hda a -hdc b", "a Ide 0, b Ide 2")]
    [InlineData("-hdb fs.img", "fs.img Ide 1")]
    [InlineData("-drive format=raw,file=a", "a Ide 0")]
    [InlineData("-drive file=fs.img,index=1,media=disk,format=raw -drive file=xv6.img,index=0,media=disk,format=raw", "fs.img Ide 1, xv6.img Ide 0")]
    [InlineData("-drive if=ide,bus=1,unit=0,file=a", "a Ide 2")]
    [InlineData("-drive bus=1,file=a -drive bus=1,file=b -drive file=c", "a Ide 2, b Ide 3, c Ide 0")]
    [InlineData("-drive media=cdrom,index=1,file=a", "a Cdrom 1")]
    [InlineData("-hdb a -drive file=b -drive file=c", "a Ide 1, b Ide 0, c Ide 2")]
    [InlineData("-drive if=none,id=x,file=a -device ide-hd,drive=x -drive file=c,media=cdrom", "c Cdrom 0, a Ide 2")]
    [InlineData("-drive if=none,id=x,file=a.iso -device ide-cd,drive=x", "a.iso Cdrom 2")]
    [InlineData("-cdrom c -drive if=none,id=x,file=a -device ide-hd,drive=x", "c Cdrom 2, a Ide 3")]
    [InlineData("-hda o -drive if=none,id=x,file=a -device ide-hd,drive=x,bus=ide.0", "o Ide 0, a Ide 1")]
    [InlineData("-drive if=none,id=x,file=a -device ide-hd,drive=x,unit=1", "a Ide 3")]
    [InlineData("-M q35 -hdb a -drive file=b,bus=3", "a Ide 1, b Ide 3")]
    [InlineData("-drive file=a,index=5 -machine q35", "a Ide ")] // MiniVmm's has four places
    [InlineData("a.img", "a.img Ide 0")]
    [InlineData("-fda f -boot a", "f Floppy 0")]
    [InlineData("-fdb g -fda f", "g Floppy 1, f Floppy 0")]
    [InlineData("-fdb g -hda x", "g Floppy 1, x Ide 0")]
    [InlineData("-drive file=f,if=floppy,format=raw", "f Floppy 0")]
    public void Drives_are_in_their_places(string words, string drives)
    {
        MachineOptions options = Translate($"-bios b {words}").Options;

        Assert.Equal(drives, string.Join(", ", options.Disks.Select(disk => $"{disk.File} {disk.Interface} {disk.Place}")));
        Assert.All(options.Disks, disk => Assert.Equal(disk.Interface == DiskInterface.Cdrom, disk.ReadOnly));
    }

    [Theory]
    [InlineData("a b", "-hda b: the place bus=0,unit=0 (index=0) of if=ide has '-hda a'; choose another")]
    [InlineData("-drive file=a -hda b", "-hda b: the place bus=0,unit=0 (index=0) of if=ide has '-drive file=a'")]
    [InlineData("-cdrom c -drive file=a,index=2", "-drive file=a,index=2: the place bus=1,unit=0 (index=2) of if=ide has '-cdrom c'")]
    [InlineData("-drive file=a,if=virtio,index=1 -drive file=b,if=virtio,index=1", "-drive file=b,if=virtio,index=1: the place bus=0,unit=1 (index=1) of if=virtio has")]
    [InlineData("-drive file=a,index=4", "-drive file=a,index=4: if=ide has 2 buses of 2 units, and no such place")]
    [InlineData("-drive file=a,bus=2,unit=0", "-drive file=a,bus=2,unit=0: if=ide has 2 buses of 2 units")]
    [InlineData("-drive file=a,bus=9223372036854775808", "-drive file=a,bus=9223372036854775808: if=ide has 2 buses of 2 units")]
    [InlineData("-drive file=a,unit=18446744073709551615", "-drive file=a,unit=18446744073709551615: if=ide has 2 buses of 2 units")]
    [InlineData("-drive file=a,unit=2", "-drive file=a,unit=2: if=ide has 2 buses of 2 units")]
    [InlineData("-M q35 -drive file=a,unit=1", "-drive file=a,unit=1: if=ide has 6 buses of 1 units")]
    [InlineData("-drive file=a,unit=one", "-drive file=a,unit=one: unit=one is not a number")]
    [InlineData("-drive file=a,bus=1,index=1", "-drive file=a,bus=1,index=1: index= is a bus and a unit")]
    [InlineData("-drive file=a,if=floppy,index=2", "-drive file=a,if=floppy,index=2: if=floppy has 1 buses of 2 units")]
    [InlineData("-hda a -hdb b -hdc c -hdd d -drive file=e", "-drive file=e: if=ide has places for 4 drives, and they are all taken")]
    [InlineData("-cdrom c -drive file=a,if=none,id=a -device ide-hd,drive=a,bus=ide.1,unit=0", "-device ide-hd,drive=a,bus=ide.1,unit=0: the place bus=1,unit=0 (index=2) of if=ide has '-cdrom c'")]
    [InlineData("-hdc c -hdd d -drive file=a,if=none,id=a -device ide-hd,drive=a", "-device ide-hd,drive=a: the place bus=1,unit=1 (index=3) of if=ide has '-hdd d'")]
    [InlineData("-drive file=a,if=none,id=a -device ide-hd,drive=a,bus=ide.2", "-device ide-hd,drive=a,bus=ide.2: there is no bus ide.2; use ide.0 to ide.1")]
    [InlineData("-drive file=a,if=none,id=a -device ide-hd,drive=a,unit=2", "-device ide-hd,drive=a,unit=2: unit=2: a bus of IDE has units 0 and 1")]
    [InlineData("-drive file=a,id=a -device ide-hd,drive=a", "-device ide-hd,drive=a: the guest has a already, by if=ide; write if=none there")]
    [InlineData("-drive file=a,if=pflash,unit=0 -drive file=b,if=pflash,unit=0", "-drive file=b,if=pflash,unit=0: the place bus=0,unit=0 (index=0) of if=pflash has")]
    [InlineData("-drive file=a,if=pflash,unit=2", "-drive file=a,if=pflash,unit=2: if=pflash has 1 buses of 2 units")]
    [InlineData("-drive file=v,if=pflash,unit=1", "-drive v: the flash of unit 1 holds the variables of firmware; give that as unit=0")]
    public void Two_drives_in_one_place_are_an_error_and_so_is_a_place_that_is_not_there(string words, string complaint) =>
        Assert.StartsWith(
            complaint, Assert.Throws<BadInputException>(() => Translate($"-bios b {words}")).Message, StringComparison.Ordinal);

    [Fact]
    public void Flashes_are_the_firmware_and_its_variables()
    {
        MachineOptions options = Translate(
            "-drive if=pflash,format=raw,unit=0,file=code.fd,readonly=on -drive if=pflash,format=raw,unit=1,file=vars.fd -cdrom c").Options;

        Assert.Equal(("code.fd", "vars.fd"), (options.Firmware, options.FirmwareVariables));
        Assert.Single(options.Disks);
        options = Translate("-drive if=pflash,unit=1,file=vars.fd -drive if=pflash,file=code.fd -cdrom c").Options;
        Assert.Equal(("code.fd", "vars.fd"), (options.Firmware, options.FirmwareVariables));
    }

    [Fact]
    public void Snapshots_are_of_all_disks_or_of_one()
    {
        Assert.Equal([true, true], Translate("-kernel k -snapshot -drive file=a,if=virtio -drive file=b,if=virtio").Options.Disks.Select(disk => disk.Snapshot));
        Assert.Equal([false, true], Translate("-kernel k -drive file=a,if=virtio -drive file=b,if=virtio,snapshot=on").Options.Disks.Select(disk => disk.Snapshot));
    }

    [Fact]
    public void A_tree_of_nodes_is_read_to_its_last_word()
    {
        QemuMachine machine = Translate(
            "-kernel k -blockdev driver=file,filename=a,node-name=f,aio=native,cache.direct=on -blockdev driver=qcow2,file=f,node-name=a,lazy-refcounts=on "
            + "-device virtio-blk,drive=a -blockdev driver=raw,file.driver=file,file.filename=b,node-name=b,cache.no-flush=on,auto-read-only=on "
            + "-device virtio-blk,drive=b");

        Assert.Equal(
            [("a", DiskCache.None), ("b", DiskCache.Unsafe)], machine.Options.Disks.Select(disk => (disk.File, disk.Cache)));
        Assert.Equal(["-blockdev: lazy-refcounts=on has no effect"], machine.Notes);
    }
}
