using MiniVmm.Configuration;
using MiniVmm.Machine;
using MiniVmm.Storage;

namespace MiniVmm.Tests.Configuration;

public sealed class BootTextTests
{
    [Theory]
    [InlineData("d", "d", false)]
    [InlineData("dc", "dc", false)]
    [InlineData("order=ndc,menu=on", "ndc", true)]
    [InlineData("menu=on", "cad", true)]
    [InlineData("order=c,once=d", "c", false, "d")]
    [InlineData("once=n", "cad", false, "n")]
    [InlineData("d,strict=on,splash-time=5", "d", false)]
    public void An_order_is_read(string text, string drives, bool menu, string? once = null) =>
        Assert.Equal(new BootOrder(drives, menu) { Once = once }, BootText.Parse(text));

    /// <summary>As SeaBIOS numbers drives in CMOS memory.</summary>
    [Fact]
    public void An_order_for_once_counts_until_the_machine_starts_again()
    {
        BootOrder order = BootText.Parse("order=ca,once=d,menu=on");

        Assert.Equal([3, 0, 0], Enumerable.Range(0, 3).Select(order.Nibble));
        Assert.Equal([2, 1, 0], Enumerable.Range(0, 3).Select(order.Again().Nibble));
        Assert.True(order.Again().HasMenu);
    }

    [Theory]
    [InlineData("", "'': give one to 3 different letters")]
    [InlineData("cc", "'cc': give one to 3 different letters")]
    [InlineData("x", "'x': use a for floppies, c for disks, d for CD-ROM, n for networks")]
    [InlineData("c,d", "'d' is unknown, or one too many; use [order=]DRIVES and menu=on")]
    [InlineData("c,menu=maybe", "'menu=maybe': ")]
    [InlineData("c,fast=on", "'fast=on' is unknown")]
    public void What_is_wrong_is_said(string text, string complaint) => Assert.StartsWith(
        $"Boot {text}: {complaint}", Assert.Throws<BadInputException>(() => BootText.Parse(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("a.img,if=ide", DiskInterface.Ide)]
    [InlineData("a.img,if=cdrom", DiskInterface.Cdrom)]
    [InlineData("a.img,if=floppy", DiskInterface.Floppy)]
    [InlineData("a.img,if=virtio", DiskInterface.Virtio)]
    [InlineData("a.img", DiskInterface.Virtio)]
    public void A_disk_says_its_drive(string text, DiskInterface drive) => Assert.Equal(drive, DiskText.Parse(text).Interface);

    [Theory]
    [InlineData("a.img,if=scsi", "if=scsi: use virtio, ide, cdrom or floppy")]
    [InlineData("a.img,if=ide,iops=5", "iops and bw are for virtio disks; leave them out, or if=")]
    public void A_drive_that_there_is_not_is_refused(string text, string complaint) => Assert.Equal(
        $"Disk {text}: {complaint}", Assert.Throws<BadInputException>(() => DiskText.Parse(text)).Message);

    [Fact]
    public void There_is_room_for_four_drives()
    {
        MachineOptions options = new() { Kernel = "none" };
        foreach (int i in Enumerable.Range(0, 5))
            options = options.With(i % 2 == 0 ? OptionName.Cdrom : OptionName.Disk, i % 2 == 0 ? $"{i}.iso" : $"{i}.img,if=ide");

        Assert.Equal(
            "Cdrom 4.iso: IDE has room for 4 drives, and they are all taken",
            Assert.Throws<BadInputException>(() => MachinePlan.Create(options)).Message);
    }
}
