using System.Buffers.Binary;
using MiniVmm.Boot.Payload;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>What a file boots as that has no kernel which MiniVmm enters itself, but code that a BIOS loads.</summary>
internal enum BootMedium
{
    None,

    /// <summary>A floppy with a boot sector.</summary>
    Floppy,

    /// <summary>A boot sector, alone or on a disk, as QEMU takes every file that it is given.</summary>
    Disk,

    /// <summary>An ISO 9660 image with a boot record (El Torito 1.0).</summary>
    Cd,

    /// <summary>A program in a bzImage that starts in real mode, as a boot loader enters it, and calls the BIOS: iPXE's, for one.</summary>
    RealModeKernel,
}

/// <summary>Finds out which; pure.</summary>
internal static class BootMedia
{
    /// <summary>Bytes of a file's start that are looked at.</summary>
    public const int HeadLength = 0x9000;

    /// <summary>The largest floppy, 2880 KiB.</summary>
    private const long LargestFloppy = 2880 * 1024;

    private const int FloppySector = 512;
    private const int CdSector = 2048;
    private const int BootRecord = 17 * CdSector;
    private const int SignatureOffset = 510;

    // A FAT volume's boot record (Microsoft FAT specification 1.03, "Boot Sector and BPB").
    private const int SectorBytes = 11, FatCount = 16, MediaByte = 21, FatSectors = 22;

    // The setup header (Documentation/arch/x86/boot.rst).
    private const int SetupVersion = 0x206, Code32Start = 0x214, Relocatable = 0x234, SetupEnd = 0x238;
    private const ushort FirstRelocatable = 0x205;

    /// <summary>Looks at the start of a file.</summary>
    /// <param name="head">Its first <see cref="HeadLength"/> bytes, or all of it.</param>
    /// <param name="length">Its bytes in all.</param>
    public static BootMedium Recognise(ReadOnlySpan<byte> head, long length)
    {
        if (head.Length >= BootRecord + CdSector && head[(BootRecord + 1)..].StartsWith("CD001\u0001EL TORITO SPECIFICATION"u8))
            return BootMedium.Cd;

        // A bzImage has 55 aa at 510 as well, and behind it no code for a BIOS to begin with.
        if (LinuxSetupHeader.HasMagic(head))
            return head.Length >= SetupEnd && IsRealMode(head) ? BootMedium.RealModeKernel : BootMedium.None;
        // Chance, in these.
        if (ElfFile.HasMagic(head) || PayloadCodecs.Recognise(head) != PayloadCodec.Unknown)
            return BootMedium.None;

        // Code: of zeroes before the signature nothing could be booted.
        if (head.Length < SignatureOffset + 2 || !head[SignatureOffset..].StartsWith((ReadOnlySpan<byte>)[0x55, 0xaa]) || head[0] == 0)
            return BootMedium.None;
        return IsFloppy(head, length) ? BootMedium.Floppy : BootMedium.Disk;
    }

    // The lengths are those of FloppyFormat, which is in a room above.
    /// <summary>Whether it has a floppy's length, or a FAT volume of a floppy's kind that is shorter, as assemblers leave it.</summary>
    private static bool IsFloppy(ReadOnlySpan<byte> head, long length) =>
        length is 360 * 1024 or 720 * 1024 or 1200 * 1024 or 1440 * 1024 or LargestFloppy
        || (length < LargestFloppy
            && BinaryPrimitives.ReadUInt16LittleEndian(head[SectorBytes..]) == FloppySector
            && head[FatCount] is 1 or 2
            && head[MediaByte] is 0xf0 or 0xf9 or 0xfd
            && BinaryPrimitives.ReadUInt16LittleEndian(head[FatSectors..]) != 0
            && !FileKind.HasPartitions(head));

    /// <summary>Whether there is no 32-bit entry where the code that has one would be.</summary>
    private static bool IsRealMode(ReadOnlySpan<byte> head)
    {
        ushort version = BinaryPrimitives.ReadUInt16LittleEndian(head[SetupVersion..]);
        bool moves = version >= FirstRelocatable && head[Relocatable] != 0;
        return version >= 0x200 && !moves && BinaryPrimitives.ReadUInt32LittleEndian(head[Code32Start..]) < MemoryLayout.HighMemory;
    }
}
