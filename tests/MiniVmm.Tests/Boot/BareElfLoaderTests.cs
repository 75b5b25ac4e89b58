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
