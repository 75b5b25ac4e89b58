using System.Text;
using MiniVmm.Boot;

namespace MiniVmm.Tests.Boot;

public sealed class FileKindTests
{
    /// <summary>A file of zeros with some bytes at some offsets.</summary>
    private static byte[] File(int length, params (int At, string Text)[] pieces)
    {
        byte[] file = new byte[length];
        foreach ((int at, string text) in pieces)
            Encoding.Latin1.GetBytes(text).CopyTo(file, at);
        return file;
    }

    private static byte[] Pe(params string[] sections) => Pe(0x8664, sections);

    private static byte[] Pe(ushort machine, params string[] sections)
    {
        byte[] file = File(0x400, (0, "MZ"), (0x3c, "\x80"), (0x80, "PE\0\0"), (0x94, "\xf0"));
        (file[0x84], file[0x85], file[0x86]) = ((byte)machine, (byte)(machine >> 8), (byte)sections.Length);
        for (int i = 0; i < sections.Length; i++)
            Encoding.ASCII.GetBytes(sections[i]).CopyTo(file, 0x80 + 24 + 0xf0 + i * 40);
        return file;
    }

    private static byte[] Sample(string kind) => kind switch
    {
        "a qcow2 disk image" => File(600, (0, "QFI\xfb\0\0\0\x3")),
        "a VMDK disk image" => File(600, (0, "KDMV")),
        "a VMDK disk image's descriptor" => File(600, (0, "# Disk DescriptorFile\n")),
        "a VDI disk image" => File(600, (0, "<<< Oracle VM VirtualBox Disk Image >>>"), (0x40, "\x7f\x10\xda\xbe")),
        "a VHD disk image" => File(2048, (1536, "conectix")),
        "a VHDX disk image" => File(600, (0, "vhdxfile")),
        "a QED disk image" => File(600, (0, "QED\0")),
        "a Parallels disk image" => File(600, (0, "WithouFreSpacExt")),
        "an ISO 9660 image" => File(0x9000, (0x8001, "CD001"), (510, "\x55\xaa"), (0x1c2, "\x17"), (0x1ca, "\x1")),
        "a disk image with a GPT" => File(1024, (510, "\x55\xaa"), (512, "EFI PART")),
        "a disk image with a partition table (MBR)" =>
            File(1024, (510, "\x55\xaa"), (0x1be, "\x80"), (0x1c2, "\x83"), (0x1ca, "\x1")),
        "a disk image with a FAT or NTFS file system" => File(1024, (510, "\x55\xaa"), (54, "FAT16   ")),
        "a boot sector (55 aa at 510)" => File(512, (0, "\xeb\xfe"), (510, "\x55\xaa")),
        "an ext2, ext3 or ext4 file system" => File(2048, (0x438, "\x53\xef")),
        "a squashfs image" => File(600, (0, "hsqs")),
        "an initramfs (cpio archive)" => File(600, (0, "070701")),
        "a tar archive" => File(600, (0, "boot/vmlinuz"), (257, "ustar")),
        "a zip archive" => File(600, (0, "PK\x3\x4")),
        "a Debian package" => File(600, (0, "!<arch>\ndebian-binary")),
        "a library of object files (.a)" => File(600, (0, "!<arch>\n/")),
        "an RPM package" => File(600, (0, "\xed\xab\xee\xdb")),
        "a U-Boot image" => File(600, (0, "\x27\x05\x19\x56")),
        "a PE/EFI application" => Pe(".text", ".data"),
        "an EFI unified kernel image" => Pe(".text", ".linux"),
        "a DOS program (MZ)" => File(600, (0, "MZ"), (0x3c, "\xff\xff\xff\xff")),
        "an option ROM (55 aa at 0)" => File(512, (0, "\x55\xaa\x1")),
        "a BIOS image" => File(0x10000, (0xfff0, "\xea")),
        "a UEFI firmware image" => File(600, (0x28, "_FVH")),
        "a Linux kernel for AArch64" => File(600, (0, "MZ"), (0x38, "ARM\x64")),
        "a Linux kernel for RISC-V" => File(600, (0x38, "RSC\x5")),
        "an EFI application for AArch64" => Pe(0xaa64, ".text"),
        "an EFI application for RISC-V" => Pe(0x5064, ".text"),
        "an EFI application for 32-bit ARM" => Pe(0x01c2, ".text"),
        "a compressed Linux kernel (EFI zboot) for another processor" => File(600, (0, "MZ\0\0zimg")),
        "a device tree or a U-Boot FIT image" => File(600, (0, "\xd0\x0d\xfe\xed")),
        "a Mach-O program" => File(600, (0, "\xcf\xfa\xed\xfe")),
        "a script" => Encoding.ASCII.GetBytes("#!/bin/sh\nexec qemu-system-x86_64\n"),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    public static TheoryData<string> Kinds =>
    [
        "a qcow2 disk image", "a VMDK disk image", "a VMDK disk image's descriptor", "a VDI disk image",
        "a VHD disk image", "a VHDX disk image", "a QED disk image", "a Parallels disk image", "an ISO 9660 image",
        "a disk image with a GPT", "a disk image with a partition table (MBR)",
        "a disk image with a FAT or NTFS file system", "a boot sector (55 aa at 510)",
        "an ext2, ext3 or ext4 file system", "a squashfs image", "an initramfs (cpio archive)", "a tar archive",
        "a zip archive", "a Debian package", "a library of object files (.a)", "an RPM package", "a U-Boot image",
        "a PE/EFI application", "an EFI unified kernel image", "a DOS program (MZ)", "an option ROM (55 aa at 0)",
        "a BIOS image", "a UEFI firmware image", "a Linux kernel for AArch64", "a Linux kernel for RISC-V", "a script",
        "an EFI application for AArch64", "an EFI application for RISC-V", "an EFI application for 32-bit ARM",
        "a compressed Linux kernel (EFI zboot) for another processor", "a device tree or a U-Boot FIT image", "a Mach-O program",
    ];

    /// <summary>All but those whose signature is at the end of the file.</summary>
    public static TheoryData<string> KindsKnownByTheirStart =>
        [.. Kinds.Select(row => row.Data).Except(["a VHD disk image", "a BIOS image"])];

    private static string Named(string kind) =>
        $"kernel.bin: {kind}" + (FileKind.Recognise(Sample(kind))!.IsForeign ? "; MiniVmm's guests are x86" : ", not a kernel");

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_is_no_kernel_is_named_for_what_it_is(string kind)
    {
        byte[] file = Sample(kind);

        Assert.Equal(kind, FileKind.Recognise(file)?.Name);
        Assert.StartsWith(Named(kind), Requests.Refusal(file), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Cut_off_at_any_length_a_file_is_still_only_refused(string kind)
    {
        byte[] file = Sample(kind);
        foreach (int length in Enumerable.Range(0, Math.Min(file.Length, 0x500)))
            Assert.StartsWith("kernel.bin: ", Requests.Refusal(file[..length]), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(KindsKnownByTheirStart))]
    public void A_stray_multiboot_header_does_not_change_what_a_file_is(string kind)
    {
        byte[] file = [.. Sample(kind), .. new byte[64]];
        MultibootFiles.Header(MultibootFiles.PageAlignAndMemory).CopyTo(file, file.Length - 32 & ~3);

        Assert.StartsWith(Named(kind), Requests.Refusal(file), StringComparison.Ordinal);
    }

    // GRUB's core image has a header with addresses, and lies in a disk's first sectors.
    [Theory]
    [InlineData("a disk image with a partition table (MBR)")]
    [InlineData("an ISO 9660 image")]
    [InlineData("a qcow2 disk image")]
    public void A_boot_loader_on_a_disk_is_not_entered_as_a_kernel(string kind)
    {
        byte[] file = [.. Sample(kind)];
        MultibootFiles.Header(MultibootFiles.HasAddresses, 0x100100, 0x100000, 0, 0, 0x100000).CopyTo(file, 256);

        Assert.StartsWith(Named(kind), Requests.Refusal(file), StringComparison.Ordinal);
    }

    [Fact]
    public void A_multiboot_kernel_that_is_also_a_boot_sector_stays_one()
    {
        byte[] kernel = [.. MultibootFiles.Flat(), .. new byte[1024]];
        (kernel[510], kernel[511]) = (0x55, 0xaa);

        Assert.StartsWith("multiboot 1", Requests.Load(kernel).Format, StringComparison.Ordinal);
    }

    // A machine may have firmware: nothing says that there is none.
    [Theory]
    [MemberData(nameof(Kinds))]
    public void No_advice_denies_what_options_give(string kind) =>
        Assert.DoesNotContain("without firmware", Requests.Refusal(Sample(kind)), StringComparison.Ordinal);

    [Fact]
    public void The_advice_says_what_to_do()
    {
        Assert.EndsWith("; give it with --disk, and a kernel with --kernel", Requests.Refusal(
            Sample("a qcow2 disk image")), StringComparison.Ordinal);
        Assert.EndsWith("; give it with --initrd, and a kernel with --kernel", Requests.Refusal(
            Sample("an initramfs (cpio archive)")), StringComparison.Ordinal);
        Assert.EndsWith("; give it with --firmware", Requests.Refusal(Sample("a BIOS image")), StringComparison.Ordinal);
        Assert.EndsWith("; give it with --firmware", Requests.Refusal(Sample("a UEFI firmware image")), StringComparison.Ordinal);
        Assert.Contains("--firmware with OVMF", Requests.Refusal(Sample("a PE/EFI application")), StringComparison.Ordinal);
        Assert.Contains("qemu-img convert -f vpc -O qcow2", Requests.Refusal(
            Sample("a VHD disk image")), StringComparison.Ordinal);
    }
}
