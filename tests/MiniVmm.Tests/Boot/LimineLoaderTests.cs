using System.Buffers.Binary;
using System.Text;
using CsCheck;
using MiniVmm.Boot;
using MiniVmm.Firmware;
using MiniVmm.Memory;
using MiniVmm.Tests.Firmware;
using static MiniVmm.Tests.Boot.LimineFiles;

namespace MiniVmm.Tests.Boot;

public sealed class LimineLoaderTests
{
    private const ulong Hhdm = 0xffff_8000_0000_0000;

    /// <summary>A loaded executable, read as it reads itself: through its page tables.</summary>
    private sealed class Guest(BootImage image)
    {
        public BootImage Image => image;

        public ulong U64(ulong linear) => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(linear, 8));

        public string Text(ulong linear)
        {
            StringBuilder text = new();
            for (byte letter; (letter = Bytes(linear, 1)[0]) != 0; linear++)
                text.Append((char)letter);
            return text.ToString();
        }

        public byte[] Bytes(ulong linear, int count) =>
            [.. Enumerable.Range(0, count).Select(i => Physical(Translate(linear + (ulong)i)!.Value))];

        /// <summary>The response to the n-th request of 48 bytes behind so many words.</summary>
        public ulong Response(int words) => U64(Words + (ulong)(words * 8 + 40));

        public ulong? Translate(ulong linear, ulong rights = 0)
        {
            ulong table = image.Entry.PageTable;
            for (int shift = 39; ; shift -= 9)
            {
                ulong entry = U64Physical(table + ((linear >> shift) & 511) * 8);
                if ((entry & 1) == 0)
                    return null;
                ulong frame = entry & 0x000f_ffff_ffff_f000;
                if (shift != 12 && (entry & 0x80) == 0)
                {
                    table = frame;
                    continue;
                }

                bool allowed = (rights & 2) == (rights & 2 & entry) && ((rights & 1) == 0 || entry >> 63 == 0);
                return allowed ? frame + (linear & ((1ul << shift) - 1)) : null;
            }
        }

        private ulong U64Physical(ulong at) => BinaryPrimitives.ReadUInt64LittleEndian(
            Enumerable.Range(0, 8).Select(i => Physical(at + (ulong)i)).ToArray());

        private byte Physical(ulong at)
        {
            LoadSegment segment = image.Segments.First(segment => segment.Range.Contains(at, 1));
            int offset = (int)(at - segment.Address);
            return offset < segment.Data.Length ? segment.Data.Span[offset] : (byte)0;
        }
    }

    private const ulong Execute = 1, Write = 2;

    private static Guest Load(BootRequest request) => new(BootLoader.Load(request));

    private static Guest Load(params ulong[][] words) => Load(Requests.For(Elf(words).Build()));

    [Fact]
    public void An_executable_is_entered_in_the_higher_half_with_the_protocols_registers()
    {
        EntryState entry = Load(Revision(6)).Image.Entry;

        Assert.Equal((EntryMode.Long64, Base, 0x28, 0x30, true),
            (entry.Mode, entry.Rip, (int)entry.CodeSelector, (int)entry.DataSelector, entry.ProtectsPages));
        Assert.Equal((0ul, 0ul, 0ul, 0ul), (entry.Rax, entry.Rbx, entry.Rsi, entry.Rdi));
        Assert.True(Load(Revision(6)).Image.MasksInterrupts);
    }

    [Theory]
    [InlineData(0ul, 0ul, 0ul)]
    [InlineData(3ul, 3ul, 0ul)]
    [InlineData(6ul, 6ul, 0ul)]
    [InlineData(9ul, 6ul, 9ul)] // told that it does not get what it asked for
    public void The_base_revision_is_answered(ulong asked, ulong loaded, ulong left)
    {
        Guest guest = Load(Revision(asked));

        Assert.Equal((loaded, left), (guest.U64(Words + 8), guest.U64(Words + 16)));
    }

    [Fact]
    public void Segments_allow_what_their_headers_say_and_the_stack_ends_in_a_null_return_address()
    {
        Guest guest = Load(Revision(6));

        Assert.NotNull(guest.Translate(Base, Execute));
        Assert.Null(guest.Translate(Base, Write));
        Assert.NotNull(guest.Translate(Words, Write));
        Assert.Null(guest.Translate(Words, Execute));
        Assert.Null(guest.Translate(0x1000));
        Assert.Equal(0ul, guest.U64(guest.Image.Entry.Rsp));
        Assert.NotNull(guest.Translate(guest.Image.Entry.Rsp - 0xfff0, Write));
        Assert.NotNull(guest.Translate(guest.Image.Entry.Gdt.Start));
    }

    [Theory]
    [InlineData(0ul, true, true)]
    [InlineData(2ul, false, true)]
    [InlineData(3ul, false, false)]
    [InlineData(6ul, false, false)]
    public void What_is_mapped_beside_it_depends_on_the_base_revision(ulong revision, bool identity, bool allOf4GiB)
    {
        Guest guest = Load(Revision(revision));

        Assert.Equal(0x30_0000ul, guest.Translate(Hhdm + 0x30_0000, Execute | Write));
        Assert.Equal(identity, guest.Translate(0x30_0000) == 0x30_0000ul);
        Assert.Equal(allOf4GiB, guest.Translate(Hhdm + 0xfee0_0000) is not null);
        Assert.Equal(revision != 3, guest.Translate(Hhdm + 0xe_0000) is not null);
    }

    [Fact]
    public void RAM_above_4_GiB_is_in_the_direct_map()
    {
        Guest guest = Load(Requests.For(Elf(Revision(6)).Build(), size: 5 * MemoryLayout.GiB));

        Assert.Equal(0x1_7fff_f000ul, guest.Translate(Hhdm + 0x1_7fff_f000));
        Assert.Null(guest.Translate(Hhdm + 0x1_8000_0000));
    }

    [Fact]
    public void The_memory_map_is_in_order_and_knows_what_lies_where()
    {
        Guest guest = Load(Requests.For(Elf(Request(Map), Revision(6)).Build(), modules: [Requests.Module("m", new byte[5000])]));
        ulong response = guest.Response(0);
        ulong table = guest.U64(response + 16);
        List<(ulong Start, ulong Length, ulong Type)> map = [.. Enumerable.Range(0, (int)guest.U64(response + 8))
            .Select(i => guest.U64(table + (ulong)i * 8))
            .Select(at => (guest.U64(at), guest.U64(at + 8), guest.U64(at + 16)))];

        ulong last = 0;
        foreach ((ulong start, ulong length, ulong type) in map)
        {
            Assert.True(start >= last && length > 0);
            last = start + length;
            if (type is 0 or 5)
                Assert.Equal(0ul, (start | length) & 0xfff);
        }

        // The executable with its .bss, two pages of the module behind it, and then RAM.
        Assert.Contains((0x10_0000ul, 0x5000ul, 6ul), map);
        Assert.Contains(map, entry => entry is { Start: 0x10_5000, Type: 0 });
        Assert.Contains((0xe_0000ul, 0x2_0000ul, 8ul), map);
        foreach (LoadSegment segment in guest.Image.Segments)
            Assert.DoesNotContain(map, entry => entry.Type == 0 && new GuestRange(entry.Start, entry.Length).Overlaps(segment.Range));
    }

    [Fact]
    public void Simple_requests_are_answered()
    {
        BootRequest request = Requests.For(
            Elf(Request(DirectMap), Request(Rsdp), Request(Address), Request(Line), Request(Loader), Request(Date),
                Request(OwnFile), Revision(6)).Build(),
            commandLine: "one two") with
        { Started = DateTimeOffset.FromUnixTimeSeconds(1_764_460_800) };
        Guest guest = Load(request);

        Assert.Equal(Hhdm, guest.U64(guest.Response(0) + 8));
        Assert.Equal("RSD PTR "u8.ToArray(), guest.Bytes(guest.U64(guest.Response(6) + 8), 8));
        Assert.Equal((0x10_0000ul, Base), (guest.U64(guest.Response(12) + 8), guest.U64(guest.Response(12) + 16)));
        Assert.Equal("one two", guest.Text(guest.U64(guest.Response(18) + 8)));
        Assert.Equal("MiniVmm", guest.Text(guest.U64(guest.Response(24) + 8)));
        Assert.Equal(1_764_460_800ul, guest.U64(guest.Response(30) + 8));
        ulong file = guest.U64(guest.Response(36) + 8);
        Assert.Equal([0x7f, (byte)'E', (byte)'L', (byte)'F'], guest.Bytes(guest.U64(file + 8), 4));
        Assert.Equal("/kernel.bin", guest.Text(guest.U64(file + 24)));
    }

    [Fact]
    public void A_long_command_line_is_there_once_for_both_that_ask_for_it()
    {
        Guest guest = Load(Requests.For(Elf(Request(Line), Request(OwnFile), Revision(6)).Build(), commandLine: new string('x', 40_000)));
        ulong line = guest.U64(guest.Response(0) + 8);

        Assert.Equal(line, guest.U64(guest.U64(guest.Response(6) + 8) + 32));
        Assert.Equal("xxx\0"u8.ToArray(), guest.Bytes(line + 39_997, 4));
    }

    [Fact]
    public void A_dynamic_section_that_is_not_in_the_file_is_refused()
    {
        ElfBuilder elf = Elf(Revision(6)).With(new ElfBuilder.Segment(2, 0, 0, [], 16) { Offset = 0x7fff_0000, FileSize = 32 });
        Assert.StartsWith("Limine", Requests.Load(elf.Build()).Format, StringComparison.Ordinal);
        elf.Type = 3;

        Assert.Contains("its dynamic section (program header 2), which names its relocations, runs past the end of the file",
            Requests.Refusal(elf.Build()), StringComparison.Ordinal);
    }

    [Fact]
    public void The_root_pointer_is_physical_in_base_revision_3_alone() =>
        Assert.Equal(MemoryLayout.Acpi, Load(Request(Rsdp), Revision(3)) is var guest ? guest.U64(guest.Response(0) + 8) : 0);

    [Fact]
    public void Modules_are_files_with_their_words()
    {
        Guest guest = Load(Requests.For(
            Elf(Request(Modules), Revision(6)).Build(), initrd: [7], modules: [Requests.Module("dir/m.img some words", [8, 9])]));
        ulong response = guest.Response(0);
        Assert.Equal(2ul, guest.U64(response + 8));
        ulong file = guest.U64(guest.U64(response + 16) + 8);

        Assert.Equal((2ul, "/dir/m.img", "some words"),
            (guest.U64(file + 16), guest.Text(guest.U64(file + 24)), guest.Text(guest.U64(file + 32))));
        Assert.Equal([8, 9], guest.Bytes(guest.U64(file + 8), 2));
        Assert.Equal(0ul, guest.U64(file + 8) & 0xfff);
    }

    /// <summary>A request for two modules that the executable names itself: a, which is required, and sub/../b.</summary>
    private static byte[] Naming(ulong count = 2, ulong table = Words + 64, ulong flags = 1, string path = "a")
    {
        const ulong first = Words + 80, texts = Words + 128;
        return Elf(
            Request(Modules, 1, count, table), [first, first + 24], [texts, texts + 8, flags, texts + 16, 0, 0],
            [Word(path), Word("words"), Word("sub/../"), Word("b")], Revision(6)).Build();

        // What follows has no NUL, so that texts of eight letters run on.
        static ulong Word(string text) => BitConverter.ToUInt64(Encoding.ASCII.GetBytes(text.PadRight(8, text.EndsWith('/') ? '/' : '\0')));
    }

    [Fact]
    public void Modules_that_the_executable_names_come_first_from_its_own_volume()
    {
        Dictionary<string, byte[]> files = new() { ["/boot/a"] = [1, 2, 3], ["/boot/b"] = [4] };
        BootRequest request = Requests.For(Naming(), modules: [Requests.Module("m", [5])]) with
        {
            ToldName = "/boot/kernel",
            Volume = (path, words) => files.TryGetValue(path, out byte[]? data) ? new(new(path, words), data) : null,
        };
        Guest guest = Load(request);
        ulong response = guest.Response(0);

        Assert.Equal((1ul, 3ul), (guest.U64(response), guest.U64(response + 8)));
        ulong[] each = [.. Enumerable.Range(0, 3).Select(i => guest.U64(guest.U64(response + 16) + ((ulong)i * 8)))];
        Assert.Equal(["/boot/a", "/boot/b", "/m"], each.Select(file => guest.Text(guest.U64(file + 24))));
        Assert.Equal(["words", "", ""], each.Select(file => guest.Text(guest.U64(file + 32))));
        Assert.Equal([1, 2, 3], guest.Bytes(guest.U64(each[0] + 8), 3));

        files.Remove("/boot/b"); // not required
        Assert.Equal(2ul, Load(request) is var less ? less.U64(less.Response(0) + 8) : 0);
        files.Remove("/boot/a");
        Assert.Contains("requires the module /boot/a, which the image does not have",
            Assert.Throws<BadInputException>(() => Load(request)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Whatever_an_executable_says_of_its_modules_it_is_loaded_or_refused()
    {
        byte[] good = Naming();
        int words = good.AsSpan().IndexOf(BitConverter.GetBytes(Modules)) - 16;
        BootRequest request = Requests.For(good) with { Volume = (path, words) => new(new(path, words), new byte[] { 1 }) };
        Gen.Select(Gen.Int[0, 160], Gen.OneOf(Gen.Byte, Gen.Const((byte)0x80), Gen.Const((byte)0xff))).Array[1, 4].Sample(
            changes =>
            {
                byte[] file = [.. good];
                foreach ((int at, byte value) in changes)
                    file[words + at] = value;
                try
                {
                    foreach (IDisposable unpacked in BootLoader.Load(request with { Kernel = file }).Unpacked)
                        unpacked.Dispose();
                }
                catch (BadInputException)
                {
                    // Refused.
                }
            },
            iter: 2000,
            threads: 1);
    }

    [Fact]
    public void A_module_that_an_executable_names_is_no_file_of_the_hosts() => Assert.Contains(
        "requires the module a, a file beside it on its boot volume; boot an image that has both", Requests.Refusal(Naming()), StringComparison.Ordinal);

    [Theory]
    [InlineData(1025ul, Words + 64, 1ul, "names 1025 Limine modules itself")]
    [InlineData(2ul, 0x1000ul, 1ul, "module 1, which it names itself, is not described")]
    [InlineData(2ul, 0xffff_ffff_ffff_fffcul, 1ul, "module 1, which it names itself, is not described")]
    [InlineData(2ul, Words + 64, 3ul, "requires the module a to be unpacked")]
    public void What_an_executable_says_of_its_modules_is_checked(ulong count, ulong table, ulong flags, string reason) =>
        Assert.Contains(reason, Requests.Refusal(Naming(count, table, flags)), StringComparison.Ordinal);

    [Fact]
    public void Other_processors_wait_for_an_address_each_on_a_stack_of_its_own()
    {
        BootRequest request = Requests.For(Elf(Request(Processors), Revision(6)).Build()) with
        {
            Firmware = new FirmwareTables(Topologies.Present(0, 2, 5), []),
        };
        Guest guest = Load(request);
        ulong response = guest.Response(0);
        ulong table = guest.U64(response + 24);

        Assert.Equal((0ul, 3ul), (guest.U64(response + 8), guest.U64(response + 16)));
        Assert.Equal(2, guest.Image.OtherEntries.Count);
        EntryState other = guest.Image.OtherEntries[1];
        Assert.Equal(guest.U64(table + 16), other.Rdi);
        Assert.Equal(2ul | 5ul << 32, guest.U64(other.Rdi));
        Assert.Equal(0ul, guest.U64(other.Rdi + 16)); // goto_address
        Assert.Equal([0xf3, 0x90, 0x48, 0x8b, 0x47, 0x10], guest.Bytes(other.Rip, 6));
        Assert.NotNull(guest.Translate(other.Rip, Execute));
        Assert.Equal(3, new[] { guest.Image.Entry.Rsp, guest.Image.OtherEntries[0].Rsp, other.Rsp }.Distinct().Count());
        Assert.Empty(Load(request with { Kernel = Elf(Revision(6)).Build() }).Image.OtherEntries);
    }

    [Fact]
    public void A_framebuffer_is_there_if_it_is_asked_for()
    {
        BootRequest request = Requests.For(Elf(Request(Framebuffer), Revision(6)).Build()) with { Framebuffer = new() };
        Guest guest = Load(request);
        ulong screen = guest.U64(guest.U64(guest.Response(0) + 16));

        Assert.Equal((Hhdm + MemoryLayout.Framebuffer, 1024ul, 768ul, 4096ul),
            (guest.U64(screen), guest.U64(screen + 8), guest.U64(screen + 16), guest.U64(screen + 24)));
        Assert.Equal([32, 0, 1, 8, 16, 8, 8, 8, 0], guest.Bytes(screen + 32, 9));
        Assert.Equal(MemoryLayout.Framebuffer, guest.Translate(guest.U64(screen), Write));
        Assert.NotNull(guest.Image.Framebuffer);

        Guest without = Load(request with { Framebuffer = null });
        Assert.Equal(0ul, without.Response(0));
        Assert.Null(without.Image.Framebuffer);
    }

    [Fact]
    public void The_entry_point_and_the_stack_size_asked_for_are_given()
    {
        Guest guest = Load(Request(Entry, 0, Base + 4), Request(Stack, 0, 1 << 20), Revision(6));

        Assert.Equal(Base + 4, guest.Image.Entry.Rip);
        Assert.Equal(1ul << 20, guest.Image.Segment("Limine stacks").MemorySize);
        Assert.NotEqual(0ul, guest.Response(0));
    }

    [Fact]
    public void Requests_count_between_the_markers_alone()
    {
        Guest guest = Load(Request(DirectMap), Start, Request(Rsdp), Revision(6), End, Request(Line));

        Assert.Equal((0ul, 0ul), (guest.Response(0), guest.Response(6 + 4 + 6 + 3 + 2)));
        Assert.NotEqual(0ul, guest.Response(6 + 4));
    }

    [Fact]
    public void A_relocatable_executable_is_moved_to_the_higher_half_and_relocated()
    {
        // The entry point's request, and one relative relocation of its last word; a dynamic section with the table's place.
        ulong target = 0x1000 + 48;
        ulong[] rela = [target, 8, 4];
        ElfBuilder elf = At(0, Request(Entry, 0, 0), rela, Revision(6));
        elf.Type = 3;
        byte[] dynamic = new byte[64];
        ulong[] tags = [7, 0x1000 + 56, 8, 24, 9, 24, 0, 0];
        for (int i = 0; i < tags.Length; i++)
            BinaryPrimitives.WriteUInt64LittleEndian(dynamic.AsSpan(i * 8), tags[i]);
        Guest guest = Load(Requests.For(elf.With(new ElfBuilder.Segment(2, 0, 0, dynamic, 64)).Build()));

        Assert.Equal(Base + 4, guest.Image.Entry.Rip);
    }

    public static TheoryData<string, string> Refused => new()
    {
        { "twice", "the Limine request 0x48dcf1cb8ad2b852 is there twice" },
        { "low", "a Limine executable linked to 0x400000; it must be at 0xffffffff80000000 or above, or relocatable" },
        { "paging", "needs page tables of five levels" },
        { "entry", "the entry point 0x1234 is not in what is loaded" },
        { "stack", "the executable leaves no RAM for the Limine stacks" },
        { "large", "do not fit in RAM: it needs at least" },
    };

    [Theory]
    [MemberData(nameof(Refused))]
    public void What_cannot_be_given_is_named(string what, string reason)
    {
        ElfBuilder elf = what switch
        {
            "twice" => Elf(Request(DirectMap), Request(DirectMap)),
            "low" => At(0x40_0000, Revision(6)),
            "paging" => Elf(Request(Paging, 1, 1, 1, 1)),
            "entry" => Elf(Request(Entry, 0, 0x1234)),
            "stack" => Elf(Request(Stack, 0, 1ul << 62)),
            _ => Elf(Revision(6)).With(new ElfBuilder.Segment(1, Base + 0x10_0000, 0, [1], 0x800_0000)),
        };

        Assert.Contains(reason, Requests.Refusal(elf.Build()), StringComparison.Ordinal);
    }
}
