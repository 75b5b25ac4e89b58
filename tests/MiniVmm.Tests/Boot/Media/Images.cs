using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Tests.Boot.Media;

/// <summary>Small images with files, made by hand.</summary>
internal static class Images
{
    private const int IsoSector = 2048;

    /// <summary>How an ISO's names are written.</summary>
    public enum Names
    {
        Plain,
        RockRidge,
        Joliet,
    }

    /// <summary>An ISO 9660 image of folders (paths that end in /) and files; a folder comes before what is in it.</summary>
    public static byte[] Iso(Names names, params (string Path, byte[] Data)[] files)
    {
        List<(string Path, byte[] Data)> all = [("/", []), .. files];
        // A sector for each folder from 20 on; files behind them.
        Dictionary<string, (int Block, int Length)> places = [];
        int block = 20;
        foreach ((string path, byte[] data) in all)
        {
            int length = path.EndsWith('/') ? IsoSector : data.Length;
            places[path] = (block, length);
            block += Math.Max(1, (length + IsoSector - 1) / IsoSector);
        }

        byte[] image = new byte[block * IsoSector];
        foreach ((string path, byte[] data) in all)
        {
            Span<byte> at = image.AsSpan(places[path].Block * IsoSector);
            if (!path.EndsWith('/'))
            {
                data.CopyTo(at);
                continue;
            }

            int used = 0;
            Append(at, ref used, [0], places[path], true, names == Names.RockRidge ? [(byte)'S', (byte)'P', 7, 1, 0xbe, 0xef, 0] : []);
            Append(at, ref used, [1], places[path], true, []);
            foreach ((string child, _) in all)
            {
                string rest = child.TrimEnd('/');
                if (rest.Length == 0 || rest[..(rest.LastIndexOf('/') + 1)] != path)
                    continue;
                string name = rest[(rest.LastIndexOf('/') + 1)..];
                byte[] own = names switch
                {
                    Names.Joliet => Encoding.BigEndianUnicode.GetBytes(name),
                    Names.RockRidge => "X;1"u8.ToArray(),
                    _ => Encoding.ASCII.GetBytes(name.ToUpperInvariant() + (child.EndsWith('/') ? "" : ";1")),
                };
                byte[] use = names == Names.RockRidge
                    ? [(byte)'N', (byte)'M', (byte)(5 + name.Length), 1, 0, .. Encoding.ASCII.GetBytes(name)]
                    : [];
                Append(at, ref used, own, places[child], child.EndsWith('/'), use);
            }
        }

        Descriptor(image, 16, 1, places["/"], "");
        if (names == Names.Joliet)
        {
            Descriptor(image, 16, 1, (19, 0), "");
            Descriptor(image, 17, 2, places["/"], "%/E");
        }

        Descriptor(image, names == Names.Joliet ? 18 : 17, 255, (0, 0), "");
        return image;
    }

    private static void Descriptor(byte[] image, int sector, byte type, (int Block, int Length) root, string escape)
    {
        Span<byte> at = image.AsSpan(sector * IsoSector, IsoSector);
        at[0] = type;
        "CD001\u0001"u8.CopyTo(at[1..]);
        Encoding.ASCII.GetBytes(escape).CopyTo(at[88..]);
        int used = 156;
        Append(at, ref used, [0], root, true, []);
    }

    private static void Append(Span<byte> at, ref int used, byte[] name, (int Block, int Length) place, bool isFolder, byte[] use)
    {
        int nameEnd = (33 + name.Length + 1) & ~1;
        int length = (nameEnd + use.Length + 1) & ~1;
        Span<byte> record = at.Slice(used, length);
        record[0] = (byte)length;
        BinaryPrimitives.WriteInt32LittleEndian(record[2..], place.Block);
        BinaryPrimitives.WriteInt32LittleEndian(record[10..], place.Length);
        record[25] = isFolder ? (byte)2 : (byte)0;
        record[32] = (byte)name.Length;
        name.CopyTo(record[33..]);
        use.CopyTo(record[nameEnd..]);
        used += length;
    }

    /// <summary>A FAT image of 512-byte clusters, with one folder "dir" that has the files by long names.</summary>
    /// <param name="bits">12, 16 or 32.</param>
    /// <param name="files">Their names in the folder, and their bytes; each in clusters that are not neighbours.</param>
    public static byte[] Fat(int bits, params (string Name, byte[] Data)[] files)
    {
        const int sector = 512;
        int clusters = bits switch { 12 => 400, 16 => 5000, _ => 66000 };
        int tableSectors = (clusters + 2) * bits / 8 / sector + 1;
        int rootSectors = bits == 32 ? 0 : 1;
        int data = 1 + tableSectors + rootSectors;
        byte[] image = new byte[(data + clusters) * sector];
        Span<byte> boot = image;
        U16(boot, 11, sector);
        boot[13] = 1;
        U16(boot, 14, 1);
        boot[16] = 1;
        U16(boot, 17, rootSectors * 16);
        U32(boot, 32, data + clusters);
        if (bits == 32)
            U32(boot, 36, tableSectors);
        else
            U16(boot, 22, tableSectors);
        U32(boot, 44, 2);
        Encoding.ASCII.GetBytes($"FAT{bits}   ").CopyTo(boot[(bits == 32 ? 82 : 54)..]);
        boot[510] = 0x55;
        boot[511] = 0xaa;

        int free = bits == 32 ? 3 : 2;
        if (bits == 32)
            Link(image, bits, 2, 0x0fff_ffff);
        int root = bits == 32 ? data * sector : (1 + tableSectors) * sector;
        int folder = free++;
        Link(image, bits, folder, 0x0fff_ffff);
        Entry(image.AsSpan(root), "DIR        ", 0x10, folder, 0);
        Span<byte> at = image.AsSpan((data + folder - 2) * sector, sector);
        foreach ((string name, byte[] bytes) in files)
        {
            int first = free;
            int count = Math.Max(1, (bytes.Length + sector - 1) / sector);
            for (int i = 0; i < count; i++)
            {
                int cluster = first + 2 * i;
                Link(image, bits, cluster, i + 1 < count ? cluster + 2 : 0x0fff_ffff);
                bytes.AsSpan(i * sector, Math.Min(sector, bytes.Length - i * sector)).CopyTo(image.AsSpan((data + cluster - 2) * sector));
            }

            free = first + 2 * count;
            int parts = (name.Length + 12) / 13;
            for (int part = parts; part > 0; part--)
            {
                at[0] = (byte)(part | (part == parts ? 0x40 : 0));
                at[11] = 0x0f;
                byte[] letters = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
                for (int i = 0; i < 13; i++)
                {
                    int letter = (part - 1) * 13 + i;
                    U16(at, letters[i], letter < name.Length ? name[letter] : letter == name.Length ? 0 : 0xffff);
                }

                at = at[32..];
            }

            Entry(at, "SHORT~1 EXT", 0x20, first, bytes.Length);
            at = at[32..];
        }

        return image;
    }

    /// <summary>A disk with a volume in its first partition, at 1 MiB.</summary>
    public static byte[] Partitioned(byte[] volume)
    {
        const int start = 2048;
        byte[] disk = [.. new byte[start * 512], .. volume];
        disk[0x1be + 4] = 0x0c;
        U32(disk, 0x1be + 8, start);
        U32(disk, 0x1be + 12, volume.Length / 512);
        disk[510] = 0x55;
        disk[511] = 0xaa;
        return disk;
    }

    private static void Entry(Span<byte> at, string name, byte attributes, int cluster, int length)
    {
        Encoding.ASCII.GetBytes(name).CopyTo(at);
        at[11] = attributes;
        U16(at, 20, cluster >> 16);
        U16(at, 26, cluster & 0xffff);
        U32(at, 28, length);
    }

    private static void Link(byte[] image, int bits, int cluster, int next)
    {
        Span<byte> table = image.AsSpan(512);
        if (bits == 32)
        {
            U32(table, cluster * 4, next);
        }
        else if (bits == 16)
        {
            U16(table, cluster * 2, next & 0xffff);
        }
        else
        {
            int at = cluster * 3 / 2;
            int old = table[at] | table[at + 1] << 8;
            int value = cluster % 2 == 0 ? (old & 0xf000) | (next & 0xfff) : (old & 0xf) | (next & 0xfff) << 4;
            U16(table, at, value);
        }
    }

    private static void U16(Span<byte> at, int offset, int value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(at[offset..], (ushort)value);

    private static void U32(Span<byte> at, int offset, int value) => BinaryPrimitives.WriteInt32LittleEndian(at[offset..], value);
}
