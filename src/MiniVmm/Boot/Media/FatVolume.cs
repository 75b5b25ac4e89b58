using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Boot.Media;

/// <summary>
/// A FAT12, FAT16 or FAT32 file system with long names (Microsoft's FAT specification, 1.03). Chains of clusters are followed
/// for as long as a file is, and never twice through the table.
/// </summary>
internal sealed class FatVolume : IMediaVolume
{
    private const int EntrySize = 32;
    private const int MostDirectory = 4 << 20;
    private const byte Directory = 1 << 4;
    private const byte Label = 1 << 3;
    private const byte LongName = 0x0f;

    private readonly MediaView _image;
    private readonly byte[] _table;
    private readonly int _bits;
    private readonly int _clusterSize;
    private readonly long _dataStart;
    private readonly uint _clusters;
    private readonly Item _root;

    private FatVolume(MediaView image, byte[] table, int bits, int clusterSize, long dataStart, uint clusters, Item root)
    {
        _image = image;
        _table = table;
        _bits = bits;
        _clusterSize = clusterSize;
        _dataStart = dataStart;
        _clusters = clusters;
        _root = root;
    }

    public string Kind => $"FAT{_bits}";

    /// <summary>The file system of a volume; null if it is none.</summary>
    public static FatVolume? Open(MediaView image)
    {
        if (image.Read(0, 512) is not { } boot || boot[510] != 0x55 || boot[511] != 0xaa)
            return null;
        int sector = U16(boot, 11);
        int clusterSectors = boot[13];
        int reserved = U16(boot, 14);
        int tables = boot[16];
        int rootEntries = U16(boot, 17);
        long sectors = U16(boot, 19) != 0 ? U16(boot, 19) : U32(boot, 32);
        long tableSectors = U16(boot, 22) != 0 ? U16(boot, 22) : U32(boot, 36);
        if (sector is not (512 or 1024 or 2048 or 4096) || !int.IsPow2(clusterSectors) || clusterSectors > 128
            || reserved == 0 || tables is 0 or > 4 || tableSectors == 0)
            return null;
        long rootStart = (reserved + tables * tableSectors) * sector;
        long rootSize = ((long)rootEntries * EntrySize + sector - 1) / sector * sector;
        long dataStart = rootStart + rootSize;
        long dataSectors = sectors - dataStart / sector;
        if (dataSectors < clusterSectors || dataStart > image.Length)
            return null;
        uint clusters = (uint)Math.Min(dataSectors / clusterSectors, 0x0fff_fff5);
        int bits = clusters < 4085 ? 12 : clusters < 65525 ? 16 : 32;
        long tableSize = tableSectors * sector;
        if (tableSize > int.MaxValue / 2 || image.Read((long)reserved * sector, (int)tableSize) is not { } table)
            return null;
        Item root = bits == 32 ? new(U32(boot, 44), 0, true, 0, 0) : new(0, 0, true, rootStart, (int)rootSize);
        return new(image, table, bits, clusterSectors * sector, dataStart, clusters, root);
    }

    public MediaFile? Find(string path)
    {
        Item at = _root;
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (name == ".")
                continue;
            if (!at.IsDirectory || FindIn(at, name) is not { } next)
                return null;
            at = next;
        }

        return at.IsDirectory ? null : Contents(at.Cluster, at.Length);
    }

    private Item? FindIn(Item directory, string name)
    {
        byte[]? bytes = directory.Size > 0
            ? _image.Read(directory.Offset, directory.Size)
            : ReadChain(directory.Cluster);
        if (bytes is null)
            return null;
        char[] longName = new char[260];
        int longLength = 0;
        for (int at = 0; at + EntrySize <= bytes.Length; at += EntrySize)
        {
            ReadOnlySpan<byte> entry = bytes.AsSpan(at, EntrySize);
            if (entry[0] == 0)
                break;
            if (entry[0] == 0xe5)
            {
                longLength = 0;
                continue;
            }

            if ((entry[11] & 0x3f) == LongName)
            {
                longLength = TakeLongName(entry, longName, longLength);
                continue;
            }

            ReadOnlySpan<char> own = longName.AsSpan(0, longLength);
            int end = own.IndexOf('\0');
            bool isIt = (longLength > 0 && own[..(end < 0 ? longLength : end)].Equals(name, StringComparison.OrdinalIgnoreCase))
                || ShortName(entry).Equals(name, StringComparison.OrdinalIgnoreCase);
            longLength = 0;
            if (!isIt || (entry[11] & Label) != 0)
                continue;
            uint cluster = U16(entry, 26) | (_bits == 32 ? (uint)U16(entry, 20) << 16 : 0);
            return new(cluster, U32(entry, 28), (entry[11] & Directory) != 0, 0, 0);
        }

        return null;
    }

    /// <returns>The length of the name so far, its end first.</returns>
    private static int TakeLongName(ReadOnlySpan<byte> entry, char[] name, int length)
    {
        const int lettersInEntry = 13;
        int order = (entry[0] & 0x3f) - 1;
        if (order is < 0 or >= 20)
            return 0;
        Span<char> letters = name.AsSpan(order * lettersInEntry, lettersInEntry);
        ReadOnlySpan<byte> places = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
        for (int i = 0; i < lettersInEntry; i++)
            letters[i] = (char)U16(entry, places[i]) is var letter && letter == '\uffff' ? '\0' : letter;
        bool isLast = (entry[0] & 0x40) != 0;
        return isLast ? (order + 1) * lettersInEntry : length;
    }

    private static string ShortName(ReadOnlySpan<byte> entry)
    {
        string name = Encoding.Latin1.GetString(entry[..8]).TrimEnd(' ');
        string extension = Encoding.Latin1.GetString(entry.Slice(8, 3)).TrimEnd(' ');
        return extension.Length == 0 ? name : $"{name}.{extension}";
    }

    private byte[]? ReadChain(uint cluster)
    {
        List<byte> bytes = [];
        foreach (MediaView part in Chain(cluster, MostDirectory))
        {
            if (part.Read(0, (int)part.Length) is not { } more)
                return null;
            bytes.AddRange(more);
        }

        return [.. bytes];
    }

    private MediaFile? Contents(uint cluster, uint length)
    {
        List<MediaView> extents = [.. Chain(cluster, length)];
        return extents.Sum(extent => extent.Length) >= length ? new(length, extents) : null;
    }

    /// <summary>The clusters of a chain, neighbours joined, up to so many bytes or to where it breaks.</summary>
    private IEnumerable<MediaView> Chain(uint cluster, long length)
    {
        uint start = cluster;
        uint count = 0;
        long left = length;
        // As many steps as there are clusters at most: more is a loop.
        for (uint steps = 0; left > 0 && steps <= _clusters && cluster >= 2 && cluster - 2 < _clusters; steps++)
        {
            count++;
            left -= _clusterSize;
            uint next = Next(cluster);
            if (next != cluster + 1 || left <= 0 || count == 1024)
            {
                if (_image.Part(_dataStart + (start - 2L) * _clusterSize, (long)count * _clusterSize) is not { } part)
                    yield break;
                yield return part;
                start = next;
                count = 0;
            }

            cluster = next;
        }
    }

    private uint Next(uint cluster)
    {
        long at = cluster * (long)_bits / 8;
        int size = _bits == 32 ? 4 : 2;
        if (at + size > _table.Length)
            return 0;
        return _bits switch
        {
            12 => (uint)(U16(_table, (int)at) >> (cluster % 2 == 0 ? 0 : 4)) & 0xfff,
            16 => U16(_table, (int)at),
            _ => U32(_table, (int)at) & 0x0fff_ffff,
        };
    }

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    /// <summary>A file or a directory; the root of FAT12 and FAT16 lies at a place of its own.</summary>
    private readonly record struct Item(uint Cluster, uint Length, bool IsDirectory, long Offset, int Size);
}
