using System.Buffers.Binary;

namespace MiniVmm.Boot;

/// <summary>What a file that is not a kernel is, by its signature, and what to do about it. Pure.</summary>
/// <param name="Name">The kind, with its article: "a qcow2 disk image".</param>
/// <param name="Advice">What to do with such a file; null when there is nothing to say.</param>
/// <param name="HoldsFiles">
/// Whether it is a container: a kernel's header found somewhere in it belongs to a file inside.
/// </param>
/// <param name="IsForeign">Whether it is code for processors that are no x86: a kernel it may well be.</param>
internal sealed record FileKind(string Name, OptionMessage? Advice = null, bool HoldsFiles = false, bool IsForeign = false)
{
    private const int SectorSize = 512;
    private const int BootSignature = 510;

    private static readonly OptionMessage GiveAsDisk = $"give it with {OptionName.Disk}, and a kernel with {OptionName.Kernel}";
    private static readonly OptionMessage GiveAsInitrd =
        $"give it with {OptionName.Initrd}, and a kernel with {OptionName.Kernel}";
    private static readonly OptionMessage GiveAsFirmware = $"give it with {OptionName.Firmware}";
    private static readonly OptionMessage LeaveToFirmware =
        $"UEFI firmware starts it: {OptionName.Firmware} with OVMF, and {OptionName.Disk} or {OptionName.Cdrom} with the medium that it is on";
    private const string GuestsAreX86 = "MiniVmm's guests are x86";
    private const string TakeKernelOut = "take the kernel out of it, and name that";

    private static readonly Signature[] Signatures =
    [
        new(0, [0x51, 0x46, 0x49, 0xfb], new("a qcow2 disk image", GiveAsDisk, true)),
        new(0, "KDMV"u8, new("a VMDK disk image", ConvertDisk("vmdk"), true)),
        new(0, "COWD"u8, new("a VMDK disk image", ConvertDisk("vmdk"), true)),
        new(0, "# Disk DescriptorFile"u8, new("a VMDK disk image's descriptor", ConvertDisk("vmdk"), true)),
        new(0x40, [0x7f, 0x10, 0xda, 0xbe], new("a VDI disk image", ConvertDisk("vdi"), true)),
        new(0, "conectix"u8, new("a VHD disk image", ConvertDisk("vpc"), true)),
        new(0, "vhdxfile"u8, new("a VHDX disk image", ConvertDisk("vhdx"), true)),
        new(0, "QED\0"u8, new("a QED disk image", ConvertDisk("qed"), true)),
        new(0, "WithoutFreeSpace"u8, new("a Parallels disk image", ConvertDisk("parallels"), true)),
        new(0, "WithouFreSpacExt"u8, new("a Parallels disk image", ConvertDisk("parallels"), true)),
        new(0x8001, "CD001"u8, new("an ISO 9660 image", "take the kernel and its initrd out of it, and name those", true)),
        new(0x200, "EFI PART"u8, new("a disk image with a GPT", GiveAsDisk, true)),
        new(0x1000, "EFI PART"u8, new("a disk image with a GPT", GiveAsDisk, true)),
        new(0, "070701"u8, new("an initramfs (cpio archive)", GiveAsInitrd, true)),
        new(0, "070702"u8, new("an initramfs (cpio archive)", GiveAsInitrd, true)),
        new(0, "070707"u8, new("a cpio archive", GiveAsInitrd, true)),
        new(0x101, "ustar"u8, new("a tar archive", TakeKernelOut, true)),
        new(0, "PK\u0003\u0004"u8, new("a zip archive", TakeKernelOut, true)),
        new(0, "!<arch>\ndebian"u8, new("a Debian package", "unpack it with dpkg -x; the kernel is in its boot/", true)),
        new(0, "!<arch>\n"u8, new("a library of object files (.a)", "link it", true)),
        new(0, [0xed, 0xab, 0xee, 0xdb], new("an RPM package", TakeKernelOut, true)),
        new(0, "hsqs"u8, new("a squashfs image", GiveAsDisk, true)),
        new(0x438, [0x53, 0xef], new("an ext2, ext3 or ext4 file system", GiveAsDisk)),
        new(0, [0x27, 0x05, 0x19, 0x56], new("a U-Boot image", TakeKernelOut, true)),
        new(0x38, "ARM\u0064"u8, new("a Linux kernel for AArch64", GuestsAreX86, IsForeign: true)),
        new(0x38, "RSC\u0005"u8, new("a Linux kernel for RISC-V", GuestsAreX86, IsForeign: true)),
        new(0x4, "zimg"u8, new("a compressed Linux kernel (EFI zboot) for another processor", GuestsAreX86, IsForeign: true)),
        new(0, [0xd0, 0x0d, 0xfe, 0xed], new("a device tree or a U-Boot FIT image", TakeKernelOut, true)),
        new(0, [0xcf, 0xfa, 0xed, 0xfe], new("a Mach-O program", "link it as ELF")),
        new(0x28, "_FVH"u8, new("a UEFI firmware image", GiveAsFirmware)),
        new(0, "#!"u8, new("a script", "name a kernel")),
    ];

    /// <summary>The kind of a file that is neither ELF nor a bzImage; null if unknown.</summary>
    public static FileKind? Recognise(ReadOnlySpan<byte> file)
    {
        foreach (Signature signature in Signatures)
        {
            if (signature.Matches(file))
                return signature.Kind;
        }

        return file switch
        {
            [(byte)'M', (byte)'Z', ..] => MzFile(file),
            [0x55, 0xaa, ..] => new("an option ROM (55 aa at 0)", "firmware runs it, from a card of its own; name a kernel"),
            _ when file.Length > BootSignature + 1 && file[BootSignature..].StartsWith((ReadOnlySpan<byte>)[0x55, 0xaa]) =>
                BootSector(file),
            _ when IsBiosRom(file) => new("a BIOS image", GiveAsFirmware),
            _ when file.Length > SectorSize && file[^SectorSize..].StartsWith("conectix"u8) =>
                new("a VHD disk image", ConvertDisk("vpc"), true),
            _ => null,
        };
    }

    /// <summary>The refusal of a file of this kind in a kernel's place.</summary>
    /// <param name="name">The file.</param>
    /// <param name="codec">What it is compressed with; null when it is not.</param>
    public BadInputException Refuse(string name, string? codec)
    {
        string packed = codec is null ? "" : $", compressed with {codec}";
        OptionMessage advice = "";
        if (Advice is not null)
            advice = $"; {Advice}";
        // Linux unpacks an initramfs itself.
        string first = codec is null || Advice == GiveAsInitrd ? "" : "; unpack it first";
        return BadInputException.OfNoKernel($"{name}: {Name}{packed}{(IsForeign ? "" : ", not a kernel")}", $"{first}{advice}");
    }

    private static OptionMessage ConvertDisk(string format) =>
        $"convert it with qemu-img convert -f {format} -O qcow2 for {OptionName.Disk}, and give a kernel with {OptionName.Kernel}";

    /// <summary>
    /// An MZ file: a PE one when its field at 0x3c points to that signature (PE format, "MS-DOS Stub").
    /// </summary>
    private static FileKind MzFile(ReadOnlySpan<byte> file)
    {
        const int coffHeader = 24;
        if (file.Length < 0x40)
            return new("a DOS program (MZ)");
        uint at = BinaryPrimitives.ReadUInt32LittleEndian(file[0x3c..]);
        if (at > (uint)file.Length || (uint)file.Length - at < coffHeader || !file[(int)at..].StartsWith("PE\0\0"u8))
            return new("a DOS program (MZ)");
        ReadOnlySpan<byte> coff = file[(int)at..];
        int sections = BinaryPrimitives.ReadUInt16LittleEndian(coff[6..]);
        int table = coffHeader + BinaryPrimitives.ReadUInt16LittleEndian(coff[20..]);
        for (int i = 0; i < sections && table + (i + 1) * 40 <= coff.Length; i++)
        {
            if (coff[(table + i * 40)..].StartsWith(".linux\0\0"u8))
            {
                return new("an EFI unified kernel image", "take the kernel out with " +
                    "objcopy -O binary -j .linux FILE vmlinuz, and the initrd with -j .initrd");
            }
        }

        return BinaryPrimitives.ReadUInt16LittleEndian(coff[4..]) switch
        {
            0xaa64 => new("an EFI application for AArch64", GuestsAreX86, IsForeign: true),
            0x5032 or 0x5064 => new("an EFI application for RISC-V", GuestsAreX86, IsForeign: true),
            0x01c2 or 0x01c4 => new("an EFI application for 32-bit ARM", GuestsAreX86, IsForeign: true),
            _ => new("a PE/EFI application", LeaveToFirmware),
        };
    }

    /// <summary>55 aa ends a master boot record, a file system's boot sector, or a program for the BIOS.</summary>
    private static FileKind BootSector(ReadOnlySpan<byte> file)
    {
        if (file.Length > SectorSize && HasPartitions(file))
            return new("a disk image with a partition table (MBR)", GiveAsDisk, true);
        return file[54..].StartsWith("FAT"u8) || file[82..].StartsWith("FAT32"u8) || file[3..].StartsWith("NTFS"u8)
            ? new("a disk image with a FAT or NTFS file system", GiveAsDisk, true)
            : new("a boot sector (55 aa at 510)");
    }

    /// <summary>Four entries of 16 bytes at 0x1be: flags 0x80 or 0, and at least one with a type and sectors.</summary>
    internal static bool HasPartitions(ReadOnlySpan<byte> file)
    {
        bool used = false;
        for (int at = 0x1be; at < BootSignature; at += 16)
        {
            if (file[at] is not (0 or 0x80))
                return false;
            used |= file[at + 4] != 0 && BinaryPrimitives.ReadUInt32LittleEndian(file[(at + 12)..]) != 0;
        }

        return used;
    }

    /// <summary>
    /// A power of two from 64 KiB to 16 MiB, with a far jump where a processor starts: 16 bytes before the end.
    /// </summary>
    private static bool IsBiosRom(ReadOnlySpan<byte> file) =>
        file.Length is >= 0x1_0000 and <= 0x100_0000 && int.IsPow2(file.Length) && file[^16] == 0xea;

    /// <summary>Bytes at an offset that identify a kind.</summary>
    private sealed class Signature(int offset, ReadOnlySpan<byte> bytes, FileKind kind)
    {
        private readonly byte[] _bytes = bytes.ToArray();

        public FileKind Kind { get; } = kind;

        public bool Matches(ReadOnlySpan<byte> file) => file.Length > offset && file[offset..].StartsWith(_bytes);
    }
}
