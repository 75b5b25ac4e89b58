namespace MiniVmm.Ide;

/// <summary>Cylinders, heads and sectors, as old programs count a disk.</summary>
/// <param name="Cylinders">2 to 16383.</param>
/// <param name="Heads">1 to 16.</param>
/// <param name="Sectors">Of a track, 1 to 255.</param>
internal readonly record struct DiskGeometry(int Cylinders, int Heads, int Sectors)
{
    private const int MostCylinders = 16383; // what a disk says that is larger (ATA/ATAPI-6, 6.2)

    /// <summary>What a disk of so many sectors says: two cylinders at least, as in QEMU, so that each of a small one's has a place.</summary>
    public static DiskGeometry Of(ulong sectors) => new((int)Math.Clamp(sectors / (16 * 63), 2, MostCylinders), 16, 63);

    /// <summary>The number of a sector; null for one that cannot be.</summary>
    public ulong? Sector(int cylinder, int head, int sector) => sector >= 1 && sector <= Sectors && head < Heads
        ? (((ulong)cylinder * (ulong)Heads + (ulong)head) * (ulong)Sectors) + (ulong)sector - 1
        : null;
}
