using System.Buffers.Binary;
using MiniVmm.Memory;

namespace MiniVmm.Boot;

/// <summary>What a file boots as that has no kernel which MiniVmm enters itself, but code that a BIOS loads.</summary>
internal enum BootMedium
{
    None,

    /// <summary>A boot sector, alone or at the start of a floppy.</summary>
    Floppy,

    /// <summary>A boot sector on a larger disk.</summary>
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

    private const int CdSector = 2048;
    private const int BootRecord = 17 * CdSector;
    private const int SignatureOffset = 510;

    // The setup header (Documentation/arch/x86/boot.rst).
    private const int SetupMagic = 0x202, SetupVersion = 0x206, Code32Start = 0x214, Relocatable = 0x234, SetupEnd = 0x238;
    private const ushort FirstRelocatable = 0x205;

    /// <summary>Looks at the start of a file.</summary>
    /// <param name="head">Its first <see cref="HeadLength"/> bytes, or all of it.</param>
    /// <param name="length">Its bytes in all.</param>
    public static BootMedium Recognise(ReadOnlySpan<byte> head, long length)
    {
        if (head.Length >= BootRecord + CdSector && head[(BootRecord + 1)..].StartsWith("CD001\u0001EL TORITO SPECIFICATION"u8))
            return BootMedium.Cd;

        if (head.Length >= SetupEnd && head[SetupMagic..].StartsWith("HdrS"u8) && IsRealMode(head))
            return BootMedium.RealModeKernel;

        // Code: of zeroes before the signature nothing could be booted.
        if (head.Length < SignatureOffset + 2 || !head[SignatureOffset..].StartsWith((ReadOnlySpan<byte>)[0x55, 0xaa]) || head[0] == 0)
            return BootMedium.None;
        return length <= LargestFloppy ? BootMedium.Floppy : BootMedium.Disk;
    }

    /// <summary>Whether there is no 32-bit entry where the code that has one would be.</summary>
    private static bool IsRealMode(ReadOnlySpan<byte> head)
    {
        ushort version = BinaryPrimitives.ReadUInt16LittleEndian(head[SetupVersion..]);
        bool moves = version >= FirstRelocatable && head[Relocatable] != 0;
        return version >= 0x200 && !moves && BinaryPrimitives.ReadUInt32LittleEndian(head[Code32Start..]) < MemoryLayout.HighMemory;
    }
}
