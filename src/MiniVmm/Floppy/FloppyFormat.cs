namespace MiniVmm.Floppy;

/// <summary>How a floppy is divided.</summary>
/// <param name="Cylinders">Of the disk.</param>
/// <param name="Sectors">Of a track, 512 bytes each; there are two heads.</param>
/// <param name="CmosType">The drive for it as CMOS memory has it.</param>
internal readonly record struct FloppyFormat(int Cylinders, int Sectors, byte CmosType)
{
    public const int Heads = 2;
    public const int SectorSize = 512;

    private static readonly FloppyFormat[] Known =
        [new(40, 9, 1), new(80, 9, 3), new(80, 15, 2), new(80, 18, 4), new(80, 36, 5)];

    /// <summary>Bytes of the disk.</summary>
    public ulong Length => (ulong)(Cylinders * Heads * Sectors * SectorSize);

    /// <summary>
    /// The format of an image: by its length, or 1.44 MB for one that is shorter, as assemblers leave them: what is missing
    /// reads as zeroes. Null for what is larger than any.
    /// </summary>
    public static FloppyFormat? Of(ulong length)
    {
        foreach (FloppyFormat format in Known)
        {
            if (format.Length == length)
                return format;
        }

        foreach (FloppyFormat format in (ReadOnlySpan<FloppyFormat>)[Known[3], Known[4]])
        {
            if (length < format.Length)
                return format;
        }

        return null;
    }

    /// <summary>The number of a sector, from 0 on; null where there is none.</summary>
    public int? Sector(int cylinder, int head, int sector) =>
        cylinder < Cylinders && head < Heads && sector >= 1 && sector <= Sectors
            ? (((cylinder * Heads) + head) * Sectors) + sector - 1
            : null;
}
