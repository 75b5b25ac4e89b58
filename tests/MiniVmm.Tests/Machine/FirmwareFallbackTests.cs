using System.Globalization;
using System.Text;
using MiniVmm.Boot;
using MiniVmm.Floppy;
using MiniVmm.Machine;
using MiniVmm.Storage;
using MiniVmm.Tests.Boot;
using MiniVmm.Tests.Boot.Media;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Machine;

/// <summary>A file that is no kernel, but that a BIOS would boot.</summary>
public sealed class FirmwareFallbackTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory();

    private string Bios => Path.Combine(_folder.FullName, "bios.bin");

    /// <summary>As QEMU takes a file that it is given, but for what can be a floppy alone.</summary>
    [Theory]
    [InlineData(512, DiskInterface.Ide, "cda")]
    [InlineData(600_000, DiskInterface.Ide, "cda")]
    [InlineData(360 * 1024, DiskInterface.Floppy, "acd")]
    [InlineData(720 * 1024, DiskInterface.Floppy, "acd")]
    [InlineData(1200 * 1024, DiskInterface.Floppy, "acd")]
    [InlineData(1440 * 1024, DiskInterface.Floppy, "acd")]
    [InlineData(2880 * 1024, DiskInterface.Floppy, "acd")]
    [InlineData(1440 * 1024 + 512, DiskInterface.Ide, "cda")]
    [InlineData(2949121, DiskInterface.Ide, "cda")]
    public void A_boot_sector_is_a_disks_unless_the_file_is_as_long_as_a_floppy(int length, DiskInterface drive, string order)
    {
        MachineOptions options = new() { Kernel = BootSector(length), Disks = [new DiskOptions { File = "data.img" }] };

        MachineOptions instead = For(options)!;

        Assert.Equal(("", Bios, order), (instead.Kernel, instead.Firmware, instead.BootOrder.Drives));
        Assert.Equal([options.Kernel, "data.img"], instead.Disks.Select(disk => disk.File));
        Assert.Equal(drive, instead.Disks[0].Interface);
        if (drive == DiskInterface.Floppy)
            Assert.Equal((ulong)length, FloppyFormat.Of((ulong)length)?.Length);
    }

    [Theory]
    [InlineData(0xf0, false, BootMedium.Floppy)]
    [InlineData(0xf9, false, BootMedium.Floppy)]
    [InlineData(0xf8, false, BootMedium.Disk)]
    [InlineData(0xf0, true, BootMedium.Disk)]
    public void A_shorter_FAT_volume_is_what_its_media_byte_says(byte media, bool hasPartitions, object expected)
    {
        byte[] sector = new byte[512];
        (sector[0], sector[12], sector[16], sector[21], sector[22]) = (0xeb, 2, 2, media, 9);
        (sector[510], sector[511]) = (0x55, 0xaa);
        if (hasPartitions)
            (sector[0x1be], sector[0x1be + 4], sector[0x1be + 12]) = (0x80, 1, 100);

        Assert.Equal(expected, BootMedia.Recognise(sector, 100_000));
        Assert.Equal(BootMedium.Disk, BootMedia.Recognise(sector, 10_000_000));
    }

    [Fact]
    public void Drives_that_have_a_place_make_room_for_what_is_booted()
    {
        DiskOptions first = new() { File = "data.img", Interface = DiskInterface.Ide, Place = 0 };

        MachineOptions instead = For(new MachineOptions { Kernel = BootSector(2949121), Disks = [first] })!;

        Assert.Equal([instead.Disks[0], first with { Place = null }, null, null], IdeDrives.Place(instead));
    }

    [Fact]
    public void What_has_another_loaders_mark_is_no_boot_sector()
    {
        byte[] file = new byte[1024];
        (file[510], file[511]) = (0x55, 0xaa);
        foreach (byte[] start in (byte[][])[[.. "\u007fELF"u8], [0x1f, 0x8b, 8]])
        {
            start.CopyTo(file, 0);
            Assert.Equal(BootMedium.None, BootMedia.Recognise(file, file.Length));
        }
    }

    [Fact]
    public void What_was_said_to_be_entered_otherwise_is_not_left_to_firmware()
    {
        MachineOptions options = new() { Kernel = BootSector(512) };

        Assert.NotNull(For(options));
        Assert.Null(For(options with { Entry = new("2", 2) }));
        Assert.Null(For(options with { Format = BinaryFormat.Flat16 }));
        Assert.Null(For(options with { LoadAddress = 0x8000 }));
    }

    [Fact]
    public void A_CD_is_one_by_its_boot_record()
    {
        byte[] disc = new byte[40 * 2048];
        "\0CD001\u0001EL TORITO SPECIFICATION"u8.CopyTo(disc.AsSpan(17 * 2048));
        disc[0] = 0xeb; // a hybrid: a disk, too
        (disc[510], disc[511]) = (0x55, 0xaa);

        Assert.Equal(BootMedium.Cd, BootMedia.Recognise(disc, disc.Length));
        Assert.Equal(BootMedium.Disk, BootMedia.Recognise(disc.AsSpan(0, 17 * 2048), disc.Length));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(511)]
    public void What_is_too_short_boots_nowhere(int length) =>
        Assert.Equal(BootMedium.None, BootMedia.Recognise(Enumerable.Repeat((byte)0x55, length).ToArray(), length));

    [Fact]
    public void A_disk_without_code_boots_nowhere()
    {
        byte[] sector = new byte[512];
        (sector[510], sector[511]) = (0x55, 0xaa);
        Assert.Equal(BootMedium.None, BootMedia.Recognise(sector, 512));
    }

    [Fact]
    public void What_is_nothing_for_a_BIOS_stays_refused()
    {
        string file = Path.Combine(_folder.FullName, "text");
        File.WriteAllText(file, "not a kernel");
        Assert.Null(For(new() { Kernel = file }));
        Assert.Null(For(new() { Kernel = Path.Combine(_folder.FullName, "missing") }));
        Assert.Null(For(new() { Kernel = _folder.FullName }));
    }

    [Fact]
    public void Without_a_SeaBIOS_the_refusal_says_what_would_help() => Assert.Equal(
        "a.img: no kernel; firmware would boot it: install seabios, or name firmware with --firmware and give the file with --disk FILE,if=ide",
        Assert.Throws<BadInputException>(
            () => FirmwareFallback.For(new() { Kernel = BootSector(512) }, BadInputException.OfNoKernel("a.img: no kernel", "; leave it"), [])).OnCommandLine());

    [Theory]
    [InlineData(512, "--disk {0},if=ide")]
    [InlineData(1440 * 1024, "--fda {0}")]
    public void One_line_says_why_and_how_it_is_started(int length, string option)
    {
        string file = BootSector(length);
        using MachinePlan plan = Create(new() { Kernel = file });

        Assert.Equal(
            $"{file}: a boot sector (55 aa at 510), not a kernel; started as by --firmware {Bios} {string.Format(CultureInfo.InvariantCulture, option, file)}",
            plan.Remark?.Spelled(MiniVmm.Cli.OptionSpelling.Of));
    }

    [Theory]
    [InlineData(0x0u, 0x200, true)] // iPXE's
    [InlineData(0xf_ffffu, 0x20f, true)]
    [InlineData(0x10_0000u, 0x200, false)]
    [InlineData(0x0u, 0x1ff, false)]
    public void A_bzImage_without_a_32_bit_entry_stays_the_kernel_and_gets_firmware(uint entry, int version, bool starts)
    {
        string file = Path.Combine(_folder.FullName, "real.lkrn");
        byte[] kernel = new byte[4096];
        (kernel[0], kernel[510], kernel[511]) = ((byte)'M', 0x55, 0xaa); // as every bzImage has it
        "HdrS"u8.CopyTo(kernel.AsSpan(0x202));
        BitConverter.GetBytes((ushort)version).CopyTo(kernel, 0x206);
        BitConverter.GetBytes(entry).CopyTo(kernel, 0x214);
        File.WriteAllBytes(file, kernel);
        MachineOptions options = new() { Kernel = file, CommandLine = "words" };
        File.WriteAllBytes(Path.Combine(_folder.FullName, "linuxboot_dma.bin"), []);

        MachineOptions? instead = For(options);

        Assert.Equal(starts ? options with { Firmware = Bios } : null, instead);
        if (starts)
        {
            Assert.Equal(
                $"{file}: starts in real mode; started as by --firmware {Bios} --kernel {file}",
                FirmwareFallback.Remark(instead!, NoKernel).Spelled(MiniVmm.Cli.OptionSpelling.Of));
            File.Delete(Path.Combine(_folder.FullName, "linuxboot_dma.bin"));
            Assert.Contains("install seabios and qemu-system-data", Assert.Throws<BadInputException>(() => For(options)).OnCommandLine());
        }
    }

    /// <summary>What the user can mend is said, and nothing else is started: by a bzImage, of which each has a boot sector's signature.</summary>
    [Theory]
    [InlineData("initrd", "--initrd {0}/typo.img: no such file")]
    [InlineData("module", "--module {0}/typo.img: no such file")]
    [InlineData("words", "the command line has 3000 bytes, more than 2047; shorten --append")]
    [InlineData("large initrd", "its 16777216 bytes do not fit in free RAM")]
    [InlineData("large kernel", "it needs at least 17 MiB; --mem 4 MiB is too small")]
    [InlineData("cut off", "cut off?")]
    [InlineData("flat16", "--format flat16 cannot be told \"x\"")]
    [InlineData("load-addr", "says itself where it goes")]
    [InlineData("pin", "--pin 0,1: names 2 host CPUs for 1 vCPU")]
    public void Other_faults_of_a_kernel_do_not_start_firmware(string fault, string refusal)
    {
        byte[] kernel = new BzImageBuilder(SmallKernel.Payload("gzip")).Build();
        Assert.Equal((0x55, 0xaa), (kernel[510], kernel[511]));
        kernel[0] = (byte)'M';
        MachineOptions options = new() { Kernel = Write("vmlinuz", fault == "cut off" ? kernel[..^64] : kernel) };
        BootFile typo = new(Path.Combine(_folder.FullName, "typo.img"));
        options = fault switch
        {
            "initrd" => options with { Initrds = [typo] },
            "module" => options with { Modules = [typo] },
            "words" => options with { CommandLine = new string('x', 3000) },
            "large initrd" => options with { Initrds = [new(Large(16 << 20))], Memory = new(17 << 20) },
            "large kernel" => options with { Memory = new(4 << 20) },
            "flat16" => options with { Format = BinaryFormat.Flat16, CommandLine = "x" },
            "load-addr" => options with { LoadAddress = 0x8000 },
            "pin" => options with { Pin = [0, 1] },
            _ => options,
        };

        Assert.Contains(string.Format(CultureInfo.InvariantCulture, refusal, _folder.FullName), Refusal(options), StringComparison.Ordinal);
    }

    /// <summary>A disc with a boot record and GRUB's menu.</summary>
    private string Disc(string configuration, params (string Path, byte[] Data)[] files)
    {
        byte[] iso = Images.Iso(
            Images.Names.RockRidge, [("/boot/", []), ("/boot/grub/", []), ("/boot/grub/grub.cfg", Encoding.UTF8.GetBytes(configuration)), .. files]);
        "\0CD001\u0001EL TORITO SPECIFICATION"u8.CopyTo(iso.AsSpan(17 * 2048));
        return Write("os.iso", iso);
    }

    [Theory]
    [InlineData("multiboot /boot/gone", ":/boot/gone: the image has no such file; /boot/grub/grub.cfg names it")]
    [InlineData("menuentry Windows { chainloader +1 }\nmenuentry b { linux /boot/text }", ": /boot/grub/grub.cfg: the entry \"Windows\" boots no kernel (chainloader)")]
    [InlineData("linux /boot/text", ":/boot/text: not a kernel that MiniVmm knows (Linux bzImage: no HdrS at 0x202;")]
    [InlineData("set a=b", ": ISO 9660 with Rock Ridge without a grub.cfg, limine.conf or syslinux.cfg that names a kernel")]
    public void What_a_discs_boot_loader_may_make_more_of_is_left_to_it_and_the_line_says_why(string configuration, string why)
    {
        string disc = Disc($"set default=0\n{configuration}", ("/boot/text", "text"u8.ToArray()));
        using MachinePlan plan = Create(new() { Kernel = disc });

        string remark = plan.Remark!.Spelled(MiniVmm.Cli.OptionSpelling.Of);
        Assert.StartsWith($"{disc}{why}", remark, StringComparison.Ordinal);
        Assert.EndsWith($"; started as by --firmware {Bios} --cdrom {disc}", remark, StringComparison.Ordinal);
        Assert.Equal((DiskInterface.Cdrom, "dca"), (plan.Options.Disks[0].Interface, plan.Options.BootOrder.Drives));
    }

    [Fact]
    public void A_discs_kernel_that_has_too_little_RAM_says_so()
    {
        string disc = Disc("multiboot /boot/kernel", ("/boot/kernel", MultibootFiles.Elf().With(0x1000_0000, [1]).Build()));

        Assert.EndsWith(": it needs at least 257 MiB; --mem 128 MiB is too small", Refusal(new() { Kernel = disc }), StringComparison.Ordinal);
        Assert.Contains("--initrd none.img: no such file", Refusal(new() { Kernel = disc, Initrds = [new("none.img")] }), StringComparison.Ordinal);
    }

    [Fact]
    public void What_firmware_cannot_have_either_is_refused_for_the_first_reason()
    {
        string file = BootSector(512);

        Assert.Equal(
            $"{file}: a boot sector (55 aa at 510), not a kernel; SeaBIOS would start it, but --append: is for a kernel, and --firmware {Bios} boots none of that kind",
            Refusal(new() { Kernel = file, CommandLine = "quiet" }));
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static BadInputException NoKernel { get; } = BadInputException.OfNoKernel("a.img: no kernel");

    private MachineOptions? For(MachineOptions options)
    {
        File.WriteAllBytes(Bios, []);
        Assert.Null(FirmwareFallback.For(options, new BadInputException("a.img: no kernel"), [_folder.FullName]));
        return FirmwareFallback.For(options, NoKernel, [Path.Combine(_folder.FullName, "none"), _folder.FullName]);
    }

    /// <summary>The plan on a host that has SeaBIOS.</summary>
    private MachinePlan Create(MachineOptions options)
    {
        File.WriteAllBytes(Bios, new byte[1 << 16]);
        return MachinePlan.Create(options, [_folder.FullName]);
    }

    private string Refusal(MachineOptions options) => Assert.Throws<BadInputException>(() => Create(options)).OnCommandLine();

    private string Write(string name, byte[] bytes)
    {
        string file = Path.Combine(_folder.FullName, name);
        File.WriteAllBytes(file, bytes);
        return file;
    }

    private string Large(long length)
    {
        string file = Path.Combine(_folder.FullName, "large.img");
        using FileStream stream = File.Create(file);
        stream.SetLength(length);
        return file;
    }

    private string BootSector(int length)
    {
        byte[] bytes = new byte[length];
        bytes[0] = 0xfa;
        (bytes[510], bytes[511]) = (0x55, 0xaa);
        return Write($"{length}.img", bytes);
    }
}
