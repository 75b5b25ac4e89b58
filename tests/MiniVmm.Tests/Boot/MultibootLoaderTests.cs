using System.Buffers.Binary;
using System.Text;
using MiniVmm.Boot;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Boot;

public sealed class MultibootLoaderTests
{
    private static void Contains(string expected, string message) =>
        Assert.Contains(expected, message, StringComparison.Ordinal);

    private static uint U32(LoadSegment segment, ulong address) =>
        BinaryPrimitives.ReadUInt32LittleEndian(segment.Data.Span[(int)(address - segment.Address)..]);

    private static string Text(LoadSegment segment, ulong address)
    {
        ReadOnlySpan<byte> rest = segment.Data.Span[(int)(address - segment.Address)..];
        return Encoding.UTF8.GetString(rest[..rest.IndexOf((byte)0)]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_elf_kernel_is_entered_in_protected_mode_with_the_magic_and_the_information(bool is64)
    {
        BootImage image = Requests.Load(MultibootFiles.Elf(is64).Build());

        Assert.Equal(EntryMode.Protected32, image.Entry.Mode);
        Assert.Equal(0x10000cul, image.Entry.Rip);
        Assert.Equal(0x2badb002ul, image.Entry.Rax);
        Assert.Equal(MemoryLayout.MultibootInfo, image.Entry.Rbx);
        Assert.Equal(0ul, image.Entry.PageTable);
        LoadSegment text = image.Segment("ELF segment 0");
        Assert.Equal((0x100000ul, 0x3000ul, 16), (text.Address, text.MemorySize, text.Data.Length));
        Requests.AssertSound(image);
    }

    [Fact]
    public void The_information_has_memory_command_line_map_and_loader_name()
    {
        BootImage image = BootLoader.Load(Requests.For(MultibootFiles.Elf().Build(), commandLine: "one two"));

        LoadSegment info = image.Segment("multiboot information");
        ulong at = info.Address;
        Assert.Equal(0x24fu, U32(info, at));
        Assert.Equal(639u, U32(info, at + 4));
        Assert.Equal(63u * 1024, U32(info, at + 8));
        Assert.Equal("kernel.bin one two", Text(info, U32(info, at + 16)));
        Assert.Equal(0u, U32(info, at + 20));
        Assert.Equal("MiniVmm", Text(info, U32(info, at + 64)));

        uint mapLength = U32(info, at + 44);
        uint map = U32(info, at + 48);
        Assert.Equal(4u * 24, mapLength);
        Assert.Equal(20u, U32(info, map));
        Assert.Equal(MemoryLayout.BaseMemoryEnd, U32(info, map + 12));
        Assert.Equal(2u, U32(info, map + 24 + 20));
        Assert.Equal(0x100000u, U32(info, map + 3 * 24 + 4));
        Assert.Equal(0x3f00000u, U32(info, map + 3 * 24 + 12));
    }

    [Fact]
    public void A_module_lies_on_a_page_above_the_kernel_and_carries_its_name()
    {
        BootImage image = BootLoader.Load(Requests.For(MultibootFiles.Elf().Build(), initrd: [1, 2, 3]));

        LoadSegment info = image.Segment("multiboot information");
        LoadSegment module = image.Segment("module");
        Assert.Equal(0x103000ul, module.Address);
        Assert.Equal(1u, U32(info, info.Address + 20));
        uint entry = U32(info, info.Address + 24);
        Assert.Equal(0x103000u, U32(info, entry));
        Assert.Equal(0x103003u, U32(info, entry + 4));
        Assert.Equal("initrd.img", Text(info, U32(info, entry + 8)));
    }

    [Fact]
    public void A_module_that_does_not_fit_is_refused_with_the_memory_it_needs()
    {
        byte[] kernel = MultibootFiles.Elf().Build();
        BootRequest request = Requests.For(kernel, 2 * MemoryLayout.MiB, initrd: new byte[0x100000]);

        Contains("needs at least 3 MiB; --mem 2 MiB is too small", Requests.Refusal(request));
    }

    [Fact]
    public void An_empty_module_is_a_module()
    {
        BootImage image = BootLoader.Load(Requests.For(MultibootFiles.Elf().Build(), initrd: []));

        LoadSegment info = image.Segment("multiboot information");
        Assert.Equal(1u, U32(info, info.Address + 20));
    }

    [Fact]
    public void A_virtual_entry_point_is_translated_by_its_segment()
    {
        ElfBuilder elf = new(is64: false) { Entry = 0xc010_000c };
        elf.With(0x100000, [.. MultibootFiles.Header(0), 0xf4, 0, 0, 0], virtualAddress: 0xc010_0000);

        Assert.Equal(0x10000cul, Requests.Load(elf.Build()).Entry.Rip);
    }

    [Fact]
    public void A_flat_file_goes_where_its_header_says()
    {
        byte[] file = MultibootFiles.Flat(bssEnd: 0x201000);
        BootImage image = Requests.Load(file);

        LoadSegment kernel = image.Segment("multiboot kernel");
        Assert.Equal(0x200000ul, kernel.Address);
        Assert.Equal(0x1000ul, kernel.MemorySize);
        Assert.Equal(file, kernel.Data.ToArray());
        Assert.Equal(0x200030ul, image.Entry.Rip);
    }

    [Fact]
    public void Load_end_cuts_the_file() =>
        Assert.Equal(49, Requests.Load(MultibootFiles.Flat(loadEnd: 0x200031)).Segment("multiboot kernel").Data.Length);

    [Fact]
    public void Addresses_win_over_the_elf_headers()
    {
        byte[] header = MultibootFiles.Header(1 << 16, 0x300000 + 84, 0x300000, 0, 0, 0x300000);
        ElfBuilder elf = new(is64: false) { Entry = 0x100000 };
        byte[] file = elf.With(0x100000, header).Build();

        Assert.Equal(0x300000ul, Requests.Load(file).Entry.Rip);
    }

    public static TheoryData<string, string> Lies => new()
    {
        { "header below load", "header_addr" },
        { "header too far", "header_addr" },
        { "load end below load", "load_end_addr" },
        { "load end past the file", "load_end_addr" },
        { "bss end inside the file", "bss_end_addr" },
        { "bss past RAM", "is not in RAM" },
        { "entry below", "entry_addr" },
        { "entry above", "entry_addr" },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public void Lies_in_the_address_fields_are_named(string lie, string field)
    {
        byte[] file = lie switch
        {
            "header below load" => MultibootFiles.Flat(headerAddress: 0x1fffff),
            "header too far" => MultibootFiles.Flat(headerAddress: 0x200011),
            "load end below load" => MultibootFiles.Flat(loadEnd: 0x1fffff),
            "load end past the file" => MultibootFiles.Flat(loadEnd: 0x200035),
            "bss end inside the file" => MultibootFiles.Flat(bssEnd: 0x200033),
            "bss past RAM" => MultibootFiles.Flat(bssEnd: uint.MaxValue),
            "entry below" => MultibootFiles.Flat(entry: 0x1fffff),
            _ => MultibootFiles.Flat(entry: 0x200034),
        };

        string message = Requests.Refusal(file);
        Assert.StartsWith("kernel.bin: ", message, StringComparison.Ordinal);
        Assert.Contains(field, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0x8003, "bit 15, which multiboot 1 does not define")]
    [InlineData(0x000b, "bit 3, which multiboot 1 does not define")]
    public void Requirements_that_are_not_provided_are_named_by_their_bit(int flags, string reason)
    {
        Contains(reason, Requests.Refusal(MultibootFiles.Elf(flags: (uint)flags).Build()));
        byte[] flat = MultibootFiles.Flat();
        MultibootFiles.Header((uint)flags | MultibootFiles.HasAddresses).CopyTo(flat, 16);
        Contains(reason, Requests.Refusal(flat));
    }

    [Fact]
    public void A_kernel_whose_multiboot_requirements_are_not_provided_is_entered_by_its_pvh_note() =>
        Assert.StartsWith("PVH", Requests.Load(
            MultibootFiles.Elf(flags: 0xb).WithPvhNote(0x10000c).Build()).Format, StringComparison.Ordinal);

    [Theory]
    [InlineData(0, 800, 600, 800, 600)]
    [InlineData(0, 0, 0, 1024, 768)]
    [InlineData(0, 0x8000_0000, 2, 1024, 768)]
    [InlineData(0, 4096, 4096, 1024, 768)] // more than there is memory
    [InlineData(1, 80, 25, 0, 0)]
    public void A_video_mode_is_a_framebuffer_of_that_size_where_there_can_be_one_or_the_text_screen(
        uint type, uint width, uint height, int givenWidth, int givenHeight)
    {
        byte[] file = MultibootFiles.Flat(video: [type, width, height, 32]);

        BootImage image = BootLoader.Load(Requests.For(file) with { Framebuffer = new FramebufferOffer() });

        LoadSegment info = image.Segment("multiboot information");
        Assert.Equal(1u << 12, U32(info, info.Address) & (1u << 12));
        if (type == 1)
        {
            Assert.Null(image.Framebuffer);
            Assert.Equal((0xb8000u, 160u, 80u, 25u, 0x0210u), (U32(info, info.Address + 88), U32(info, info.Address + 96),
                U32(info, info.Address + 100), U32(info, info.Address + 104), U32(info, info.Address + 108) & 0xffff));
            return;
        }

        Assert.Equal(new FramebufferInfo(MemoryLayout.Framebuffer, givenWidth, givenHeight), image.Framebuffer);
        Assert.Equal(
            ((uint)MemoryLayout.Framebuffer, 0u, 4 * (uint)givenWidth, (uint)givenWidth, (uint)givenHeight, 0x0810_0120u, 0x0800_0808u),
            (U32(info, info.Address + 88), U32(info, info.Address + 92), U32(info, info.Address + 96), U32(info, info.Address + 100),
                U32(info, info.Address + 104), U32(info, info.Address + 108), U32(info, info.Address + 112)));
        Requests.AssertSound(image);
    }

    [Fact]
    public void A_video_mode_without_a_display_is_refused() => Contains(
        "the multiboot header wants a video mode (flags bit 2), and this machine has no display",
        Requests.Refusal(MultibootFiles.Flat(video: [0, 800, 600, 32])));

    [Fact]
    public void A_kernel_that_wants_no_video_mode_is_told_of_none_unless_the_user_wants_it()
    {
        byte[] file = MultibootFiles.Flat();
        BootRequest request = Requests.For(file) with { Framebuffer = new FramebufferOffer() };

        BootImage plain = BootLoader.Load(request);
        BootImage asked = BootLoader.Load(request with { Framebuffer = new FramebufferOffer { IsAskedFor = true } });

        Assert.Null(plain.Framebuffer);
        LoadSegment info = plain.Segment("multiboot information");
        Assert.Equal(0u, U32(info, info.Address) & (1u << 12));
        Assert.NotNull(asked.Framebuffer);
    }

    [Fact]
    public void Modules_lie_in_their_order_on_pages_each_with_its_own_words()
    {
        BootRequest request = Requests.For(MultibootFiles.Elf().Build(), modules: Requests.Module("b.img", [4])) with
        {
            Initrds = [Requests.Module("a.img one two", new byte[4097]), Requests.Module("c.img", [])],
        };
        BootImage image = BootLoader.Load(request);

        LoadSegment info = image.Segment("multiboot information");
        Assert.Equal(3u, U32(info, info.Address + 20));
        uint list = U32(info, info.Address + 24);
        Assert.Equal(
            [(0x103000u, 0x104001u, "a.img one two"), (0x105000u, 0x105000u, "c.img"), (0x105000u, 0x105001u, "b.img")],
            Enumerable.Range(0, 3).Select(i => list + 16u * (uint)i)
                .Select(at => (U32(info, at), U32(info, at + 4), Text(info, U32(info, at + 8)))));
        Requests.AssertSound(image);
    }

    [Fact]
    public void Module_words_that_do_not_fit_are_refused() =>
        Contains("shorten --append or the modules' words", Requests.Refusal(Requests.For(
            MultibootFiles.Elf().Build(), modules: Requests.Module("m " + new string('x', 70000), [1]))));

    [Fact]
    public void A_header_past_8_KiB_is_not_seen()
    {
        byte[] last = [.. new byte[8192 - 12], .. MultibootFiles.Header(0)];
        byte[] late = [.. new byte[8192 - 8], .. MultibootFiles.Header(0)];

        Assert.Contains("must have", Requests.Refusal(last), StringComparison.Ordinal);
        Assert.Contains("no header in the first 8 KiB", Requests.Refusal(late), StringComparison.Ordinal);
    }

    [Fact]
    public void A_wrong_checksum_is_named()
    {
        byte[] file = MultibootFiles.Flat();
        file[16 + 8] ^= 1;

        Contains("multiboot: magic at 0x10, but the checksum there is wrong", Requests.Refusal(file));
    }

    [Fact]
    public void A_command_line_that_does_not_fit_is_refused()
    {
        BootRequest request = Requests.For(MultibootFiles.Elf().Build(), commandLine: new string('x', 70000));

        Assert.Contains("shorten --append", Requests.Refusal(request), StringComparison.Ordinal);
    }
}
