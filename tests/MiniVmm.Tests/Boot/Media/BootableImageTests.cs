using System.Text;
using MiniVmm.Boot;
using MiniVmm.Boot.Media;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Boot.Media;

public sealed class BootableImageTests
{
    private const string Configuration = """
        menuentry "One" { multiboot /boot/kernel.elf a b; module /boot/m.img its words }
        menuentry "Two" { multiboot2 /boot/kernel2.elf c; module2 /boot/m.img }
        menuentry "Gone" { linux /boot/gone }
        menuentry "Chain" { chainloader +1 }
        """;

    private static byte[] Iso(string configuration = Configuration) => Images.Iso(
        Images.Names.RockRidge, ("/boot/", []), ("/boot/grub/", []), ("/boot/grub/grub.cfg", Encoding.UTF8.GetBytes(configuration)),
        ("/boot/kernel.elf", MultibootFiles.Elf().Build()), ("/boot/kernel2.elf", Multiboot2Files.Elf().Build()),
        ("/boot/m.img", [1, 2, 3]));

    private static BootImage Load(byte[] image, EntryChoice? entry = null, string line = "")
    {
        using BootableImage medium = Assert.IsType<BootableImage>(BootableImage.Of("os.iso", new MemoryView(image)));
        List<IDisposable> files = [];
        try
        {
            BootRequest request = medium.Request(Requests.For([], commandLine: line) with { Entry = entry }, files);
            BootImage boot = BootLoader.Load(request);
            // The segments are read before the files go.
            return boot with
            {
                Segments = [.. boot.Segments.Select(segment => segment with { Data = segment.Data.ToArray() })],
                Notes = [.. request.Notes, .. boot.Notes],
            };
        }
        finally
        {
            files.ForEach(file => file.Dispose());
        }
    }

    private static string Refusal(byte[] image, EntryChoice? entry = null) =>
        Assert.Throws<BadInputException>(() => Load(image, entry)).OnCommandLine();

    [Fact]
    public void The_default_entry_boots_with_its_words_and_modules_as_GRUB_hands_them_over()
    {
        BootImage image = Load(Iso(), line: "more");

        Assert.StartsWith("multiboot 1", image.Format, StringComparison.Ordinal);
        Assert.Equal([1, 2, 3], image.Segment("module").Data.ToArray());
        string info = Encoding.ASCII.GetString(image.Segment("multiboot information").Data.Span);
        Assert.Contains("\0a b more\0", info, StringComparison.Ordinal);
        Assert.Contains("\0its words\0", info, StringComparison.Ordinal);
        Assert.Equal(
            [
                "ISO 9660 with Rock Ridge, /boot/grub/grub.cfg: 4 entries", "→ 1 One: /boot/kernel.elf a b", "  2 Two: /boot/kernel2.elf c",
                "  3 Gone: /boot/gone", "  4 Chain: chainloader",
            ],
            image.Notes.Take(5));
    }

    [Fact]
    public void Another_entry_is_chosen_and_entered_by_its_protocol() =>
        Assert.StartsWith("multiboot 2", Load(Iso(), new("two", null)).Format, StringComparison.Ordinal);

    [Fact]
    public void What_cannot_be_booted_is_said()
    {
        Assert.StartsWith("os.iso:/boot/gone: the image has no such file; /boot/grub/grub.cfg names it",
            Refusal(Iso(), new("3", 3)), StringComparison.Ordinal);
        Assert.Equal("os.iso: /boot/grub/grub.cfg: the entry \"Chain\" boots no kernel (chainloader); choose another with --entry 1",
            Refusal(Iso(), new("Chain", null)));
        Assert.Contains("--entry 9: os.iso has no such entry; it has 1 \"One\"", Refusal(Iso(), new("9", 9)), StringComparison.Ordinal);
        Assert.StartsWith("os.iso: ISO 9660 with Rock Ridge without a grub.cfg, limine.conf or syslinux.cfg that names a kernel; start it with --firmware",
            Refusal(Iso("set a=b")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_larger_than_RAM_is_refused()
    {
        byte[] iso = Images.Iso(
            Images.Names.RockRidge, ("/boot/", []), ("/boot/grub/", []),
            ("/boot/grub/grub.cfg", "multiboot /boot/big"u8.ToArray()), ("/boot/big", new byte[65 << 20]));

        Assert.Contains("more than the guest's RAM holds; give it more with --mem", Refusal(iso), StringComparison.Ordinal);
    }

    /// <summary>A disc whose kernel has one module, which is packed.</summary>
    private static byte[] WithModule(string commands, byte[] module) => Images.Iso(
        Images.Names.RockRidge, ("/boot/", []), ("/boot/grub/", []), ("/boot/grub/grub.cfg", Encoding.UTF8.GetBytes(commands)),
        ("/boot/kernel.elf", MultibootFiles.Elf().Build()), ("/boot/m", module));

    [Theory]
    [InlineData("insmod gzio\nmultiboot /boot/kernel.elf\nmodule /boot/m", true)]
    [InlineData("multiboot /boot/kernel.elf\nmodule /boot/m", false)]
    [InlineData("insmod gzio\nmultiboot /boot/kernel.elf\nmodule --nounzip /boot/m", false)]
    [InlineData("insmod xzio\nmultiboot /boot/kernel.elf\nmodule /boot/m", false)]
    public void A_module_is_unpacked_where_GRUB_would(string commands, bool isUnpacked)
    {
        byte[] packed = SmallKernel.Gzip("contents"u8.ToArray());
        BootImage image = Load(WithModule(commands, packed));

        Assert.Equal(isUnpacked ? "contents"u8.ToArray() : packed, image.Segment("module").Data.ToArray());
        string note = $"/boot/m: gzip, unpacked by MiniVmm as by the boot loader: {packed.Length} → 8 bytes";
        Assert.Equal(isUnpacked, image.Notes.Contains(note));
        Assert.Equal("plain"u8.ToArray(), Load(WithModule(commands, "plain"u8.ToArray())).Segment("module").Data.ToArray());
    }

    [Fact]
    public void Modules_that_unpack_to_more_than_RAM_are_refused_also_together()
    {
        byte[] bomb = SmallKernel.Gzip(new byte[40 << 20]);
        const string once = "insmod gzio\nmultiboot /boot/kernel.elf\nmodule /boot/m";

        Assert.Equal(40 << 20, Load(WithModule(once, bomb)).Segment("module").Data.Length);
        Assert.Equal(
            "os.iso:/boot/m: compressed with gzip, and unpacked more than 24 MiB, which the guest's RAM does not hold; give it more with --mem",
            Refusal(WithModule($"{once}\nmodule /boot/m", bomb)));
        Assert.Contains("os.iso:/boot/m: compressed with gzip, but unpacking failed", Refusal(WithModule(once, [0x1f, 0x8b, 8, 0xff])),
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_partition_of_a_disk_will_do()
    {
        byte[] volume = Images.Fat(16, ("kernel", MultibootFiles.Elf().Build()));
        // The only folder is called DIR: make it the one that is searched.
        int at = volume.AsSpan().IndexOf("DIR        "u8);
        "SYSLINUX   "u8.CopyTo(volume.AsSpan(at));
        Assert.Contains("FAT16 without a grub.cfg", Refusal(Images.Partitioned(volume)), StringComparison.Ordinal);

        byte[] whole = Images.Fat(16, ("syslinux.cfg", "DEFAULT kernel\n"u8.ToArray()), ("kernel", MultibootFiles.Elf().Build()));
        "SYSLINUX   "u8.CopyTo(whole.AsSpan(whole.AsSpan().IndexOf("DIR        "u8)));
        Assert.StartsWith("multiboot 1", Load(Images.Partitioned(whole)).Format, StringComparison.Ordinal);
    }

    [Fact]
    public void Kernels_are_no_images()
    {
        foreach (byte[] kernel in (byte[][])[MultibootFiles.Elf().Build(), MultibootFiles.Flat(), new BzImageBuilder([]).Build(), new byte[70_000]])
            Assert.Null(BootableImage.Of("kernel", new MemoryView(kernel)));
    }
}
