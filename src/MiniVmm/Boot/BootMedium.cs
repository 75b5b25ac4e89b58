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

    /// <summary>Looks at the start of a file.</summary>
    /// <param name="head">Its first <see cref="HeadLength"/> bytes, or all of it.</param>
    /// <param name="length">Its bytes in all.</param>
    public static BootMedium Recognise(ReadOnlySpan<byte> head, long length)
    {
        if (head.Length >= BootRecord + CdSector && head[(BootRecord + 1)..].StartsWith("CD001\u0001EL TORITO SPECIFICATION"u8))
            return BootMedium.Cd;

        // Code: of zeroes before the signature nothing could be booted.
        if (head.Length < SignatureOffset + 2 || !head[SignatureOffset..].StartsWith((ReadOnlySpan<byte>)[0x55, 0xaa]) || head[0] == 0)
            return BootMedium.None;
        return length <= LargestFloppy ? BootMedium.Floppy : BootMedium.Disk;
    }
}
