using MiniVmm.Boot;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Boot;

public sealed class ElfFileTests
{
    private static string Refusal(Action<ElfBuilder> spoil, bool is64 = false)
    {
        ElfBuilder elf = MultibootFiles.Elf(is64);
        spoil(elf);
        return Requests.Refusal(elf.Build());
    }

    private static void Contains(string expected, string message) =>
        Assert.Contains(expected, message, StringComparison.Ordinal);

    [Fact]
    public void Fields_of_the_header_are_checked()
    {
        Contains("e_ident[EI_CLASS] is 3", Refusal(elf => elf.Class = 3));
        Contains("e_ident[EI_DATA] is 3", Refusal(elf => elf.DataEncoding = 3));
        Contains("an ELF relocatable object (e_type 1)", Refusal(elf => elf.Type = 1));
        Contains("an ELF core dump (e_type 4), not a kernel", Refusal(elf => elf.Type = 4));
        Contains("e_type is 5", Refusal(elf => elf.Type = 5));
        Contains("an ELF file for AArch64 (e_machine 183); MiniVmm's guests are x86", Refusal(elf => elf.Machine = 183));
        Contains("an ELF file for IBM S/390 (e_machine 22)", Refusal(elf =>
            (elf.DataEncoding, elf.Machine) = (2, 22 << 8)));
        Contains("e_phentsize is 31", Refusal(elf => elf.EntrySize = 31));
        Contains("e_phnum is 0", Refusal(elf => elf.Count = 0));
        Contains("e_phnum is 65535", Refusal(elf => elf.Count = 65535));
        Contains("e_phoff 0x", Refusal(elf => elf.Count = 100));
        Contains("e_phoff 0xfffffff0", Refusal(elf => elf.TableOffset = 0xfffffff0));
        Contains("e_phoff 0xfffffffffffffff0", Refusal(elf => elf.TableOffset = ulong.MaxValue - 15, is64: true));
    }

    [Fact]
    public void File_ranges_of_segments_are_checked()
    {
        Contains("p_filesz 0x11 runs past", Refusal(elf => elf.Segments[0] = elf.Segments[0] with { FileSize = 17 }));
        Contains("p_offset 0xffffffff with", Refusal(
            elf => elf.Segments[0] = elf.Segments[0] with { Offset = uint.MaxValue }));
        Contains("p_offset 0xffffffffffffffff with", Refusal(
            elf => elf.Segments[0] = elf.Segments[0] with { Offset = ulong.MaxValue }, is64: true));
        Contains("is more than p_memsz 0xf", Refusal(
            elf => elf.Segments[0] = elf.Segments[0] with { MemorySize = 15 }));
    }

    /// <summary>PT_DYNAMIC, PT_INTERP and PT_NOTE of a file that was cut down to what is loaded.</summary>
    [Theory]
    [InlineData(2u)]
    [InlineData(3u)]
    [InlineData(4u)]
    public void A_header_that_the_loader_does_not_read_does_not_stop_a_kernel(uint type)
    {
        ElfBuilder.Segment gone = new(type, 0, 0, [], 16) { Offset = 0xffff_fff0, FileSize = 32 };

        foreach (byte[] file in (byte[][])[MultibootFiles.Elf().With(gone).Build(), MultibootFiles.Elf(is64: true).With(gone).Build()])
            Assert.StartsWith("multiboot 1", Requests.Load(file).Format, StringComparison.Ordinal);
        Assert.StartsWith("Linux vmlinux", Requests.Load(SmallKernel.Builder().With(0x200_0000, "Linux version 6.1"u8.ToArray()).With(gone).Build()).Format,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Notes_that_are_not_in_the_file_are_no_notes_and_may_have_asked_for_PVH()
    {
        ElfBuilder.Segment gone = new(ElfBuilder.Note, 0, 0, [], 16) { Offset = 0xffff_fff0, FileSize = 32 };
        ElfBuilder elf = new ElfBuilder(true).With(0x100000, [0xf4]).With(gone);

        Contains("PVH: the notes of program header 1 run past the end of the file", Requests.Refusal(elf.Build()));
        Assert.StartsWith("PVH", Requests.Load(elf.WithPvhNote(0x100000).Build()).Format, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_segment_without_bytes_in_the_file_has_no_offset_that_could_be_wrong(bool is64)
    {
        ElfBuilder elf = MultibootFiles.Elf(is64);
        elf.With(new ElfBuilder.Segment(ElfBuilder.Load, 0x200000, 0x200000, [], 0x4000) { Offset = 0x7fff_0000 });
        BootImage image = Requests.Load(elf.Build());

        LoadSegment bss = image.Segment("ELF segment 1");
        Assert.Equal((0x200000ul, 0x4000ul, 0), (bss.Address, bss.MemorySize, bss.Data.Length));
        Requests.AssertSound(image);
        Assert.StartsWith("Limine", Requests.Load(LimineFiles.Elf(LimineFiles.Revision(6)).With(
            new ElfBuilder.Segment(ElfBuilder.Load, LimineFiles.Base + 0x8000, 0x108000, [], 0x4000) { Offset = 0x7fff_0000 }).Build()).Format,
            StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_ranges_of_segments_are_checked()
    {
        Contains("needs at least 257 MiB; --mem 64 MiB is too small", Refusal(elf => elf.With(0x1000_0000, [1])));
        Contains("is not in RAM", Refusal(elf => elf.With(0xd000_0000, [1])));
        Contains("ELF segment 0 at 0x100000-0x102fff overlaps ELF segment 1 at 0x102fff", Refusal(
            elf => elf.With(0x102fff, [1])));
        Contains("past the end of the address space", Refusal(
            elf => elf.With(ulong.MaxValue, [1], memorySize: 2), is64: true));
        Contains("past the end of the address space", Refusal(
            elf => elf.With(0x200000, [1], memorySize: ulong.MaxValue), is64: true));
    }

    [Fact]
    public void The_entry_point_must_be_in_what_the_file_fills()
    {
        Contains("(e_entry) 0x100010 is in no loaded segment", Refusal(elf => elf.Entry = 0x100010));
        Contains("(e_entry) 0xfffff is in no loaded segment", Refusal(elf => elf.Entry = 0xfffff));
    }

    [Fact]
    public void An_entry_point_above_4_GiB_is_out_of_reach_for_32_bit_code()
    {
        ElfBuilder elf = MultibootFiles.Elf(is64: true);
        elf.With(0x1_0000_0000, [1]);
        elf.Entry = 0x1_0000_0000;

        Contains("above 4 GiB", Requests.Refusal(Requests.For(elf.Build(), size: 4ul << 30)));
    }
}
