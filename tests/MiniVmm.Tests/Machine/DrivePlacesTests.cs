using MiniVmm.Devices;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Storage;

namespace MiniVmm.Tests.Machine;

/// <summary>Drives of IDE and of floppies that name the place where the guest finds them.</summary>
public sealed class DrivePlacesTests
{
    /// <summary>A drive is a letter, c for a CD-ROM drive, with its place where it names one.</summary>
    [Theory]
    [InlineData("a b", "a b - -")]
    [InlineData("c", "- - c -")]
    [InlineData("a0 b2", "a - b -")]
    [InlineData("b1", "- b - -")]
    [InlineData("c1", "- c - -")]
    [InlineData("a b0", "b a - -")]
    [InlineData("c d2", "- - d c")]
    [InlineData("c0 a b3 d", "c a d b")]
    public void IDE_drives_are_where_they_say_and_the_others_around_them(string drives, string places) => Assert.Equal(
        places, string.Join(' ', IdeDrives.Place(Ide(drives)).Select(disk => disk?.File ?? "-")));

    [Theory]
    [InlineData("a0 b0", "Disk b: place 0 of IDE has Disk a; choose another")]
    [InlineData("c2 b2", "Disk b: place 2 of IDE has Cdrom c; choose another")]
    [InlineData("a4", "Disk a: IDE has places 0 to 3, and no place 4")]
    [InlineData("a b d e c2", "Disk e: IDE has room for 4 drives, and they are all taken")]
    public void A_place_that_another_has_is_an_error(string drives, string complaint) => Assert.Equal(
        complaint, Assert.Throws<BadInputException>(() => IdeDrives.Check(Ide(drives))).Message);

    [Fact]
    public void Firmware_boots_from_drives_where_they_are()
    {
        MachineOptions options = new() { Disks = [new() { File = "a", Interface = DiskInterface.Ide, Place = 3, BootIndex = 1 }] };

        Assert.Equal(
            "/pci@i0cf8/ide@1,1/drive@1/disk@1\0", System.Text.Encoding.ASCII.GetString(FirmwareBootOrder.Of(options, VirtioSlot.For(options))!));
    }

    /// <summary>Kinds of both drives and how many there are, as QEMU's machine has them: there is an A where there is a B.</summary>
    [Theory]
    [InlineData(0, 0x40, 0x07)]
    [InlineData(1, 0x44, 0x47)]
    [InlineData(null, 0x40, 0x07)]
    public void A_floppy_is_in_drive_A_or_B(int? place, byte kinds, byte equipment)
    {
        string file = Path.GetTempFileName();
        File.WriteAllBytes(file, new byte[1440 << 10]);
        Rtc cmos = new(new GuestMemoryMap(64 * MemoryLayout.MiB), TimeProvider.System);

        FloppyDrives.Tell(cmos, new() { Disks = [new() { File = file, Interface = DiskInterface.Floppy, Place = place }] });

        Assert.Equal((kinds, equipment), (Cmos(cmos, 0x10), Cmos(cmos, 0x14)));
        File.Delete(file);
    }

    [Fact]
    public void Two_floppies_are_in_two_drives()
    {
        DiskOptions first = new() { File = "a", Interface = DiskInterface.Floppy, Place = 1 };
        MachineOptions options = new() { Firmware = "f", Disks = [first, first with { Place = null }] };

        FloppyDrives.Check(options);
        Assert.Equal(
            "Fda a: place 1 of the floppy controller has Fda a; choose another",
            Assert.Throws<BadInputException>(() => FloppyDrives.Check(options with { Disks = [first, first] })).Message);
        Assert.Equal(
            "Fda a: a machine has 2 floppy drives at most",
            Assert.Throws<BadInputException>(() => FloppyDrives.Check(options with { Disks = [first, first with { Place = 0 }, first with { Place = null }] })).Message);
    }

    private static MachineOptions Ide(string drives) => new()
    {
        Disks =
        [
            .. drives.Split(' ').Select(drive => new DiskOptions
            {
                File = drive[..1],
                Interface = drive[0] == 'c' ? DiskInterface.Cdrom : DiskInterface.Ide,
                Place = drive.Length > 1 ? drive[1] - '0' : null,
            }),
        ],
    };

    private static byte Cmos(Rtc cmos, byte index)
    {
        cmos.Write(0, [index]);
        byte[] value = new byte[1];
        cmos.Read(1, value);
        return value[0];
    }
}
