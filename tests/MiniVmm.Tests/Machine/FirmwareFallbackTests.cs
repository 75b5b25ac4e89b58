using MiniVmm.Boot;
using MiniVmm.Machine;
using MiniVmm.Storage;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Machine;

/// <summary>A file that is no kernel, but that a BIOS would boot.</summary>
public sealed class FirmwareFallbackTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory();

    private string Bios => Path.Combine(_folder.FullName, "bios.bin");

    [Theory]
    [InlineData(512, DiskInterface.Floppy, "acd")]
    [InlineData(1474560, DiskInterface.Floppy, "acd")]
    [InlineData(2949121, DiskInterface.Ide, "cda")]
    public void A_boot_sector_is_a_floppys_or_a_disks_by_the_files_length(int length, DiskInterface drive, string order)
    {
        MachineOptions options = new() { Kernel = BootSector(length), Disks = [new DiskOptions { File = "data.img" }] };

        MachineOptions instead = For(options)!;

        Assert.Equal(("", Bios, order), (instead.Kernel, instead.Firmware, instead.BootOrder.Drives));
        Assert.Equal([options.Kernel, "data.img"], instead.Disks.Select(disk => disk.File));
        Assert.Equal(drive, instead.Disks[0].Interface);
    }

    [Fact]
    public void An_image_of_which_an_entry_was_named_is_not_left_to_firmware()
    {
        MachineOptions options = new() { Kernel = BootSector(512) };

        Assert.NotNull(For(options));
        Assert.Null(For(options with { Entry = new("2", 2) }));
    }

    [Fact]
    public void A_CD_is_one_by_its_boot_record()
    {
        byte[] disc = new byte[40 * 2048];
        "\0CD001\u0001EL TORITO SPECIFICATION"u8.CopyTo(disc.AsSpan(17 * 2048));
        disc[0] = 0xeb; // a hybrid: a disk, too
        (disc[510], disc[511]) = (0x55, 0xaa);

        Assert.Equal(BootMedium.Cd, BootMedia.Recognise(disc, disc.Length));
        Assert.Equal(BootMedium.Floppy, BootMedia.Recognise(disc.AsSpan(0, 17 * 2048), disc.Length));
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
        "a.img: no kernel; firmware would boot it: install seabios, or name firmware with --firmware and give the file with --fda",
        Assert.Throws<BadInputException>(
            () => FirmwareFallback.For(new() { Kernel = BootSector(512) }, new("a.img: no kernel"), [])).OnCommandLine());

    [Fact]
    public void One_line_says_how_it_is_started()
    {
        MachineOptions options = new() { Kernel = BootSector(512) };
        Assert.Equal(
            $"{options.Kernel}: a boot sector, and no kernel that MiniVmm enters itself; started as by --firmware {Bios} --fda {options.Kernel}",
            FirmwareFallback.Remark(options, For(options)!).Spelled(MiniVmm.Cli.OptionSpelling.Of));
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
                FirmwareFallback.Remark(options, instead!).Spelled(MiniVmm.Cli.OptionSpelling.Of));
            File.Delete(Path.Combine(_folder.FullName, "linuxboot_dma.bin"));
            Assert.Contains("install seabios and qemu-system-data", Assert.Throws<BadInputException>(() => For(options)).OnCommandLine());
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private MachineOptions? For(MachineOptions options)
    {
        File.WriteAllBytes(Bios, []);
        return FirmwareFallback.For(options, new BadInputException("no kernel"), [Path.Combine(_folder.FullName, "none"), _folder.FullName]);
    }

    private string BootSector(int length)
    {
        string file = Path.Combine(_folder.FullName, $"{length}.img");
        byte[] bytes = new byte[length];
        bytes[0] = 0xfa;
        (bytes[510], bytes[511]) = (0x55, 0xaa);
        File.WriteAllBytes(file, bytes);
        return file;
    }
}
