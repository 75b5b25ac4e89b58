using System.Buffers.Binary;
using System.Text;

namespace MiniVmm.Boot.Media;

/// <summary>
/// An ISO 9660 file system: names by Rock Ridge, else by Joliet, else as they are, without versions (ECMA-119; SUSP 1.12 and
/// RRIP 1.12, "NM"; the Joliet specification). Whatever a directory says is checked; one that is broken ends where it breaks.
/// </summary>
internal sealed class Iso9660Volume : IMediaVolume
{
    private const int Sector = 2048;
    private const int FirstDescriptor = 16;
    private const int MostDescriptors = 32;

    /// <summary>Most bytes of a directory; each is read for every name.</summary>
    private const int MostDirectory = 4 << 20;

    private const int MostExtents = 1024;
    private const int MostContinuations = 16;
    private const byte IsDirectory = 1 << 1;
    private const byte GoesOn = 1 << 7;

    private readonly MediaView _image;
    private readonly Entry _root;
    private readonly bool _isJoliet;
    private readonly int _skip; // bytes before Rock Ridge's in each record

    private Iso9660Volume(MediaView image, Entry root, bool isJoliet, int skip)
    {
        _image = image;
        _root = root;
        _isJoliet = isJoliet;
        _skip = skip;
    }

    public string Kind { get; private init; } = "ISO 9660";

    /// <summary>The file system of an image; null if it is none.</summary>
    public static Iso9660Volume? Open(MediaView image)
    {
        Entry? primary = null, joliet = null;
        for (int i = 0; i < MostDescriptors; i++)
        {
            byte[]? descriptor = image.Read((FirstDescriptor + i) * (long)Sector, Sector);
            if (descriptor is null || !descriptor.AsSpan(1).StartsWith("CD001"u8) || descriptor[0] == 255)
                break;
            bool isUnicode = descriptor.AsSpan(88) is [(byte)'%', (byte)'/', (byte)'@' or (byte)'C' or (byte)'E', ..];
            Entry? root = ReadEntry(descriptor.AsSpan(156, 34));
            if (descriptor[0] == 1)
                primary ??= root;
            else if (descriptor[0] == 2 && isUnicode)
                joliet ??= root;
        }

        if (primary is null)
            return null;
        if (RockRidgeSkip(image, primary) is { } skip)
            return new(image, primary, isJoliet: false, skip) { Kind = "ISO 9660 with Rock Ridge" };
        return joliet is null
            ? new(image, primary, isJoliet: false, -1)
            : new(image, joliet, isJoliet: true, -1) { Kind = "ISO 9660 with Joliet" };
    }

    public MediaFile? Find(string path)
    {
        Entry at = _root;
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (name == ".")
                continue;
            if ((at.Flags & IsDirectory) == 0 || FindIn(at, name) is not { } next)
                return null;
            at = next;
        }

        if ((at.Flags & IsDirectory) != 0)
            return null;
        List<MediaView> extents = [];
        long length = 0;
        for (Entry? part = at; part is not null; part = part.Next)
        {
            if (_image.Part(part.Block * (long)Sector, part.Length) is not { } extent)
                return null;
            extents.Add(extent);
            length += part.Length;
        }

        return new(length, extents);
    }

    private Entry? FindIn(Entry directory, string name)
    {
        if (directory.Length > MostDirectory || _image.Read(directory.Block * (long)Sector, (int)directory.Length) is not { } bytes)
            return null;
        Entry? first = null;
        Entry? last = null;
        int extents = 0;
        for (int at = 0; at < bytes.Length;)
        {
            int length = bytes[at];
            if (length == 0)
            {
                at = (at / Sector + 1) * Sector; // records do not cross sectors
                continue;
            }

            if (length > bytes.Length - at || ReadEntry(bytes.AsSpan(at, length)) is not { } entry)
                return first;
            ReadOnlySpan<byte> record = bytes.AsSpan(at, length);
            at += length;
            if (last is not null)
            {
                // The rest of a file of several extents.
                last.Next = entry;
                last = (entry.Flags & GoesOn) != 0 && ++extents < MostExtents ? entry : null;
                if (last is null)
                    return first;
            }
            else if (string.Equals(Name(record), name, StringComparison.OrdinalIgnoreCase))
            {
                first = entry;
                if ((entry.Flags & GoesOn) == 0)
                    return first;
                last = entry;
            }
        }

        return first;
    }

    private string Name(ReadOnlySpan<byte> record)
    {
        ReadOnlySpan<byte> name = record.Slice(33, record[32]);
        if (name is [0 or 1])
            return ""; // the directory itself, and the one above
        if (_isJoliet)
            return Encoding.BigEndianUnicode.GetString(name) is var text && text.IndexOf(';', StringComparison.Ordinal) is >= 0 and int end ? text[..end] : text;
        if (_skip >= 0 && RockRidgeName(record) is { } longName)
            return longName;
        int version = name.IndexOf((byte)';');
        if (version >= 0)
            name = name[..version];
        return Encoding.Latin1.GetString(name is [.., (byte)'.'] ? name[..^1] : name);
    }

    private string? RockRidgeName(ReadOnlySpan<byte> record)
    {
        int at = (33 + record[32] + 1) & ~1;
        if (at + _skip >= record.Length)
            return null;
        ReadOnlySpan<byte> fields = record[(at + _skip)..];
        StringBuilder? name = null;
        for (int i = 0; i <= MostContinuations; i++)
        {
            (long Offset, int Length)? next = null;
            for (; fields.Length >= 4 && fields[2] >= 4 && fields[2] <= fields.Length; fields = fields[fields[2]..])
            {
                ReadOnlySpan<byte> field = fields[..fields[2]];
                if (field.StartsWith("NM"u8) && field.Length >= 5)
                    (name ??= new()).Append(Encoding.UTF8.GetString(field[5..]));
                else if (field.StartsWith("CE"u8) && field.Length >= 28)
                {
                    next = (BinaryPrimitives.ReadUInt32LittleEndian(field[4..]) * (long)Sector
                        + BinaryPrimitives.ReadUInt32LittleEndian(field[12..]), (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(field[20..]), Sector));
                }
            }

            if (next is not { } place || _image.Read(place.Offset, place.Length) is not { } more)
                break;
            fields = more;
        }

        return name?.ToString();
    }

    /// <summary>How many bytes to skip in each record's system use area; null without Rock Ridge.</summary>
    private static int? RockRidgeSkip(MediaView image, Entry root)
    {
        if (image.Read(root.Block * (long)Sector, Sector) is not { } bytes || bytes[0] < 34 + 7)
            return null;
        ReadOnlySpan<byte> use = bytes.AsSpan(34, bytes[0] - 34);
        return use is [(byte)'S', (byte)'P', 7, 1, 0xbe, 0xef, byte skip, ..] ? skip : null;
    }

    private static Entry? ReadEntry(ReadOnlySpan<byte> record) =>
        record.Length < 34 || record[32] == 0 || 33 + record[32] > record.Length
            ? null
            : new()
            {
                Block = BinaryPrimitives.ReadUInt32LittleEndian(record[2..]),
                Length = BinaryPrimitives.ReadUInt32LittleEndian(record[10..]),
                Flags = record[25],
            };

    private sealed class Entry
    {
        public required uint Block { get; init; }

        public required uint Length { get; init; }

        public required byte Flags { get; init; }

        /// <summary>The extent behind it, in a file of several.</summary>
        public Entry? Next { get; set; }
    }
}
