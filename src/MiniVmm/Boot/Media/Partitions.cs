using System.Buffers.Binary;

namespace MiniVmm.Boot.Media;

/// <summary>The partitions of a disk image: a GPT's, else those of a master boot record (UEFI 2.10, 5.2 and 5.3).</summary>
internal static class Partitions
{
    private const int Sector = 512;
    private const int MostEntries = 256;

    /// <summary>Their parts of the image, in their order; those that do not lie in it are left out.</summary>
    public static IEnumerable<MediaView> Of(MediaView disk) => OfGpt(disk) ?? OfMbr(disk);

    private static List<MediaView>? OfGpt(MediaView disk)
    {
        if (disk.Read(Sector, Sector) is not { } header || !header.AsSpan().StartsWith("EFI PART"u8))
            return null;
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(header.AsSpan(72));
        uint count = Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(80)), MostEntries);
        uint size = BinaryPrimitives.ReadUInt32LittleEndian(header.AsSpan(84));
        if (size is < 128 or > 4096 || table > long.MaxValue / Sector
            || disk.Read((long)table * Sector, (int)(count * size)) is not { } entries)
            return [];
        List<MediaView> parts = [];
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> entry = entries.AsSpan(i * (int)size, (int)size);
            ulong first = BinaryPrimitives.ReadUInt64LittleEndian(entry[32..]);
            ulong last = BinaryPrimitives.ReadUInt64LittleEndian(entry[40..]);
            if (entry[..16].IndexOfAnyExcept((byte)0) >= 0 && last >= first && last < long.MaxValue / Sector)
                Add(parts, disk, (long)first, (long)(last - first) + 1);
        }

        return parts;
    }

    private static List<MediaView> OfMbr(MediaView disk)
    {
        List<MediaView> parts = [];
        if (disk.Read(0, Sector) is not [.., 0x55, 0xaa] record)
            return parts;
        for (int at = 0x1be; at < 0x1fe; at += 16)
        {
            if (record[at + 4] != 0)
            {
                Add(parts, disk, BinaryPrimitives.ReadUInt32LittleEndian(record.AsSpan(at + 8)),
                    BinaryPrimitives.ReadUInt32LittleEndian(record.AsSpan(at + 12)));
            }
        }

        return parts;
    }

    private static void Add(List<MediaView> parts, MediaView disk, long first, long count)
    {
        // The last partition of an image that was cut off is still of use.
        long start = first * Sector;
        long length = Math.Min(count * Sector, disk.Length - start);
        if (first > 0 && length > 0 && disk.Part(start, length) is { } part)
            parts.Add(part);
    }
}
