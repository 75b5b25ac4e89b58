using System.Buffers.Binary;
using System.Text;
using MiniVmm.Boot;
using MiniVmm.Memory;
using static MiniVmm.Tests.Boot.Multiboot2Files;

namespace MiniVmm.Tests.Boot;

public sealed class Multiboot2LoaderTests
{
    private static void Contains(string expected, string message) =>
        Assert.Contains(expected, message, StringComparison.Ordinal);

    /// <summary>The tags of the information, by their types; the last of each.</summary>
    private static Dictionary<uint, byte[]> Tags(BootImage image)
    {
        byte[] block = image.Segment("multiboot information").Data.ToArray();
        Assert.Equal((uint)block.Length, BinaryPrimitives.ReadUInt32LittleEndian(block));
        Dictionary<uint, byte[]> tags = [];
        int at = 8;
        while (true)
        {
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(block.AsSpan(at));
            int size = BinaryPrimitives.ReadInt32LittleEndian(block.AsSpan(at + 4));
            tags[type] = block[(at + 8)..(at + size)];
            at += (size + 7) & -8;
            if (type == 0)
                break;
        }

        Assert.Equal(block.Length, at);
        return tags;
    }

    private static uint U32(byte[] tag, int at) => BinaryPrimitives.ReadUInt32LittleEndian(tag.AsSpan(at));

    private static ulong U64(byte[] tag, int at) => BinaryPrimitives.ReadUInt64LittleEndian(tag.AsSpan(at));

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_elf_kernel_is_entered_in_protected_mode_with_the_magic_and_the_information(bool is64)
    {
        ElfBuilder elf = Elf(is64);
        BootImage image = Requests.Load(elf.Build());

        Assert.Equal(
            (EntryMode.Protected32, elf.Entry, 0x36d76289ul, MemoryLayout.MultibootInfo),
            (image.Entry.Mode, image.Entry.Rip, image.Entry.Rax, image.Entry.Rbx));
        Requests.AssertSound(image);
    }

    [Fact]
    public void The_information_has_a_tag_for_all_that_the_machine_has()
    {
        BootRequest request = Requests.For(
            Elf().Build(), commandLine: "one two", modules: [Requests.Module("a.img some words", [1, 2, 3])]);
        Dictionary<uint, byte[]> tags = Tags(BootLoader.Load(request));

        Assert.Equal("one two\0", Encoding.UTF8.GetString(tags[1]));
        Assert.Equal("MiniVmm\0", Encoding.UTF8.GetString(tags[2]));
        Assert.Equal((0x103000u, 0x103003u), (U32(tags[3], 0), U32(tags[3], 4)));
        Assert.Equal("some words\0", Encoding.UTF8.GetString(tags[3][8..]));
        Assert.Equal((639u, 63u * 1024), (U32(tags[4], 0), U32(tags[4], 4)));
        Assert.Equal((24u, 0u), (U32(tags[6], 0), U32(tags[6], 4)));
        GuestMemoryMap memory = new(64 * MemoryLayout.MiB);
        Assert.Equal(8 + 24 * memory.E820.Count, tags[6].Length);
        for (int i = 0; i < memory.E820.Count; i++)
        {
            (GuestRange range, E820Type type) = memory.E820[i];
            int at = 8 + 24 * i;
            Assert.Equal((range.Start, range.Length, (uint)type), (U64(tags[6], at), U64(tags[6], at + 8), U32(tags[6], at + 16)));
        }

        Assert.Equal((0xb8000ul, 160u, 80u, 25u), (U64(tags[8], 0), U32(tags[8], 8), U32(tags[8], 12), U32(tags[8], 16)));
        Assert.Equal([16, 2], tags[8][20..22]);
        Assert.Equal(20, tags[14].Length);
        Assert.Equal(36, tags[15].Length);
        Assert.StartsWith("RSD PTR ", Encoding.ASCII.GetString(tags[15]), StringComparison.Ordinal);
        Assert.Equal([0u, 1, 2, 3, 4, 6, 8, 14, 15], tags.Keys.Order().ToArray());
    }

    [Theory]
    [InlineData(800, 600, 32, 800, 600)]
    [InlineData(800, 600, 0, 800, 600)] // no depth, and no size in letters: GRUB gives graphics
    [InlineData(0, 0, 0, 1024, 768)]
    [InlineData(0x8000_0000, 2, 32, 1024, 768)]
    [InlineData(80, 25, 0, 0, 0)]
    public void A_framebuffer_tag_gets_a_framebuffer_of_that_size_or_the_text_screen(
        uint width, uint height, uint depth, int givenWidth, int givenHeight)
    {
        BootRequest request = Requests.For(Elf(tags: Tag(5, width, height, depth)).Build()) with { Framebuffer = new FramebufferOffer() };

        BootImage image = BootLoader.Load(request);

        byte[] tag = Tags(image)[8];
        if (givenWidth == 0)
        {
            Assert.Null(image.Framebuffer);
            Assert.Equal((0xb8000ul, 24), (U64(tag, 0), tag.Length));
            return;
        }

        Assert.Equal(new FramebufferInfo(MemoryLayout.Framebuffer, givenWidth, givenHeight), image.Framebuffer);
        Assert.Equal((MemoryLayout.Framebuffer, 4 * (uint)givenWidth, (uint)givenWidth, (uint)givenHeight),
            (U64(tag, 0), U32(tag, 8), U32(tag, 12), U32(tag, 16)));
        Assert.Equal([32, 1, 0, 0, 16, 8, 8, 8, 0, 8], tag[20..]);
        Requests.AssertSound(image);
        Assert.Null(BootLoader.Load(request with { Framebuffer = null }).Framebuffer);
    }

    [Fact]
    public void A_console_that_must_not_be_text_is_a_framebuffer_and_one_that_the_user_wants_is_told_of()
    {
        BootRequest required = Requests.For(Elf(tags: Tag(4, 1)).Build()) with { Framebuffer = new FramebufferOffer() };
        BootRequest plain = required with { Kernel = Elf().Build() };

        Assert.NotNull(BootLoader.Load(required).Framebuffer);
        Assert.Null(BootLoader.Load(plain).Framebuffer);
        Assert.NotNull(BootLoader.Load(plain with { Framebuffer = new FramebufferOffer { IsAskedFor = true } }).Framebuffer);
    }

    [Fact]
    public void A_module_without_words_is_named_by_its_file() =>
        Assert.Equal("a.img\0", Encoding.UTF8.GetString(Tags(BootLoader.Load(
            Requests.For(Elf().Build(), modules: [Requests.Module("a.img", [1])])))[3][8..]));

    [Fact]
    public void The_sections_that_no_segment_loads_are_placed_and_found_by_their_headers()
    {
        byte[] symbols = "symbols"u8.ToArray();
        byte[] file = Elf(is64: true).BuildWithSections(
            new(Type: 1, Flags: 2, Address: 0xffff_8000_0010_0000, [1, 2, 3, 4]),
            new(Type: 2, Flags: 0, Address: 0, symbols),
            new(Type: 8, Flags: 0, Address: 0, [9]));
        BootImage image = Requests.Load(file);

        byte[] tag = Tags(image)[9];
        Assert.Equal((4u, 64u, 0u), (U32(tag, 0), U32(tag, 4), U32(tag, 8)));
        Assert.Equal(0xffff_8000_0010_0000ul, U64(tag, 12 + 64 + 16));
        LoadSegment placed = image.Segment("ELF section 2");
        Assert.Equal(placed.Address, U64(tag, 12 + 2 * 64 + 16));
        Assert.Equal(symbols, placed.Data.ToArray());
        Assert.Equal(0ul, U64(tag, 12 + 3 * 64 + 16));
        Requests.AssertSound(image);
    }

    [Fact]
    public void The_entry_address_tag_comes_before_the_elf_entry_point() =>
        Assert.Equal(0x100008ul, Requests.Load(Elf(tags: Tag(3, 0x100008)).Build()).Entry.Rip);

    [Fact]
    public void Address_tags_say_where_the_bytes_of_any_file_go()
    {
        BootImage image = Requests.Load(Flat(bssEnd: 0x300000));

        LoadSegment kernel = image.Segment("multiboot kernel");
        Assert.Equal((0x200000ul, 0x100000ul, 0x200000ul), (kernel.Address, kernel.MemorySize, image.Entry.Rip));
        Requests.AssertSound(image);
    }

    [Fact]
    public void A_load_address_of_all_ones_means_all_of_the_file() =>
        Assert.Equal(0x300000ul, Requests.Load(
            Flat(headerAddress: 0x300010, load: uint.MaxValue, entry: 0x300020)).Segment("multiboot kernel").Address);

    [Theory]
    [InlineData(0u, 0x100000ul)] // no preference: it may stay
    [InlineData(1u, 0x200000ul)]
    [InlineData(2u, 0x3e00000ul)]
    public void A_relocatable_kernel_goes_where_it_prefers(uint preference, ulong expected)
    {
        uint minimum = preference == 0 ? 0u : 0x180000;
        ElfBuilder elf = Elf(tags: Tag(10, minimum, 0x3ffffff, preference == 0 ? 0x1000u : 0x200000, preference));
        BootImage image = Requests.Load(elf.Build());

        Assert.Equal(expected, image.Segment("ELF segment 0").Address);
        Assert.Equal(expected + (elf.Entry - 0x100000), image.Entry.Rip);
        Assert.Equal((uint)expected, U32(Tags(image)[21], 0));
        Requests.AssertSound(image);
    }

    [Fact]
    public void A_relocatable_kernel_is_moved_from_where_there_is_no_ram()
    {
        byte[] header = Header(Tag(10, 0, uint.MaxValue, 0x1000, 0));
        ElfBuilder elf = new ElfBuilder(true) { Entry = 0x4000_0000 }.With(0x4000_0000, [.. header, 0xf4]);

        Assert.Equal(MemoryLayout.HighMemory, Requests.Load(elf.Build()).Entry.Rip);
    }

    [Fact]
    public void A_relocatable_kernel_for_which_there_is_no_room_is_refused() => Contains(
        "do not fit in RAM from 0x10000000 to 0x1fffffff, where the kernel lets itself be moved",
        Requests.Refusal(Elf(tags: Tag(10, 0x1000_0000, 0x1fff_ffff, 1, 1)).Build()));

    public static TheoryData<string, string> Unmet => new()
    {
        { "unknown tag", "requires tag 11, which MiniVmm does not know" },
        { "unknown information", "requires information of type 22, which multiboot 2 does not define" },
        { "console", "requires a console other than EGA text" },
        { "alignment", "is relocatable to multiples of 0x3000, which is not a power of two" },
        { "MIPS", "is for architecture 4" },
    };

    [Theory]
    [MemberData(nameof(Unmet))]
    public void What_is_required_and_missing_is_named(string what, string reason)
    {
        byte[] header = what switch
        {
            "unknown tag" => Header(Tag(11)),
            "unknown information" => Header(Tag(1, 6, 22)),
            "console" => Header(Tag(4, 1)),
            "alignment" => Header(Tag(10, 0, uint.MaxValue, 0x3000, 0)),
            _ => HeaderFor(4),
        };
        // As ELF64, whose contents are 8-byte aligned.
        Contains(reason, Requests.Refusal(new ElfBuilder(true).With(0x100000, [.. header, 0xf4]).Build()));
    }

    [Fact]
    public void What_is_optional_or_for_efi_or_not_there_keeps_no_kernel_from_its_start()
    {
        byte[][] tags =
        [
            RawTag(11, Optional, null), RawTag(1, Optional, null, 99), Tag(1, 13, 16, 17), Tag(4, 3), Tag(5, 1024, 768, 32),
            Tag(6), Tag(7), Tag(8, 1), Tag(9, 2),
        ];

        Assert.StartsWith("multiboot 2", Requests.Load(Elf(tags: tags).Build()).Format, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(7u, "has a size of 7 bytes")]
    [InlineData(0xffff_fff8u, "has a size of 4294967288 bytes")]
    [InlineData(8u, "is too short, with 8 bytes")]
    public void A_tag_that_does_not_lie_in_the_header_is_named(uint size, string reason) =>
        Contains(reason, Requests.Refusal(Elf(tags: RawTag(2, 0, size, 1, 2, 3, 4)).Build()));

    [Fact]
    public void A_wrong_checksum_is_named()
    {
        byte[] file = Flat();
        file[16 + 12] ^= 1;

        Contains("multiboot 2: magic at 0x10, but the checksum there is wrong", Requests.Refusal(file));
    }

    [Fact]
    public void A_header_past_32_KiB_is_not_seen()
    {
        byte[] header = Header();
        byte[] last = [.. new byte[32768 - header.Length], .. header];
        byte[] late = [.. new byte[32768 - header.Length + 8], .. header];

        Contains("has no load addresses (tag 2)", Requests.Refusal(last));
        Contains("bytes, which do not lie in the first 32 KiB", Requests.Refusal(late));
    }

    [Fact]
    public void A_flat_file_needs_an_entry_address_tag()
    {
        byte[] header = Header(Tag(2, 0x200000, 0x200000, 0, 0));

        Contains("lacks an entry address tag (3)", Requests.Refusal([.. header, 1]));
    }

    [Fact]
    public void Multiboot_1_comes_first_as_in_qemu_and_multiboot_2_takes_what_it_refuses()
    {
        byte[] both(uint flags) => new ElfBuilder(true).With(
            0x100000, [.. Header(), .. MultibootFiles.Header(flags), 0xf4]).Build();

        Assert.StartsWith("multiboot 1", Requests.Load(both(3)).Format, StringComparison.Ordinal);
        Assert.StartsWith("multiboot 2", Requests.Load(both(7)).Format, StringComparison.Ordinal);
    }

    [Fact]
    public void Words_that_do_not_fit_are_refused() => Contains(
        "shorten --append or the modules' words",
        Requests.Refusal(Requests.For(Elf().Build(), modules: Requests.Module("m " + new string('x', 300_000), [1]))));
}
