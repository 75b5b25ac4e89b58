using System.Diagnostics;
using MiniVmm.Host;
using MiniVmm.Storage;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Storage;

/// <summary>On real files.</summary>
public sealed unsafe class DiskImageTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("disk-").FullName;

    private string Name => Path.Combine(_directory, "disk.img");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(DiskCache.WriteBack)]
    [InlineData(DiskCache.None)]
    [InlineData(DiskCache.Unsafe)]
    public void What_is_written_is_in_the_file(DiskCache cache)
    {
        Make(1 << 20);
        byte[] data = Random(8192, 1);
        using (IDiskImage image = Open(cache: cache))
        {
            Assert.Equal(0, Write(image, 512, data));
            Assert.Equal(0, image.Flush());
            Assert.Equal(data, Read(image, 512, data.Length));
        }

        Assert.Equal(data, File.ReadAllBytes(Name)[512..8704]);
        Assert.Equal(1 << 20, new FileInfo(Name).Length);
    }

    [Fact]
    public void A_file_that_shrank_is_an_error_where_it_is_missing_and_at_the_next_write_and_flush()
    {
        Make(64 << 10);
        using IDiskImage image = Open();
        using (FileStream other = new(Name, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            other.SetLength(4096 + 100);

        byte[] buffer = new byte[1024];
        Assert.Equal(Read(image, 0, 4096), File.ReadAllBytes(Name)[..4096]);
        Assert.Equal(Errno.EIO, TryRead(image, 4096, buffer));
        Assert.Equal(Errno.EIO, TryRead(image, 32768, buffer));
        Assert.Equal(Errno.EIO, Write(image, 32768, buffer));
        Assert.Equal(Errno.EIO, image.WriteZeroes(0, 4096, unmap: true));
        Assert.Equal(Errno.EIO, image.Flush());
        Assert.Equal(4096 + 100, new FileInfo(Name).Length);
    }

    [Theory]
    [InlineData(DiskCache.WriteBack)]
    [InlineData(DiskCache.None)]
    public void A_length_of_no_whole_sectors_is_rounded_up_and_its_end_reads_as_zeroes(DiskCache cache)
    {
        Make(1300);
        byte[] before = File.ReadAllBytes(Name);
        using IDiskImage image = Open(cache: cache);

        Assert.Equal(1536u, image.Length);
        Assert.Equal([.. before[1024..], .. new byte[236]], Read(image, 1024, 512));
        byte[] sector = Random(512, 3);
        Assert.Equal(0, Write(image, 1024, sector));
        Assert.Equal(sector, Read(image, 1024, 512));
        Assert.Equal(1536, new FileInfo(Name).Length);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Zeroed_bytes_are_zeroes_and_discarded_ones_give_their_room_back(bool unmap)
    {
        Make(256 << 10);
        byte[] model = File.ReadAllBytes(Name);
        using IDiskImage image = Open();

        Assert.Equal(0, image.WriteZeroes(512, 70 << 10, unmap));
        model.AsSpan(512, 70 << 10).Clear();
        Assert.Equal(model, Read(image, 0, model.Length));
        Assert.Equal(0, image.Discard(128 << 10, 64 << 10));

        Assert.NotEqual(0u, image.DiscardGranularity);
        Assert.Equal(256 << 10, new FileInfo(Name).Length);
        Assert.Equal(model[(192 << 10)..], Read(image, 192 << 10, 64 << 10));
    }

    [Fact]
    public void A_probed_raw_disk_never_comes_to_look_like_qcow2()
    {
        Make(1 << 20);
        byte[] before = File.ReadAllBytes(Name);
        byte[] mark = new byte[2048];
        "QFI"u8.CopyTo(mark);
        mark[3] = 0xfb;
        using (IDiskImage image = Open())
        {
            Assert.Equal(Errno.EPERM, Write(image, 0, mark));
            Assert.Equal(Errno.EPERM, Write(image, 0, mark, cut: 2));
            Assert.Equal(before, Read(image, 0, before.Length));
            byte[] harmless = Random(2048, 9);
            Assert.Equal(0, Write(image, 0, harmless, cut: 700));
            Assert.Equal(harmless, Read(image, 0, 2048));
            Assert.Equal(0, Write(image, 512, mark));
        }

        using IDiskImage told = Open(format: DiskFormat.Raw);
        Assert.Equal(0, Write(told, 0, mark));
    }

    [Theory]
    [InlineData("KDMV", 0, "vmdk")]
    [InlineData("COWD", 0, "vmdk")]
    [InlineData("# disk DescriptorFile\n", 0, "vmdk")]
    [InlineData("\u007f\u0010\u00da\u00be", 64, "vdi")]
    [InlineData("conectix", 0, "vpc")]
    [InlineData("conectix", -512, "vpc")]
    [InlineData("conectix", -511, "vpc")]
    [InlineData("vhdxfile", 0, "vhdx")]
    [InlineData("QED\0", 0, "qed")]
    [InlineData("WithoutFreeSpace", 0, "parallels")]
    [InlineData("WithouFreSpacExt", 0, "parallels")]
    [InlineData("koly", -512, "dmg")]
    [InlineData("Bochs Virtual HD Image\0", 0, "bochs")]
    [InlineData("#!/bin/sh\n#V2.0 Format\nmodprobe cloop", 0, "cloop")]
    public void A_foreign_image_is_refused_until_it_is_called_raw_and_cannot_be_made_by_a_guest(
        string mark, int at, string format)
    {
        byte[] bytes = Random(64 << 10, 42);
        byte[] signature = System.Text.Encoding.Latin1.GetBytes(mark);
        signature.CopyTo(bytes, at < 0 ? bytes.Length + at : at);
        File.WriteAllBytes(Name, bytes);

        Assert.Contains(
            $"convert it with `qemu-img convert -f {format} -O qcow2 {Name} {Path.ChangeExtension(Name, ".qcow2")}`", Refusal());
        Assert.Contains("format=raw", Refusal(readOnly: true));
        using (IDiskImage told = Open(format: DiskFormat.Raw))
            Assert.Equal(bytes, Read(told, 0, bytes.Length));

        if (at < 0)
            return;
        Make(64 << 10);
        using IDiskImage probed = Open();
        Assert.Equal(Errno.EPERM, Write(probed, 0, bytes));
    }

    [Theory]
    [InlineData("\u001f\u008b\b", "gzip -dk")]
    [InlineData("\u00fd7zXZ\0", "xz -dk")]
    [InlineData("(\u00b5/\u00fd", "zstd -d")]
    [InlineData("BZh91AY&SY", "bzip2 -dk")]
    public void A_compressed_file_is_refused_until_it_is_called_raw_though_a_guest_may_write_one(string mark, string command)
    {
        byte[] bytes = Random(64 << 10, 43);
        System.Text.Encoding.Latin1.GetBytes(mark).CopyTo(bytes, 0);
        File.WriteAllBytes(Name, bytes);

        Assert.EndsWith($", not supported; unpack it with `{command} {Name}`, or use format=raw to take its bytes as they are", Refusal());
        using (IDiskImage told = Open(format: DiskFormat.Raw))
            Assert.Equal(bytes, Read(told, 0, bytes.Length));

        Make(64 << 10);
        using IDiskImage probed = Open();
        Assert.Equal(0, Write(probed, 0, bytes));
    }

    [Fact]
    public void What_qemu_img_makes_in_other_formats_is_known()
    {
        using Qcow2.QemuImg qemu = new();
        foreach (string format in (string[])["vmdk", "vdi", "vpc", "vhdx", "qed", "parallels"])
        {
            qemu.Run("create", "-q", "-f", format, format, "4M");
            DiskOptions options = new() { File = qemu.PathOf(format) };
            string message = Assert.Throws<BadInputException>(() => DiskImage.Open(options, CommandLineText.Fail)).OnCommandLine();
            Assert.Contains($"-f {format} -O qcow2", message);
        }

        qemu.Run("create", "-q", "-f", "vpc", "-o", "subformat=fixed", "fixed", "4M");
        DiskOptions footer = new() { File = qemu.PathOf("fixed") };
        Assert.Contains("-f vpc", Assert.Throws<BadInputException>(() => DiskImage.Open(footer, CommandLineText.Fail)).OnCommandLine());
    }

    [Fact]
    public void What_cannot_be_a_disk_is_one_clear_line()
    {
        Assert.Contains("no such file", Refusal());
        File.WriteAllBytes(Name, []);
        Assert.Contains("is empty", Refusal());
        File.Delete(Name);
        Directory.CreateDirectory(Name);
        Assert.Contains("is a directory", Refusal());
        Assert.Contains("is a directory", Refusal(readOnly: true));
        DiskOptions device = new() { File = "/dev/null" };
        string message = Assert.Throws<BadInputException>(() => DiskImage.Open(device, CommandLineText.Fail)).OnCommandLine();
        Assert.Contains("neither a file nor a block device", message);
    }

    [Theory]
    [InlineData(DiskInterface.Virtio, false, "--disk", true)]
    [InlineData(DiskInterface.Virtio, true, "--disk", false)]
    [InlineData(DiskInterface.Floppy, false, "--fda", true)]
    [InlineData(DiskInterface.Cdrom, false, "--cdrom", false)]
    public void Only_a_disk_that_may_be_written_is_advised_to_be_made_and_errors_have_the_option_that_was_given(
        DiskInterface drive, bool readOnly, string option, bool isAdvised)
    {
        DiskOptions options = new() { File = Name, Interface = drive, ReadOnly = readOnly };

        string missing = RefusalOf();
        File.WriteAllBytes(Name, []);
        string empty = RefusalOf();

        Assert.StartsWith($"{option} {Name}: no such file; ", missing);
        Assert.StartsWith($"{option} {Name}: is empty", empty);
        Assert.Equal((isAdvised, isAdvised), (missing.Contains("truncate -s 1G"), empty.Contains("truncate -s 1G")));

        string RefusalOf() => Assert.Throws<BadInputException>(() => DiskImage.Open(options, CommandLineText.Fail)).OnCommandLine();
    }

    [Fact]
    public void One_may_write_an_image_or_many_may_read_it()
    {
        Make(4096);
        using (Open())
        {
            Assert.Contains("is locked by this process", Refusal());
            Assert.Contains("is locked by", Refusal(readOnly: true));
        }

        using (Open(readOnly: true))
        using (Open(readOnly: true))
            Assert.Contains("is locked by", Refusal());
        Open().Dispose();
    }

    [Fact]
    public void QEMU_and_we_keep_each_other_off_an_image()
    {
        string? qemu = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .Select(path => Path.Combine(path, "qemu-io")).FirstOrDefault(File.Exists);
        Assert.True(qemu is not null, "qemu-io is not installed; apt-get install qemu-utils");
        Make(4096);
        using (Open())
            Assert.Contains("lock", QemuIo(qemu!, "quit"));

        ProcessStartInfo start = new(qemu!, ["-f", "raw", Name])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        using Process other = Process.Start(start)!;
        Assert.Equal('q', other.StandardOutput.Read()); // its prompt: the image is open, and all of its locks are taken
        Assert.Contains($"is locked by qemu-io (process {other.Id})", Refusal());
        other.StandardInput.Close();
        other.WaitForExit();
        Open().Dispose();
    }

    [Fact]
    public void A_closed_image_is_free_though_a_child_has_its_descriptor_still()
    {
        Make(4096);
        IDiskImage image = Open();
        int fd = int.Parse(
            Path.GetFileName(Directory.GetFiles("/proc/self/fd").First(
                link => new FileInfo(link).LinkTarget == Path.GetFullPath(Name))),
            System.Globalization.CultureInfo.InvariantCulture);
        int copy = Tmds.Linux.LibC.dup(fd);

        image.Dispose();

        Open().Dispose();
        _ = Tmds.Linux.LibC.close(copy);
    }

    private static byte[] Random(int length, int seed)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private static int Write(IDiskImage image, ulong offset, byte[] data, int cut = 512)
    {
        fixed (byte* start = data)
        {
            IoVector[] pieces = [new(start, (ulong)cut), new(start + cut, (ulong)(data.Length - cut))];
            return image.Write(offset, pieces);
        }
    }

    private static int TryRead(IDiskImage image, ulong offset, byte[] data)
    {
        fixed (byte* start = data)
        {
            IoVector[] pieces = [new(start, 100), new(start + 100, (ulong)(data.Length - 100))];
            return image.Read(offset, pieces);
        }
    }

    private static byte[] Read(IDiskImage image, ulong offset, int length)
    {
        byte[] data = new byte[length];
        Assert.Equal(0, TryRead(image, offset, data));
        return data;
    }

    private void Make(int length) => File.WriteAllBytes(Name, Random(length, 42));

    private IDiskImage Open(bool readOnly = false, DiskCache cache = DiskCache.WriteBack, DiskFormat? format = null) =>
        DiskImage.Open(
            new DiskOptions { File = Name, ReadOnly = readOnly, Cache = cache, Format = format },
            CommandLineText.Fail);

    private string Refusal(bool readOnly = false)
    {
        string message = Assert.Throws<BadInputException>(() => Open(readOnly)).OnCommandLine();
        Assert.StartsWith($"--disk {Name}: ", message);
        return message;
    }

    private string QemuIo(string program, string command)
    {
        ProcessStartInfo start = new(program, ["-f", "raw", "-c", command, Name]) { RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        string errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        return errors;
    }
}
