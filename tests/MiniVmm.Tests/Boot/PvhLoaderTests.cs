using MiniVmm.Boot;
using MiniVmm.Memory;
using static MiniVmm.Tests.Boot.Requests;

namespace MiniVmm.Tests.Boot;

public sealed class PvhLoaderTests
{
    private static ElfBuilder Kernel(bool is64, int descriptorSize = 4, ulong alignment = 4, ulong entry = 0x100004)
    {
        ElfBuilder elf = new(is64) { Entry = 0x100000 };
        return elf.With(0x100000, [1, 2, 3, 4, 0xf4], memorySize: 0x2000).WithPvhNote(entry, descriptorSize, alignment);
    }

    private static void Contains(string expected, string message) =>
        Assert.Contains(expected, message, StringComparison.Ordinal);

    [Theory]
    [InlineData(false, 4, 4)]
    [InlineData(true, 8, 4)]
    [InlineData(true, 4, 8)]
    [InlineData(true, 8, 8)]
    public void A_kernel_is_entered_where_its_note_says(bool is64, int descriptorSize, ulong alignment)
    {
        BootImage image = Load(Kernel(is64, descriptorSize, alignment).Build());

        Assert.Equal(new(EntryMode.Protected32, 0x100004) { Rbx = MemoryLayout.PvhStartInfo }, image.Entry);
        AssertSound(image);
    }

    [Fact]
    public void The_start_info_has_map_command_line_module_and_rsdp()
    {
        BootImage image = BootLoader.Load(Requests.For(Kernel(true).Build(), commandLine: "quiet", initrd: [1, 2, 3]));

        LoadSegment info = image.Segment("PVH start info");
        Assert.Equal((0x336ec578u, 1u, 0u, 1u), (U32(info, 0), U32(info, 4), U32(info, 8), U32(info, 12)));
        Assert.Equal("quiet\0"u8.ToArray(), image.Segment("kernel command line").Data.ToArray());
        Assert.Equal(MemoryLayout.CommandLine, U64(info, 24));
        Assert.Equal(MemoryLayout.Acpi, U64(info, 32));

        int module = (int)(U64(info, 16) - info.Address);
        Assert.Equal((0x3fff000ul, 3ul), (U64(info, module), U64(info, module + 8)));
        Assert.Equal(0x3fff000ul, image.Segment("initrd").Address);

        int map = (int)(U64(info, 40) - info.Address);
        GuestMemoryMap memory = new(64 * MemoryLayout.MiB);
        Assert.Equal((uint)memory.E820.Count, U32(info, 48));
        Assert.Equal(info.Data.Length, map + 24 * memory.E820.Count);
        for (int i = 0; i < memory.E820.Count; i++)
        {
            E820Entry entry = memory.E820[i];
            int at = map + 24 * i;
            Assert.Equal((entry.Range.Start, entry.Range.Length), (U64(info, at), U64(info, at + 8)));
            Assert.Equal((uint)entry.Type, U32(info, at + 16));
        }
    }

    [Fact]
    public void Other_notes_are_passed_over()
    {
        byte[] gnu = [4, 0, 0, 0, 5, 0, 0, 0, 18, 0, 0, 0, .. "GNU\0"u8, 1, 2, 3, 4, 5, 0, 0, 0];
        ElfBuilder elf = Kernel(true);
        ElfBuilder.Segment note = elf.Segments[1];
        elf.Segments[1] = note with { Data = [.. gnu, .. note.Data] };

        Assert.Equal(0x100004ul, Load(elf.Build()).Entry.Rip);
    }

    // As GNU ld lays out .note.gnu.property (aligned by 8) with .note.gnu.build-id and Xen's notes (packed by 4) behind.
    [Theory]
    [InlineData(8)]
    [InlineData(4)]
    public void A_note_packed_by_4_is_found_whatever_its_segment_is_aligned_by(ulong alignment)
    {
        byte[] property = [4, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, .. "GNU\0"u8, 1, 2, 3, 4, 5, 6, 7, 8];
        byte[] odd = [4, 0, 0, 0, 4, 0, 0, 0, 6, 0, 0, 0, .. "Xen\0"u8, 1, 2, 3, 4];
        ElfBuilder elf = Kernel(true);
        ElfBuilder.Segment note = elf.Segments[1];
        elf.Segments[1] = note with { Data = [.. property, .. odd, .. note.Data], Alignment = alignment };

        Assert.Equal(0x100004ul, Load(elf.Build()).Entry.Rip);
    }

    [Fact]
    public void A_note_that_cannot_be_read_stops_neither_other_notes_nor_other_protocols()
    {
        byte[] broken = [4, 0, 0, 0, 0xff, 0, 0, 0, 18, 0, 0, 0, .. "Xen\0"u8];
        ElfBuilder elf = new ElfBuilder(true)
            .With(new ElfBuilder.Segment(ElfBuilder.Note, 0, 0, broken, 16))
            .With(0x100000, [1, 2, 3, 4, 0xf4]).WithPvhNote(0x100004);
        Assert.StartsWith("PVH", Load(elf.Build()).Format, StringComparison.Ordinal);

        ElfBuilder linux = new ElfBuilder(true)
            .With(new ElfBuilder.Segment(ElfBuilder.Note, 0, 0, broken, 16))
            .With(0x100000, [0xf4, .. "Linux version 6.1"u8]);
        Assert.StartsWith("Linux vmlinux", Load(linux.Build()).Format, StringComparison.Ordinal);
    }

    [Fact]
    public void Modules_follow_the_initrd_in_the_start_info_with_their_words()
    {
        BootRequest request = Requests.For(
            Kernel(true).Build(), initrd: [1, 2, 3], modules: [Module("m one two", [4]), Module("n", [5, 6])]);
        BootImage image = BootLoader.Load(request);

        LoadSegment info = image.Segment("PVH start info");
        Assert.Equal(3u, U32(info, 12));
        int list = (int)(U64(info, 16) - info.Address);
        Assert.Equal(
            [(0x3fff000ul, 3ul), (0x102000ul, 1ul), (0x103000ul, 2ul)],
            Enumerable.Range(0, 3).Select(i => (U64(info, list + 32 * i), U64(info, list + 32 * i + 8))));
        Assert.Equal((0ul, 0ul), (U64(info, list + 16), U64(info, list + 80)));
        int words = (int)(U64(info, list + 48) - info.Address);
        Assert.Equal("one two\0"u8.ToArray(), info.Data.Span.Slice(words, 8).ToArray());
        AssertSound(image);
    }

    [Fact]
    public void Words_that_do_not_fit_in_the_start_info_are_refused() =>
        Contains("more than 4096", Requests.Refusal(
            Requests.For(Kernel(true).Build(), modules: Module("m " + new string('x', 4000), [1]))));

    [Fact]
    public void Notes_that_lie_are_refused()
    {
        Contains("PVH: the PHYS32_ENTRY note has n_descsz 2, neither 4 nor 8", Requests.Refusal(
            Kernel(true, descriptorSize: 2).Build()));
        Contains("runs past the end of its segment", Requests.Refusal(Kernel(true, descriptorSize: 9).Build()));
        Contains("runs past the end of its segment", Requests.Refusal(Kernel(true, descriptorSize: -1).Build()));
        Contains("PHYS32_ENTRY note) 0x100005 is in no loaded segment", Requests.Refusal(
            Kernel(true, entry: 0x100005).Build()));
    }

    [Fact]
    public void Multiboot_comes_first_as_in_qemu()
    {
        ElfBuilder elf = MultibootFiles.Elf().WithPvhNote(0x100000);

        Assert.StartsWith("multiboot 1", Load(elf.Build()).Format, StringComparison.Ordinal);
    }

    [Fact]
    public void The_start_info_makes_way_for_a_kernel()
    {
        BootImage image = Load(Kernel(true).With(0x6000, [1]).Build());

        Requests.AssertSound(image);
        LoadSegment info = image.Segment("PVH start info");
        Assert.Equal(info.Address, image.Entry.Rbx);
        Assert.NotEqual(MemoryLayout.PvhStartInfo, info.Address);
        Assert.Equal(info.Address + 56, U64(info, 40)); // the memory map, behind the header
    }
}
