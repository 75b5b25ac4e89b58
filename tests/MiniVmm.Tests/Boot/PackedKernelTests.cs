using K4os.Compression.LZ4;
using MiniVmm.Boot;
using MiniVmm.Boot.Payload;
using MiniVmm.Memory;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Boot;

public sealed class PackedKernelTests
{
    private static readonly byte[] Multiboot = MultibootFiles.Elf().Build();

    public static TheoryData<string> Codecs => ["gzip", "bzip2", "lzma", "xz", "xz, blocks", "lz4", "lz4 frame", "zstd"];

    /// <summary>The small vmlinux as each program compresses it: without the size that the kernel's build appends.</summary>
    private static byte[] Packed(string codec) => codec switch
    {
        "gzip" => SmallKernel.Payload(codec),
        "lz4 frame" => Lz4Frame(SmallKernel.Vmlinux),
        _ => SmallKernel.Payload(codec)[..^4],
    };

    /// <summary>A frame with all optional parts behind a skippable one: one block as it is, one compressed.</summary>
    private static byte[] Lz4Frame(byte[] data)
    {
        byte[] packed = new byte[LZ4Codec.MaximumOutputSize(data.Length)];
        int length = LZ4Codec.Encode(data.AsSpan(100), packed);
        return
        [
            0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7, .. FrameHeader(0x7c), .. SmallKernel.SizeField(data.Length),
            0, 0, 0, 0, 0, .. SmallKernel.SizeField(100 | int.MinValue), .. data[..100], 1, 2, 3, 4,
            .. SmallKernel.SizeField(length), .. packed[..length], 1, 2, 3, 4, 0, 0, 0, 0, 1, 2, 3, 4,
        ];
    }

    private static byte[] FrameHeader(byte flags) => [0x04, 0x22, 0x4d, 0x18, flags, 0x70];

    private static byte[] Unpack(PayloadCodec codec, byte[] stream, int capacity)
    {
        using NativeBuffer unpacked = StreamDecompressors.Unpack(codec, stream, capacity);
        return unpacked.GetSpan().ToArray();
    }

    private static void Contains(string expected, string message) =>
        Assert.Contains(expected, message, StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(Codecs))]
    public void What_each_program_compresses_is_unpacked_whatever_room_there_is(string name)
    {
        byte[] packed = Packed(name);
        // A skippable frame does not say what follows.
        PayloadCodec codec = name == "lz4 frame" ? PayloadCodec.Lz4Frame : PayloadCodecs.Recognise(packed);

        Assert.Equal(SmallKernel.Vmlinux, Unpack(codec, packed, 1 << 20));
        Assert.Equal(SmallKernel.Vmlinux, Unpack(codec, packed, SmallKernel.Vmlinux.Length));
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void A_damaged_or_cut_stream_is_refused_or_unpacked_and_never_worse(string name)
    {
        byte[] good = Packed(name);
        PayloadCodec codec = name == "lz4 frame" ? PayloadCodec.Lz4Frame : PayloadCodecs.Recognise(good);
        for (int i = 0; i < good.Length; i += 3)
        {
            byte[] bad = [.. good];
            bad[i] ^= (byte)(1 << (i % 8));
            foreach (byte[] stream in new[] { bad, good[..i] })
            {
                try
                {
                    Assert.True(Unpack(codec, stream, 4096).Length <= 4096);
                }
                catch (PayloadException refusal)
                {
                    Assert.NotEqual("", refusal.Message);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Codecs))]
    public void A_stream_that_is_cut_off_in_its_middle_is_refused(string name)
    {
        byte[] good = Packed(name);
        PayloadCodec codec = name == "lz4 frame" ? PayloadCodec.Lz4Frame : PayloadCodecs.Recognise(good);

        PayloadException refusal = Assert.Throws<PayloadException>(() => Unpack(codec, good[..(good.Length / 2)], 1 << 20));

        Contains("but unpacking failed", refusal.Message);
    }

    [Fact]
    public void Linked_lz4_blocks_refer_to_what_came_before_them()
    {
        byte[] data = [.. Enumerable.Range(0, 100).Select(i => (byte)i)];
        // One literal; 4 + 15 + 81 bytes from 101 back; five literals.
        byte[] block = [0x1f, (byte)'x', 101, 0, 81, 0x50, 1, 2, 3, 4, 5];
        byte[] frame =
        [
            .. FrameHeader(0x40), 0, .. SmallKernel.SizeField(100 | int.MinValue), .. data,
            .. SmallKernel.SizeField(block.Length), .. block, 0, 0, 0, 0,
        ];

        Assert.Equal([.. data, (byte)'x', .. data, 1, 2, 3, 4, 5], Unpack(PayloadCodec.Lz4Frame, frame, 1000));
    }

    [Fact]
    public void A_compressed_kernel_is_loaded_as_if_it_had_been_given_unpacked()
    {
        using BootImage plain = Requests.Load(Multiboot);
        using BootImage packed = Requests.Load(SmallKernel.Gzip(Multiboot));

        Assert.Equal((plain.Format, plain.Entry), (packed.Format, packed.Entry));
        Assert.Equal(
            plain.Segments.Select(segment => (segment.Name, segment.Address, Convert.ToHexString(segment.Data.Span))),
            packed.Segments.Select(segment => (segment.Name, segment.Address, Convert.ToHexString(segment.Data.Span))));
        Assert.Equal(["unpacked by MiniVmm: gzip, 0.0 MiB → 0.0 MiB", .. plain.Notes], packed.Notes);
    }

    [Fact]
    public void A_multiboot_header_that_shows_through_the_compression_is_not_taken_for_the_files()
    {
        // One run of 600 literals; the header lies at a multiple of 4 in the stream, as in the file inside.
        byte[] kernel = [.. Multiboot, .. new byte[600 - Multiboot.Length]];
        byte[] block = [0xf0, 0xff, 0xff, 600 - 15 - 2 * 0xff, .. kernel];
        byte[] file = [0x02, 0x21, 0x4c, 0x18, .. SmallKernel.SizeField(block.Length), .. block];
        Assert.NotNull(MultibootHeader.Find(file, out _));

        Contains("unpacked by MiniVmm: lz4", Requests.Load(file).Notes[0]);
    }

    [Fact]
    public void A_compressed_bzimage_is_unpacked_twice_and_all_its_memory_given_back()
    {
        byte[] file = SmallKernel.Gzip(new BzImageBuilder(SmallKernel.Payload("zstd")).Build());
        BootImage image = Requests.Load(file);
        LoadSegment text = image.Segment("ELF segment 0");

        Contains("unpacked by MiniVmm: gzip", image.Notes[0]);
        Contains("payload: zstd", image.Notes[1]);
        Assert.Equal(2, image.Unpacked.Count);
        image.Dispose();
        Assert.Throws<ObjectDisposedException>(() => text.Data.Span.Length);
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("zstd")]
    public void What_unpacks_to_more_than_the_guests_ram_is_refused(string codec)
    {
        byte[] zeros = new byte[5 << 20];
        byte[] bomb = codec == "gzip" ? SmallKernel.Gzip(zeros) : new ZstdSharp.Compressor().Wrap(zeros).ToArray();

        Contains("unpacked more than 4 MiB, which the guest's RAM does not hold; give it more with --mem",
            Requests.Refusal(Requests.For(bomb, size: 4 * MemoryLayout.MiB)));
    }

    [Theory]
    [InlineData("gzip")]
    [InlineData("zstd")]
    [InlineData("bzip2")]
    public void What_is_no_kernel_is_named_though_it_is_larger_than_the_guests_ram(string codec)
    {
        byte[] disc = new byte[5 << 20];
        "CD001"u8.CopyTo(disc.AsSpan(0x8001));
        byte[] packed = codec switch
        {
            "gzip" => SmallKernel.Gzip(disc),
            "bzip2" => SmallKernel.Bzip2(disc),
            _ => new ZstdSharp.Compressor().Wrap(disc).ToArray(),
        };

        Assert.StartsWith($"kernel.bin: an ISO 9660 image, compressed with {codec}, not a kernel; unpack it first;",
            Requests.Refusal(Requests.For(packed, size: 4 * MemoryLayout.MiB)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_kernel_that_is_too_large_is_told_what_would_help()
    {
        byte[] text = [.. Multiboot, .. new byte[1024]];
        (text[510], text[511]) = (0x55, 0xaa);
        foreach (byte[] kernel in (byte[][])[text, new BzImageBuilder([]).Build(), new byte[1024]])
        {
            Contains("more than 64 MiB, which the guest's RAM does not hold; give it more with --mem", Refusal(kernel, 1 << 20, 64));
            Contains("more than 2 GiB, which is the most that MiniVmm unpacks", Refusal(kernel, 1 << 30, 8));
        }

        static string Refusal(byte[] start, ulong unit, ulong count) =>
            PackedFile.TooLarge("k.gz", "gzip", start, unit * count, isKernel: true).OnCommandLine();
    }

    [Fact]
    public void What_is_inside_is_named_when_it_is_no_kernel()
    {
        Assert.Equal(
            "kernel.bin: an initramfs (cpio archive), compressed with gzip, not a kernel; give it with --initrd, and a " +
            "kernel with --kernel",
            Requests.Refusal(SmallKernel.Gzip("070701"u8.ToArray())));
        Contains("a qcow2 disk image, compressed with gzip, not a kernel; unpack it first; give it with --disk",
            Requests.Refusal(SmallKernel.Gzip([(byte)'Q', (byte)'F', (byte)'I', 0xfb])));
        Contains("compressed with gzip, and once unpacked not a kernel that MiniVmm knows",
            Requests.Refusal(SmallKernel.Gzip("text"u8.ToArray())));
        Contains("a gzip stream, compressed with gzip, not a kernel; unpack it first",
            Requests.Refusal(SmallKernel.Gzip(SmallKernel.Gzip(Multiboot))));
        Contains("lzo, which MiniVmm cannot unpack; unpack it yourself",
            Requests.Refusal([0x89, (byte)'L', (byte)'Z', (byte)'O', 0, 0xd, 0xa, 0x1a, 0xa]));
        Contains("compressed with xz, but unpacking failed", Requests.Refusal(
            [0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, 1, 2]));
    }
}
