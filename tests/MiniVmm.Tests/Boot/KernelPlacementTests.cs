using CsCheck;
using MiniVmm.Boot;
using MiniVmm.Memory;
using MiniVmm.Tests.Firmware;

namespace MiniVmm.Tests.Boot;

/// <summary>The kernel has the first choice of addresses, and MiniVmm's tables lie around it.</summary>
public sealed class KernelPlacementTests
{
    private const ulong KiB = MemoryLayout.KiB;

    private static ElfBuilder Kernel(string protocol) => protocol switch
    {
        "multiboot" => MultibootFiles.Elf(),
        "PVH" => new ElfBuilder(true).With(0x100000, [0xf4]).WithPvhNote(0x100000),
        "vmlinux" => new ElfBuilder(true) { Entry = 0x100000 }.With(0x100000, [0xf4, .. "Linux version 6.1"u8]),
        _ => throw new ArgumentOutOfRangeException(nameof(protocol)),
    };

    private static BootImage Load(ElfBuilder elf, ulong size = 64 * MemoryLayout.MiB) =>
        BootLoader.Load(Requests.For(elf.Build(), size, commandLine: "words"));

    public static TheoryData<string> Protocols => ["multiboot", "PVH", "vmlinux"];

    [Fact]
    public void An_ordinary_kernel_leaves_every_table_at_its_usual_address()
    {
        (string, ulong)[] all =
        [
            ("real-mode interrupt vectors", 0x0), ("BIOS data area", 0x400), ("boot GDT", 0x500),
            ("boot stack", 0x8000), ("extended BIOS data area", 0x9fc00), ("ACPI tables", 0xe0000),
            ("MP table", 0xf0000), ("real-mode IRET", 0xfff53), ("ELF segment 0", 0x100000),
        ];

        Assert.Equal<HashSet<(string, ulong)>>([.. all, ("multiboot information", 0x10000)], Layout("multiboot"));
        Assert.Equal<HashSet<(string, ulong)>>(
            [.. all, ("PVH start info", 0x6000), ("kernel command line", 0x20000)], Layout("PVH"));
        Assert.Equal<HashSet<(string, ulong)>>(
            [.. all, ("Linux boot_params", 0x7000), ("boot page tables", 0x9000), ("kernel command line", 0x20000)],
            Layout("vmlinux"));

        static HashSet<(string, ulong)> Layout(string protocol) =>
            [.. Load(Kernel(protocol)).Segments.Select(segment => (segment.Name, segment.Address))];
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public void Headers_right_below_1_MiB_are_loaded_there(string protocol)
    {
        BootImage image = Load(Kernel(protocol).With(0xff000, "headers"u8.ToArray(), 0x1000));

        Requests.AssertSound(image);
        Assert.Contains(image.Segments, s => s.Address == 0xff000 && s.Data.Span.SequenceEqual("headers"u8));
        Assert.Equal(0xe0000ul, image.Firmware.Rsdp);
        // The one thing that was in the way; in the vectors it is F000 or E000 with its offset.
        LoadSegment handler = image.Segment("real-mode IRET");
        Assert.InRange(handler.Address, 0xe0000ul, 0xfefffUL);
        ReadOnlySpan<byte> vector = image.Segment("real-mode interrupt vectors").Data.Span[..4];
        Assert.Equal(handler.Address, (ulong)(((vector[2] | vector[3] << 8) << 4) + (vector[0] | vector[1] << 8)));
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public void A_kernel_over_all_of_base_memory_has_its_tables_above_itself(string protocol)
    {
        BootImage image = Load(Kernel(protocol).With(0, [1], memorySize: 0x9fc00));

        Requests.AssertSound(image);
        Assert.True(image.Entry.Gdt.Start > MemoryLayout.HighMemory);
        Assert.True(image.Entry.Rsp > MemoryLayout.HighMemory);
        Assert.DoesNotContain(image.Segments, segment => segment.Name is "BIOS data area");
        Assert.Contains(
            $"boot GDT moved from 0x500 to 0x{image.Entry.Gdt.Start:x}, out of the way of {KernelSegment(image)}",
            image.Notes);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public void The_firmware_of_a_kernel_over_the_ROM_window_is_in_the_EBDA_and_in_reserved_memory(string protocol)
    {
        BootImage image = Load(Kernel(protocol).With(0xa0000, [1], memorySize: 0x60000));

        Requests.AssertSound(image);
        Assert.Equal(0x9fc10ul, image.Firmware.Rsdp);
        LoadSegment tables = image.Segment("ACPI tables");
        Assert.True(image.Memory.Reports(tables.Range, E820Type.Reserved));
        ulong kib = image.Memory.BaseMemoryEnd / KiB;
        Assert.Equal(tables.Address / KiB, kib);
        // The BIOS data area tells of what is left of base memory.
        Assert.Equal(kib, (ulong)new GuestView(image.Segment("BIOS data area")).U16(0x413));
    }

    [Fact]
    public void Without_a_place_to_search_the_protocols_that_pass_its_address_still_have_ACPI()
    {
        BootImage image = Load(Kernel("PVH").With(0x9f000, [1], memorySize: 0x61000));

        Requests.AssertSound(image);
        Assert.Null(image.Firmware.Mp);
        Assert.Equal(image.Firmware.Rsdp, Requests.U64(image.Segment("PVH start info"), 32));
        Assert.Contains(image.Notes, note => note.StartsWith("ACPI RSDP: ", StringComparison.Ordinal));
        Assert.Contains(image.Notes, note => note.StartsWith("no MP table", StringComparison.Ordinal));
    }

    [Fact]
    public void Only_what_the_kernel_leaves_of_vectors_and_BIOS_data_is_written()
    {
        BootImage image = Load(Kernel("multiboot").With(0x100, [1]).With(0x3f0, new byte[0x20]).With(0x4ff, [2]));

        Requests.AssertSound(image);
        Assert.Equal(
            [(0x0ul, 0x100ul), (0x101ul, 0x2eful)],
            image.Segments.Where(segment => segment.Name == "real-mode interrupt vectors")
                .Select(segment => (segment.Address, segment.MemorySize)));
        LoadSegment data = image.Segment("BIOS data area");
        Assert.Equal((0x410ul, 0xeful), (data.Address, data.MemorySize));
        Assert.Equal(639, new GuestView(data).U16(0x413));
    }

    [Fact]
    public void Multiboot_is_entered_with_QEMUs_selectors_and_others_with_Linuxs()
    {
        Assert.Equal((8, 0x10), Selectors(Load(Kernel("multiboot"))));
        Assert.Equal((0x10, 0x18), Selectors(Load(Kernel("PVH"))));
        Assert.Equal((0x10, 0x18), Selectors(Load(Kernel("vmlinux"))));

        static (int, int) Selectors(BootImage image) => (image.Entry.CodeSelector, image.Entry.DataSelector);
    }

    [Fact]
    public void A_kernel_that_leaves_nothing_is_refused_by_what_has_no_room()
    {
        byte[] file = Kernel("multiboot").With(0x103000, [1], memorySize: 0xfd000)
            .With(0, [1], memorySize: 0x100000).Build();

        Assert.Matches(
            "^kernel.bin: the kernel leaves no RAM below 4 GiB for the .* bytes\\); give the guest more with --mem$",
            Requests.Refusal(Requests.For(file, 2 * MemoryLayout.MiB)));
    }

    [Fact]
    public void Whatever_the_kernel_covers_all_tables_have_a_place_or_there_is_a_conflict()
    {
        ulong[] edges = [0, 0x400, 0x500, 0x7000, 0x9fc00, 0xa0000, 0xe0000, 0xf0000, 0xff000, 0x100000, 0x200000];
        Gen<ulong> address = Gen.OneOf(
            Gen.ULong[0, 0x300000],
            Gen.Select(Gen.Int[0, edges.Length - 1].Select(i => edges[i]), Gen.ULong[0, 64], (edge, offset) => edge + offset));
        Gen<ulong> length = Gen.OneOf(Gen.ULong[1, 64], Gen.ULong[1, 0x2000], Gen.ULong[1, 0x100000]);
        Gen<GuestRange[]> segments = Gen.Select(address, length, (at, size) => new GuestRange(at, size)).Array[1, 5];
        string[] protocols = [.. Protocols.Select(row => row.Data)];
        int placed = 0, refused = 0;
        Gen.Select(segments, Gen.Int[0, protocols.Length - 1].Select(i => protocols[i])).Sample(
            (ranges, protocol) =>
            {
                ElfBuilder elf = Kernel(protocol);
                foreach (GuestRange range in ranges)
                    elf.With(range.Start, [1], range.Length);
                BootRequest request = Requests.For(elf.Build(), 3 * MemoryLayout.MiB, commandLine: "words");
                GuestRange[] all =
                    [.. elf.Segments.Where(s => s.Type == 1).Select(s => new GuestRange(s.Physical, s.MemorySize))];
                try
                {
                    BootImage image = BootLoader.Load(request);
                    Requests.AssertSound(image);
                    placed++;
                }
                catch (BadInputException refusal)
                {
                    Assert.True(IsConflict(all, request.Memory), refusal.Message);
                    refused++;
                }
            },
            iter: 2000, threads: 1);
        Assert.True(placed > 100 && refused > 100, $"{placed} placed, {refused} refused");
    }

    /// <summary>Two segments on one place, one beyond RAM, or hardly any RAM left in one piece.</summary>
    private static bool IsConflict(GuestRange[] kernel, GuestMemoryMap memory)
    {
        if (kernel.Any(range => !memory.HasRam(range)))
            return true;
        GuestRange[] sorted = [.. kernel.OrderBy(range => range.Start)];
        ulong free = 0;
        ulong at = MemoryLayout.BiosDataEnd;
        foreach (GuestRange range in sorted.Append(new(memory.LowRamEnd, 0)))
        {
            if (range.Start > at)
                free = Math.Max(free, range.Start - at);
            at = Math.Max(at, range.End);
        }

        return sorted.Zip(sorted.Skip(1)).Any(pair => pair.First.Overlaps(pair.Second)) || free < 64 * KiB;
    }

    private static string KernelSegment(BootImage image) => image.Segments.Single(s => s.Address == 0).Name;
}
