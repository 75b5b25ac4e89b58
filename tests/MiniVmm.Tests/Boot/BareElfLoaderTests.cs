using MiniVmm.Boot;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Boot;

public sealed class BareElfLoaderTests
{
    private static ElfBuilder Kernel(bool is64) => new ElfBuilder(is64) { Entry = 0x100004 }.With(0x100000, [1, 2, 3, 4, 0xf4], 0x2000);

    [Fact]
    public void A_32_bit_file_is_entered_in_protected_mode_with_nothing_in_its_registers()
    {
        BootImage image = Requests.Load(Kernel(is64: false).Build());

        Assert.Equal((EntryMode.Protected32, 0x100004ul, 0ul, 0ul),
            (image.Entry.Mode, image.Entry.Rip, image.Entry.Rax, image.Entry.Rbx));
        Requests.AssertSound(image);
    }

    [Fact]
    public void A_64_bit_file_is_entered_in_long_mode()
    {
        BootImage image = Requests.Load(Kernel(is64: true).Build());

        Assert.Equal((EntryMode.Long64, 0x100004ul, MemoryLayout.PageTables),
            (image.Entry.Mode, image.Entry.Rip, image.Entry.PageTable));
        Requests.AssertSound(image);
    }

    public static TheoryData<string, string> Refused => new()
    {
        { "higher half", "linked to 0xffffffff80100000 but loaded at 0x100000, and nobody would map it" },
        { "high", "linked to 0x100000000, above the first 4 GiB, which are all that is mapped at the entry" },
        { "static-pie", "position-independent, and nobody would relocate it" },
        { "dynamic", "a program that an operating system's dynamic linker starts" },
        { "Linux program", "a Linux program" },
        { "empty", "no PT_LOAD segment with anything in it" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_nobody_would_map_or_relocate_is_refused_with_the_reason(string kind, string reason)
    {
        ElfBuilder elf = new(true);
        byte[] file = (kind switch
        {
            "higher half" => elf.With(0x100000, [0xf4], virtualAddress: 0xffff_ffff_8010_0000),
            "high" => elf.With(0x1_0000_0000, [0xf4]),
            "dynamic" => elf.With(0x100000, [0xf4]).With(new ElfBuilder.Segment(3, 0, 0, "/lib/ld.so\0"u8.ToArray(), 11)),
            "empty" => elf.With(0x100000, []),
            _ => elf.With(0x100000, [0xf4]),
        }).Build();
        if (kind == "static-pie")
            file[16] = 3;
        if (kind == "Linux program")
            file[7] = 3;

        Assert.Contains($"without a protocol: {reason})", Requests.Refusal(file), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_not_linked_into_ram_is_refused() =>
        Assert.Contains("is not in RAM", Requests.Refusal(new ElfBuilder(true) { Entry = 0x8000_0000 }.With(
            0x8000_0000, [0xf4]).Build()), StringComparison.Ordinal);

    /// <summary>A kernel without a protocol whose text ends in some bytes at an offset in the file.</summary>
    private static byte[] EndingIn(int offset, byte[] bytes)
    {
        const int start = 84; // one program header
        byte[] file = new ElfBuilder(false).With(0x100000, [0xf4, .. new byte[offset - start - 1], .. bytes, .. new byte[64]]).Build();
        Assert.Equal(offset, file.AsSpan().IndexOf(bytes));
        return file;
    }

    [Theory]
    [InlineData(1, 0x2004, "lies beyond the first 8 KiB")]
    [InlineData(1, 0x1ff8, "lies beyond the first 8 KiB")] // its last word does
    [InlineData(1, 0x5002, "is not on a multiple of 4")]
    [InlineData(1, 0x102, "is not on a multiple of 4")]
    [InlineData(2, 0x8008, "lies beyond the first 32 KiB")]
    [InlineData(2, 0x104, "is not on a multiple of 8")]
    [InlineData(2, 0x101, "is not on a multiple of 8")]
    public void A_multiboot_header_out_of_its_place_keeps_a_kernel_from_being_entered_without_one(int version, int offset, string fault)
    {
        byte[] header = version == 1 ? MultibootFiles.Header(MultibootFiles.PageAlignAndMemory) : Multiboot2Files.Header();
        string protocol = version == 1 ? "multiboot" : "multiboot 2";

        Assert.StartsWith($"kernel.bin: the {protocol} header at 0x{offset:x} {fault}, where loaders look for it; ",
            Requests.Refusal(Requests.For(EndingIn(offset, header), commandLine: "words")), StringComparison.Ordinal);
    }

    [Fact]
    public void A_magic_in_code_or_in_another_kernel_that_it_has_with_it_is_no_header()
    {
        byte[] header = MultibootFiles.Header(MultibootFiles.PageAlignAndMemory);
        header[8] ^= 1; // what the checksum is not
        foreach (byte[] payload in (byte[][])[header, Multiboot2Files.HeaderFor(4), MultibootFiles.Elf().Build(), Multiboot2Files.Elf(is64: true).Build()])
            Assert.StartsWith("ELF32 without a boot protocol", Requests.Load(EndingIn(0x8004, payload)).Format, StringComparison.Ordinal);

        byte[] both = [.. MultibootFiles.Elf().Build(), .. new byte[0x8000], .. MultibootFiles.Header(0)];
        Assert.Contains("the multiboot header at 0x", Requests.Refusal(EndingIn(0x3000, both)), StringComparison.Ordinal);
    }

    [Fact]
    public void Words_and_files_that_it_would_never_see_are_refused()
    {
        BootRequest request = Requests.For(Kernel(is64: true).Build());

        Assert.EndsWith("cannot be told \"quiet\": leave out --append",
            Requests.Refusal(request with { CommandLine = "quiet" }), StringComparison.Ordinal);
        Assert.EndsWith("cannot be told of m.img: leave out --initrd and --module",
            Requests.Refusal(request with { Modules = [Requests.Module("m.img", [1])] }), StringComparison.Ordinal);
    }
}
