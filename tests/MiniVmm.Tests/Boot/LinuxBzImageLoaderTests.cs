using System.Text;
using MiniVmm.Boot;
using MiniVmm.Memory;
using static MiniVmm.Tests.Boot.Requests;

namespace MiniVmm.Tests.Boot;

public sealed class LinuxBzImageLoaderTests
{
    private static readonly byte[] NoPayload = [];

    private static string Refusal(Action<BzImageBuilder> spoil, ulong size = 64 * MemoryLayout.MiB)
    {
        BzImageBuilder builder = new(NoPayload);
        spoil(builder);
        return Requests.Refusal(Requests.For(builder.Build(), size));
    }

    private static void Contains(string expected, string message) =>
        Assert.Contains(expected, message, StringComparison.Ordinal);

    [Theory]
    [InlineData("gzip")]
    [InlineData("bzip2")]
    [InlineData("lzma")]
    [InlineData("xz")]
    [InlineData("xz, blocks")]
    [InlineData("lz4")]
    [InlineData("zstd")]
    public void A_payload_is_unpacked_and_the_kernel_inside_is_entered(string codec)
    {
        using BootImage image = Load(new BzImageBuilder(SmallKernel.Payload(codec)).Build());

        Assert.Equal(new(EntryMode.Long64, 0x100_0000)
        {
            Rsi = MemoryLayout.ZeroPage,
            PageTable = MemoryLayout.PageTables,
        }, image.Entry);
        LoadSegment text = image.Segment("ELF segment 0");
        Assert.Equal(0x4000ul, text.MemorySize);
        // The code's last byte is a zero, and zeros at the end are left to memory.
        Assert.Equal(SmallKernel.Builder().Segments[0].Data, [.. text.Data.Span, 0]);
        string note = Assert.Single(image.Notes);
        Contains(codec.Split(',')[0] + ",", note);
        Contains("unpacked by MiniVmm; entering vmlinux at 0x1000000", note);
        AssertSound(image);
    }

    [Fact]
    public void A_disposed_image_has_given_the_unpacked_kernel_back()
    {
        BootImage image = Load(new BzImageBuilder(SmallKernel.Payload("gzip")).Build());
        LoadSegment text = image.Segment("ELF segment 0");
        image.Dispose();
        image.Dispose();

        Assert.Throws<ObjectDisposedException>(() => text.Data.Span.Length);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("bzip2")]
    [InlineData("lzma")]
    [InlineData("xz")]
    [InlineData("xz, blocks")]
    [InlineData("lz4")]
    [InlineData("zstd")]
    public void A_damaged_payload_never_does_more_harm_than_a_refusal(string codec)
    {
        byte[] good = SmallKernel.Payload(codec);
        for (int i = 4; i < good.Length - 4; i++)
        {
            byte[] bad = [.. good];
            bad[i] ^= (byte)(1 << (i % 8));
            Requests.LoadOrRefuse(Requests.For(new BzImageBuilder(bad).Build()));
        }
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("bzip2")]
    [InlineData("lzma")]
    [InlineData("xz")]
    [InlineData("lz4")]
    [InlineData("zstd")]
    public void A_payload_that_holds_more_or_less_than_it_says_goes_to_the_stub(string codec)
    {
        byte[] good = SmallKernel.Payload(codec);
        foreach (int wrong in new[] { -1, 1 })
        {
            byte[] payload = [.. good[..^4], .. SmallKernel.SizeField(SmallKernel.Vmlinux.Length + wrong)];
            using BootImage image = Load(new BzImageBuilder(payload).Build());
            // A stream that stops at the promised size leaves an ELF file that is cut off; that is caught as well.
            Assert.Equal(0x100_0200ul, image.Entry.Rip);
            Contains("left to the kernel's own stub", Assert.Single(image.Notes));
        }
    }

    [Fact]
    public void A_size_that_the_guest_cannot_hold_is_not_even_tried()
    {
        byte[] payload = [.. SmallKernel.Payload("gzip")[..^4], .. SmallKernel.SizeField(0x7fff_ffff)];
        using BootImage image = Load(new BzImageBuilder(payload).Build());

        string note = Assert.Single(image.Notes);
        Contains("gzip, 2147483647 bytes when unpacked, which the guest's RAM does not hold", note);
    }

    [Theory]
    [InlineData(new byte[] { 0x89, (byte)'L', (byte)'Z', (byte)'O', 0, 0, 0, 0 }, "lzo, which MiniVmm cannot unpack")]
    [InlineData(new byte[] { 1, 2, 3, 4, 5, 6, 7, 8 }, "unknown codec (first bytes 01020304)")]
    [InlineData(new byte[] { 1, 2, 3, 4 }, "none (payload_length 4)")]
    public void What_cannot_be_unpacked_goes_to_the_stub(byte[] payload, string reason)
    {
        using BootImage image = Load(new BzImageBuilder(payload).Build());

        Assert.Equal(0x100_0200ul, image.Entry.Rip);
        Contains(reason, Assert.Single(image.Notes));
    }

    [Fact]
    public void A_payload_that_is_no_kernel_goes_to_the_stub()
    {
        using BootImage image = Load(new BzImageBuilder(SmallKernel.Gzip("no kernel"u8.ToArray())).Build());

        Contains("gzip, but no kernel inside", Assert.Single(image.Notes));
    }

    [Fact]
    public void A_payload_outside_the_file_goes_to_the_stub()
    {
        BzImageBuilder builder = new(SmallKernel.Payload("gzip")) { PayloadOffset = uint.MaxValue };
        using BootImage image = Load(builder.Build());

        Contains("runs past the protected-mode code", Assert.Single(image.Notes));
    }

    [Fact]
    public void The_guest_unpacks_when_asked_to()
    {
        byte[] file = new BzImageBuilder(SmallKernel.Payload("gzip")).Build();
        using BootImage image = BootLoader.Load(Requests.For(file, decompression: Decompression.Guest));

        Assert.Equal(0x100_0200ul, image.Entry.Rip);
        LoadSegment kernel = image.Segment("Linux kernel with init_size");
        Assert.Equal((0x100_0000ul, 0x10_0000ul), (kernel.Address, kernel.MemorySize));
        Assert.Equal(file[1024..], kernel.Data.ToArray());
    }

    [Fact]
    public void A_kernel_that_does_not_relocate_is_loaded_at_1_MiB_and_its_memory_is_kept_free()
    {
        BzImageBuilder builder = new(NoPayload) { Relocatable = 0, SetupSectors = 0 };
        using BootImage image = Load(builder.Build());

        LoadSegment kernel = image.Segment("Linux kernel with init_size");
        Assert.Equal((0x10_0000ul, 0x110_0000ul), (kernel.Address, kernel.End));
        Assert.Equal(0x10_0200ul, image.Entry.Rip);
    }

    [Fact]
    public void Boot_params_hold_the_header_and_what_the_loader_says()
    {
        using BootImage image = BootLoader.Load(Requests.For(
            new BzImageBuilder(NoPayload).Build(), 5 * MemoryLayout.GiB, "console=ttyS0", initrd: new byte[5000]));

        LoadSegment page = image.Segment("Linux boot_params");
        Assert.Equal(4096, page.Data.Length);
        Assert.Equal(MemoryLayout.Acpi, U64(page, 0x070));
        Assert.Equal(0xbff00000u / 1024, U32(page, 0x1e0));
        Assert.Equal(0xaa55u, U32(page, 0x1fe) & 0xffff);
        Assert.Equal(0x53726448u, U32(page, 0x202));
        Assert.Equal(0xff, page.Data.Span[0x210]);
        Assert.Equal(0x81, page.Data.Span[0x211]);
        Assert.Equal(0x100_0000u, U32(page, 0x214));
        Assert.Equal(0x10_0000u, U32(page, 0x260));
        // initrd_addr_max is 2 GiB here.
        Assert.Equal((0x7fff_e000u, 5000u), (U32(page, 0x218), U32(page, 0x21c)));
        Assert.Equal(0x7fff_e000ul, image.Segment("initrd").Address);

        LoadSegment line = image.Segment("kernel command line");
        Assert.Equal(line.Address, U32(page, 0x228));
        Assert.Equal("console=ttyS0\0", Encoding.UTF8.GetString(line.Data.Span));

        GuestMemoryMap memory = new(5 * MemoryLayout.GiB);
        Assert.Equal(memory.E820.Count, page.Data.Span[0x1e8]);
        for (int i = 0; i < memory.E820.Count; i++)
        {
            E820Entry entry = memory.E820[i];
            int at = 0x2d0 + 20 * i;
            Assert.Equal((entry.Range.Start, entry.Range.Length), (U64(page, at), U64(page, at + 8)));
            Assert.Equal((uint)entry.Type, U32(page, at + 16));
        }
    }

    [Theory]
    [InlineData(false, "00000000000000000000000000000000")]
    [InlineData(true, "03500000030000001901")] // mode 3, 80 columns, 25 lines, a VGA
    public void Boot_params_tell_of_a_text_screen_where_somebody_sees_it(bool hasScreen, string bytes)
    {
        using BootImage image = BootLoader.Load(
            Requests.For(new BzImageBuilder(NoPayload).Build()) with { HasTextScreen = hasScreen });

        LoadSegment page = image.Segment("Linux boot_params");
        Assert.Equal(bytes, Convert.ToHexStringLower(page.Data.Span.Slice(6, bytes.Length / 2)));
    }

    [Fact]
    public void The_initrd_goes_above_4_GiB_only_where_it_fits_nowhere_below_and_the_kernel_allows_it()
    {
        BzImageBuilder builder = new(NoPayload) { InitrdMax = 0x100_0fff };
        byte[] initrd = new byte[0x1000_0000];
        using BootImage image = BootLoader.Load(Requests.For(builder.Build(), 5 * MemoryLayout.GiB, initrd: initrd));
        LoadSegment page = image.Segment("Linux boot_params");
        Assert.Equal(0x1_7000_0000ul, image.Segment("initrd").Address);
        Assert.Equal((0x7000_0000u, 1u), (U32(page, 0x218), U32(page, 0x0c0)));

        builder.ExtendedFlags = 1;
        Contains("initrd.img: its 268435456 bytes do not fit", Requests.Refusal(
            Requests.For(builder.Build(), size: 5 * MemoryLayout.GiB, initrd: initrd)));
    }

    [Fact]
    public void An_initrd_ends_below_the_kernel_when_it_must()
    {
        // The last address allowed lies inside the kernel.
        BzImageBuilder builder = new(NoPayload) { InitrdMax = 0x100_ffff };
        using BootImage image = BootLoader.Load(Requests.For(builder.Build(), initrd: new byte[100]));

        Assert.Equal(0xff_f000ul, image.Segment("initrd").Address);
    }

    [Fact]
    public void Too_little_memory_is_refused_with_the_amount_that_is_enough()
    {
        string message = Refusal(builder => builder.InitSize = 0x370_0000, size: 16 * MemoryLayout.MiB);

        Contains("it needs at least 71 MiB; --mem 16 MiB is too small", message);
    }

    [Fact]
    public void A_command_line_longer_than_the_kernel_takes_is_refused()
    {
        byte[] file = new BzImageBuilder(NoPayload) { CommandLineSize = 10 }.Build();
        using BootImage image = BootLoader.Load(Requests.For(file, commandLine: "1234567890"));
        Contains("has 11 bytes, more than 10", Requests.Refusal(Requests.For(file, commandLine: "12345678901")));
        Contains("NUL", Requests.Refusal(Requests.For(file, commandLine: "a\0b")));
    }

    [Fact]
    public void Headers_that_cannot_be_used_are_refused_by_name()
    {
        Contains("Linux boot protocol 2.01; the oldest that MiniVmm boots is 2.02", Refusal(
            builder => builder.Version = 0x201));
        Contains("zImage", Refusal(builder => builder.LoadFlags = 0));
        Contains("jump at 0x200", Refusal(builder => builder.Jump = 0x65));
        Contains("jump at 0x200", Refusal(builder => builder.Jump = 0xff));
        Contains("syssize says", Refusal(builder => builder.Paragraphs = 0x1000));
        Contains("syssize says 0x0", Refusal(builder => builder.Paragraphs = 0));
        Contains("no 64-bit entry at 0x200", Refusal(builder => builder.Paragraphs = 0x20));
        Contains("kernel_alignment 0x0", Refusal(builder => builder.Alignment = 0));
        Contains("kernel_alignment 0x300000", Refusal(builder => builder.Alignment = 0x300000));
        Contains("multiple of", Refusal(builder => builder.PreferredAddress = 0x100_1000));
        Contains("is not in RAM", Refusal(builder => builder.PreferredAddress = 0x1_0000_0000));
        Contains("past the end of the address space", Refusal(
            builder => (builder.PreferredAddress, builder.InitSize) = (ulong.MaxValue - 0x1fffff, 0x30_0000)));
        Contains("is not valid", Refusal(builder => (builder.Relocatable, builder.PreferredAddress) = (0, 0)));
        Contains("is not valid", Refusal(
            builder => (builder.Relocatable, builder.PreferredAddress) = (0, ulong.MaxValue)));
    }

    [Theory]
    [InlineData(0x20f, 2, true)]
    [InlineData(0x20b, 3, true)]
    [InlineData(0x20a, 3, false)]
    public void Without_a_64_bit_entry_the_32_bit_one_is_taken(int version, int flags, bool relocatable)
    {
        byte[] file = new BzImageBuilder(SmallKernel.Payload("gzip"))
        {
            Version = (ushort)version,
            ExtendedFlags = (ushort)flags,
            Relocatable = (byte)(relocatable ? 1 : 0),
            Jump = 0x66,
            Code32Start = 0x10_0010,
        }.Build();
        BootRequest request = Requests.For(file, initrd: [1]);
        using BootImage image = BootLoader.Load(request);

        ulong address = relocatable ? 0x100_0000ul : 0x10_0000;
        Assert.Equal(
            new(EntryMode.Protected32, relocatable ? address : 0x10_0010) { Rsi = MemoryLayout.ZeroPage }, image.Entry);
        LoadSegment kernel = image.Segment("Linux kernel with init_size");
        Assert.Equal((address, 0x110_0000ul), (kernel.Address, kernel.End));
        Assert.Equal((uint)address, U32(image.Segment("Linux boot_params"), 0x214));
        Assert.DoesNotContain(image.Segments, segment => segment.Name == "boot page tables");
        Assert.EndsWith("32-bit entry", image.Format, StringComparison.Ordinal);
        AssertSound(image);
    }

    [Theory]
    [InlineData(0x209, 0x56)]
    [InlineData(0x205, 0x33)]
    public void Before_protocol_2_10_a_relocatable_kernel_goes_to_the_next_multiple_of_its_alignment(int version, int jump)
    {
        byte[] file = new BzImageBuilder(NoPayload) { Version = (ushort)version, Jump = (byte)jump }.Build();
        using BootImage image = Load(file);

        LoadSegment kernel = image.Segment("Linux kernel with init_size");
        Assert.Equal((0x20_0000ul, (ulong)kernel.Data.Length), (kernel.Address, kernel.MemorySize));
        Assert.Equal(0x20_0000ul, image.Entry.Rip);
    }

    [Fact]
    public void Before_their_fields_came_the_limits_are_the_protocols()
    {
        byte[] file = new BzImageBuilder(NoPayload) { Version = 0x202, Jump = 0x2a, Paragraphs = 0xffff_ffff }.Build();
        // The bytes behind such a header are code; what they would say must not count.
        file.AsSpan(0x22c, 0x200 - 0x2c).Fill(0xff);
        using BootImage image = BootLoader.Load(Requests.For(file, MemoryLayout.GiB, new string('x', 255), initrd: [1]));

        Assert.Equal(0x37ff_f000ul, image.Segment("initrd").Address);
        Assert.Equal(0x10_0000ul, image.Entry.Rip);
        Contains("has 256 bytes, more than 255", Requests.Refusal(Requests.For(file, commandLine: new string('x', 256))));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(0xf_ffffu)]
    [InlineData(0x10_0240u)]
    [InlineData(0xffff_ffffu)]
    public void An_image_whose_32_bit_entry_is_outside_of_it_is_refused(uint start) =>
        Contains($"code32_start 0x{start:x} is not in the protected-mode code at 0x100000", Refusal(builder =>
            (builder.ExtendedFlags, builder.Relocatable, builder.Code32Start) = (0, 0, start)));

    [Theory]
    [InlineData("6.1.0-37-amd64", "Linux bzImage 2.15, 64-bit entry")]
    [InlineData("Memtest86+ v6.10", "bzImage 2.15, 64-bit entry")]
    public void Only_linux_is_called_so(string version, string format)
    {
        using BootImage image = Load(new BzImageBuilder(NoPayload) { VersionText = version + " (who@where)\e[2J" }.Build());

        Assert.Equal(format, image.Format);
        Assert.Equal($"version: {version}", image.Notes[0]);
    }

    [Fact]
    public void A_version_text_outside_of_the_file_is_none()
    {
        byte[] file = new BzImageBuilder(NoPayload).Build();
        (file[0x20e], file[0x20f]) = (0xff, 0xff);

        Contains("payload:", Assert.Single(Load(file).Notes));
    }

    [Fact]
    public void Setup_code_that_reaches_past_the_file_is_refused()
    {
        byte[] file = new BzImageBuilder(NoPayload).Build();
        file[0x1f1] = 200;

        Contains("setup_sects puts the protected-mode code at 0x19200", Requests.Refusal(file));
    }

    [Fact]
    public void An_entry_above_what_is_mapped_is_refused()
    {
        BzImageBuilder builder = new(NoPayload) { PreferredAddress = 0x1_0000_0000 };

        Contains("above 4 GiB, out of reach at the entry", Requests.Refusal(
            Requests.For(builder.Build(), size: 5 * MemoryLayout.GiB)));
    }
}
