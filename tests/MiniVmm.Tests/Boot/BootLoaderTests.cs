using System.Text;
using CsCheck;
using MiniVmm.Boot;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Boot;

public sealed class BootLoaderTests
{
    private static byte[] Sample(string kind) => kind switch
    {
        "multiboot, ELF32" => MultibootFiles.Elf().Build(),
        "multiboot, ELF64" => MultibootFiles.Elf(is64: true).Build(),
        "multiboot, flat" => MultibootFiles.Flat(bssEnd: 0x201000),
        "multiboot 2, ELF32" => Multiboot2Files.Elf().Build(),
        "multiboot 2, ELF64" => Multiboot2Files.Elf(is64: true).Build(),
        "multiboot 2, flat" => Multiboot2Files.Flat(),
        "multiboot 2, relocatable" => Multiboot2Files.Elf(
            tags: Multiboot2Files.Tag(10, 0x200000, 0x3ffffff, 0x200000, 2)).Build(),
        "Limine" => LimineFiles.Elf(
            LimineFiles.Request(LimineFiles.Map), LimineFiles.Request(LimineFiles.Processors),
            LimineFiles.Request(LimineFiles.Modules), LimineFiles.Request(LimineFiles.Stack, 0, 0x20000),
            LimineFiles.Request(LimineFiles.Entry, 0, LimineFiles.Base), LimineFiles.Revision(6)).Build(),
        "ELF32" => new ElfBuilder(false).With(0x100000, [0xf4], memorySize: 0x1000).Build(),
        "ELF64" => new ElfBuilder(true).With(0x100000, [0xf4], memorySize: 0x1000).Build(),
        "PVH, ELF32" => new ElfBuilder(false).With(0x100000, [0xf4, 0, 0, 0]).WithPvhNote(0x100000).Build(),
        "PVH, ELF64" => new ElfBuilder(true).With(0x100000, [0xf4, 0, 0, 0]).WithPvhNote(0x100000, 8).Build(),
        "vmlinux" => new ElfBuilder(true) { Entry = 0x100_0000 }
            .With(0x100_0000, [0xf4, 0x90, 0, 0], 0x1000, 0xffff_ffff_8100_0000)
            .With(0x101_0000, "Linux version 6.1"u8.ToArray()).Build(),
        "bzImage" => new BzImageBuilder(SmallKernel.Payload("gzip")).Build(),
        "bzImage, 32-bit" => new BzImageBuilder([]) { ExtendedFlags = 0 }.Build(),
        "bzImage, protocol 2.02" => new BzImageBuilder([]) { Version = 0x202, Jump = 0x2a }.Build(),
        "multiboot, gzip" => SmallKernel.Gzip(MultibootFiles.Elf().Build()),
        "bzImage, stub" => new BzImageBuilder([]).Build(),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>Whether a kernel learns of files: one without a protocol does not.</summary>
    private static bool IsTold(string kind) => !kind.StartsWith("ELF", StringComparison.Ordinal);

    public static TheoryData<string> Kinds =>
    [
        "multiboot, ELF32", "multiboot, ELF64", "multiboot, flat", "multiboot 2, ELF32", "multiboot 2, ELF64",
        "multiboot 2, flat", "multiboot 2, relocatable", "Limine", "ELF32", "ELF64", "PVH, ELF32", "PVH, ELF64", "vmlinux", "bzImage",
        "bzImage, stub", "bzImage, 32-bit", "bzImage, protocol 2.02", "multiboot, gzip",
    ];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Each_kind_is_recognised_and_sound(string kind)
    {
        BootRequest request = Requests.For(Sample(kind), initrd: IsTold(kind) ? new byte[4097] : null);
        using BootImage image = BootLoader.Load(request);

        Requests.AssertSound(image);
        Assert.Contains(kind.Split(',')[0], image.Format, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Cut_off_at_any_length_a_file_is_loaded_or_refused(string kind)
    {
        byte[] file = Sample(kind);
        for (int length = 0; length < file.Length; length++)
            Requests.LoadOrRefuse(Requests.For(file[..length]));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void With_bytes_changed_a_file_is_loaded_or_refused(string kind)
    {
        byte[] good = Sample(kind);
        // Where the fields are; the payload has tests of its own.
        int head = Math.Min(good.Length, 0x300);
        byte[] extremes = [0, 1, 0x7f, 0x80, 0xff];
        Gen<byte> value = Gen.OneOf(Gen.Byte, Gen.Int[0, extremes.Length - 1].Select(i => extremes[i]));
        Gen<(int At, byte Value)> change = Gen.Select(Gen.Int[0, head - 1], value);
        change.Array[1, 6].Sample(
            changes =>
            {
                byte[] file = [.. good];
                foreach ((int at, byte value) in changes)
                    file[at] = value;
                Requests.LoadOrRefuse(Requests.For(file, initrd: [1, 2, 3]));
            },
            iter: 3000,
            threads: 1);
    }

    [Fact]
    public void Any_bytes_at_all_are_loaded_or_refused() =>
        Gen.Byte.Array[0, 2000].Sample(bytes => Requests.LoadOrRefuse(Requests.For(bytes)), iter: 500, threads: 1);

    [Fact]
    public void An_unknown_file_is_refused_with_every_format_tried() =>
        Assert.Equal(
            "kernel.bin: not a kernel that MiniVmm knows (Linux bzImage: no HdrS at 0x202; " +
            "multiboot: no header in the first 8 KiB; multiboot 2: no header in the first 32 KiB; ELF: no magic); code without a header needs --format flat16|flat32|flat64",
            Requests.Refusal("some text\n"u8.ToArray()));

    [Fact]
    public void An_elf_file_that_cannot_be_entered_is_refused_with_the_reason_for_each() =>
        Assert.Equal(
            "kernel.bin: an ELF file that MiniVmm cannot enter (multiboot 1: no header in the first 8 KiB; " +
            "multiboot 2: no header in the first 32 KiB; PVH: no PHYS32_ENTRY note; Linux: 32-bit; without a protocol: " +
            "linked to 0xc0100000 but loaded at 0x100000, and nobody would map it); a kernel needs a multiboot header or a " +
            "PVH note, or is linked to where it is loaded",
            Requests.Refusal(new ElfBuilder(false).With(0x100000, [0xf4], virtualAddress: 0xc010_0000).Build()));

    [Theory]
    [InlineData(3, 0x100000ul, "Linux version 6.1", "Linux: position-independent")]
    [InlineData(3, 0x100000ul, "my kernel", "without a protocol: position-independent, and nobody would relocate it")]
    [InlineData(2, 0xffff_ffff_8000_0000ul, "my kernel", "Linux: no text")]
    public void A_64_bit_elf_file_that_is_no_linux_kernel_is_not_entered_as_one(
        int type, ulong address, string text, string reason)
    {
        ElfBuilder elf = new(true) { Type = (ushort)type, Entry = address };
        string message = Requests.Refusal(elf.With(address, [0xf4, .. Encoding.UTF8.GetBytes(text)]).Build());

        Assert.Contains(reason, message, StringComparison.Ordinal);
        Assert.EndsWith("a kernel needs a multiboot header or a PVH note, or is linked to where it is loaded", message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Modules_go_to_those_kernels_that_take_them(string kind)
    {
        BootRequest request = Requests.For(
            Sample(kind), initrd: [1, 2, 3], modules: [Requests.Module("module.img words", [4, 5])]);
        if (!IsTold(kind))
        {
            Assert.StartsWith("kernel.bin, an ELF file without a header for a boot loader, cannot be told of initrd.img",
                Requests.Refusal(request), StringComparison.Ordinal);
        }
        else if (kind == "Limine" || kind.StartsWith("multiboot", StringComparison.Ordinal) || kind.StartsWith("PVH", StringComparison.Ordinal))
        {
            using BootImage image = BootLoader.Load(request);
            Requests.AssertSound(image);
        }
        else
        {
            Assert.StartsWith("module.img: kernel.bin is entered by the Linux boot protocol, which has no modules",
                Requests.Refusal(request), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("vmlinux")]
    [InlineData("PVH, ELF64")]
    public void Several_initrds_are_joined_each_at_a_multiple_of_4(string kind)
    {
        BootRequest request = Requests.For(Sample(kind)) with
        {
            Initrds = [Requests.Module("initrd.img", [1, 2, 3, 4, 5]), Requests.Module("b.img", [6])],
        };
        using BootImage image = BootLoader.Load(request);

        Assert.Equal([1, 2, 3, 4, 5, 0, 0, 0, 6], image.Segment("initrd").Data.ToArray());
        Assert.Contains("the words after it (\"quiet\") are for a multiboot kernel", Requests.Refusal(
            request with { Initrds = [Requests.Module("initrd.img quiet", [1])] }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_vmlinux_gets_a_made_up_setup_header_and_the_64_bit_entry()
    {
        using BootImage image = Requests.Load(Sample("vmlinux"));

        EntryState entry = new(EntryMode.Long64, 0x100_0000)
        {
            Rsi = MemoryLayout.ZeroPage,
            PageTable = MemoryLayout.PageTables,
        };
        Assert.Equal(entry, image.Entry);
        ReadOnlySpan<byte> page = image.Segment("Linux boot_params").Data.Span;
        Assert.Equal([0x55, 0xaa], page[0x1fe..0x200].ToArray());
        Assert.Equal("HdrS"u8.ToArray(), page[0x202..0x206].ToArray());
        Assert.Equal([0x0c, 0x02], page[0x206..0x208].ToArray());
    }

    [Fact]
    public void Too_little_memory_for_a_vmlinux_names_what_the_highest_segment_needs() =>
        Assert.Contains("it needs at least 17 MiB; --mem 4 MiB is too small", Requests.Refusal(
            Requests.For(Sample("vmlinux"), size: 4 * MemoryLayout.MiB)), StringComparison.Ordinal);
}
