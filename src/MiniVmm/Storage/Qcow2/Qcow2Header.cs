using System.Buffers.Binary;
using System.Numerics;
using System.Text;

namespace MiniVmm.Storage.Qcow2;

/// <summary>
/// The first cluster of an image: header, extensions, backing file's name (QEMU's docs/interop/qcow2.txt, "Header").
/// What is here was checked against the length of the file and QEMU's limits; what the tables say was not.
/// </summary>
internal sealed record Qcow2Header
{
    /// <summary>incompatible_features: refcounts may be wrong.</summary>
    public const ulong Dirty = 1 << 0;

    /// <summary>incompatible_features: anything may be wrong.</summary>
    public const ulong CorruptBit = 1 << 1;

    /// <summary>Most bytes of an L1 table (32 MiB, QEMU's limit).</summary>
    public const ulong MaxL1Bytes = 32 << 20;

    /// <summary>Most bytes of a refcount table (8 MiB, QEMU's limit).</summary>
    public const ulong MaxRefcountTableBytes = 8 << 20;

    /// <summary>Bytes of the file that <see cref="Parse"/> looks at, at most.</summary>
    public const int MaxBytes = 64 << 10;

    /// <summary>Byte offsets of fields that are rewritten.</summary>
    public const int RefcountTableField = 48;

    /// <inheritdoc cref="RefcountTableField"/>
    public const int IncompatibleField = 72;

    /// <inheritdoc cref="RefcountTableField"/>
    public const int AutoclearField = 88;

    private const int Version2Bytes = 72;
    private const int Version3Bytes = 104;
    private const int MaxBackingName = 1023;
    private const uint MaxSnapshots = 65536;
    private const ulong ExternalData = 1 << 2;
    private const ulong CompressionBit = 1 << 3;
    private const ulong ExtendedL2 = 1 << 4;
    private const uint BackingFormatExtension = 0xe2792aca;
    private const uint FeatureNamesExtension = 0x6803f857;
    private const int FeatureNameBytes = 48;

    public required int Version { get; init; }

    /// <summary>9 to 21.</summary>
    public required int ClusterBits { get; init; }

    public ulong ClusterSize => 1UL << ClusterBits;

    /// <summary>Bytes of the disk.</summary>
    public required ulong Size { get; init; }

    /// <summary>Entries.</summary>
    public required uint L1Size { get; init; }

    public required ulong L1Offset { get; init; }

    public required ulong RefcountTableOffset { get; init; }

    public required uint RefcountTableClusters { get; init; }

    /// <summary>A refcount has two to the power of this many bits: 0 to 6.</summary>
    public required int RefcountOrder { get; init; }

    public required uint SnapshotCount { get; init; }

    public required ulong SnapshotsOffset { get; init; }

    public required ulong IncompatibleFeatures { get; init; }

    public required ulong AutoclearFeatures { get; init; }

    public required ClusterCompression Compression { get; init; }

    /// <summary>As it is written; null without one.</summary>
    public required string? BackingFile { get; init; }

    /// <summary>As it is written; null where the image does not say.</summary>
    public required string? BackingFormat { get; init; }

    /// <summary>Entries of an L2 table, as a power of two.</summary>
    public int L2Bits => ClusterBits - 3;

    /// <summary>Reads and checks it.</summary>
    /// <param name="start">The file's first bytes: <see cref="MaxBytes"/>, or all there are.</param>
    /// <param name="fileLength">Bytes of the file.</param>
    /// <param name="subject">What errors start with.</param>
    /// <exception cref="BadInputException">Not such a file, damaged, or of a kind that is not supported.</exception>
    public static Qcow2Header Parse(ReadOnlySpan<byte> start, ulong fileLength, NamedOption subject)
    {
        if (!DiskImage.HasQcow2Magic(start))
            throw new BadInputException($"{subject}: is not a qcow2 image; use format=raw if it is a raw one");
        if (start.Length < Version2Bytes)
            throw Damaged(subject, "ends in its header");
        uint version = U32(start, 4);
        if (version == 1)
            throw new BadInputException($"{subject}: is qcow version 1; convert it: `qemu-img convert -f qcow -O qcow2`");
        if (version is not (2 or 3))
            throw new BadInputException($"{subject}: is qcow2 version {version}; only 2 and 3 are supported");
        if (version == 3 && start.Length < Version3Bytes)
            throw Damaged(subject, "ends in its header");
        uint length = version == 2 ? Version2Bytes : U32(start, 100);
        uint clusterBits = U32(start, 20);
        if (clusterBits is < 9 or > 21)
            throw Damaged(subject, $"has clusters of 2^{clusterBits} bytes; 2^9 to 2^21 are allowed");
        if (version == 3 && (length < Version3Bytes || length % 8 != 0 || length > 1UL << (int)clusterBits
            || length > (uint)start.Length))
        {
            throw Damaged(subject, $"has a header of {length} bytes");
        }

        ulong incompatible = version == 2 ? 0 : U64(start, IncompatibleField);
        var extensions = Extensions.Read(start, (int)length, (int)Math.Min(1UL << (int)clusterBits, (ulong)start.Length));
        RefuseFeatures(incompatible, extensions.FeatureNames(start), subject);
        if (U32(start, 32) is not 0 and uint method)
        {
            throw new BadInputException($"{subject}: is encrypted ({(method == 1 ? "AES" : method == 2 ? "LUKS" : method)}), "
                + $"which is not supported; `qemu-img convert` makes a copy that is not");
        }

        uint compression = version == 3 && length > Version3Bytes ? start[Version3Bytes] : 0u;
        if (((incompatible & CompressionBit) != 0) != (compression != 0))
            throw Damaged(subject, "contradicts itself about how its clusters are compressed");
        if (compression > (uint)ClusterCompression.Zstd)
            throw new BadInputException(
                $"{subject}: has clusters of compression type {compression}; only zlib and zstd are supported");
        var header = new Qcow2Header
        {
            Version = (int)version,
            ClusterBits = (int)clusterBits,
            Size = U64(start, 24),
            L1Size = U32(start, 36),
            L1Offset = U64(start, 40),
            RefcountTableOffset = U64(start, RefcountTableField),
            RefcountTableClusters = U32(start, 56),
            SnapshotCount = U32(start, 60),
            SnapshotsOffset = U64(start, 64),
            IncompatibleFeatures = incompatible,
            AutoclearFeatures = version == 2 ? 0 : U64(start, AutoclearField),
            RefcountOrder = version == 2 ? 4 : (int)Math.Min(U32(start, 96), 7),
            Compression = (ClusterCompression)compression,
            BackingFile = BackingName(start, (int)length, 1UL << (int)clusterBits, subject),
            BackingFormat = extensions.BackingFormat(start),
        };
        header.Check(fileLength, subject);
        return header;
    }

    /// <summary>The line for a damaged image.</summary>
    public static BadInputException Damaged(NamedOption subject, string how) =>
        new($"{subject}: is damaged: it {how}; `qemu-img check -r all` repairs what can be repaired");

    private static void RefuseFeatures(ulong incompatible, Func<int, string?> names, NamedOption subject)
    {
        if ((incompatible & ExternalData) != 0)
            throw Unsupported(subject, "an external data file");
        if ((incompatible & ExtendedL2) != 0)
            throw Unsupported(subject, "extended L2 entries");
        ulong unknown = incompatible & ~(Dirty | CorruptBit | CompressionBit);
        if (unknown == 0)
            return;
        var list = new List<string>();
        for (; unknown != 0; unknown &= unknown - 1)
        {
            int bit = BitOperations.TrailingZeroCount(unknown);
            list.Add(names(bit) is { Length: > 0 } name ? $"{name} (bit {bit})" : $"bit {bit}");
        }

        throw new BadInputException($"{subject}: needs unsupported features: {string.Join(", ", list)}");
    }

    private static BadInputException Unsupported(NamedOption subject, string what) =>
        new($"{subject}: has {what}, which is not supported; `qemu-img convert -O qcow2` makes a copy without it");

    private static string? BackingName(ReadOnlySpan<byte> start, int headerLength, ulong clusterSize, NamedOption subject)
    {
        ulong offset = U64(start, 8);
        uint length = U32(start, 16);
        if (offset == 0)
            return null;
        ulong end = Math.Min(clusterSize, (ulong)start.Length);
        if (length is 0 or > MaxBackingName || offset < (ulong)headerLength || offset > end || length > end - offset)
        {
            throw Damaged(subject, $"names its backing file by {length} bytes at {offset}, outside of the header's cluster");
        }

        string name = Encoding.UTF8.GetString(start.Slice((int)offset, (int)length));
        return name.Contains('\0', StringComparison.Ordinal)
            ? throw Damaged(subject, "has a NUL in the name of its backing file")
            : name;
    }

    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]);

    private static ulong U64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64BigEndian(bytes[at..]);

    private void Check(ulong fileLength, NamedOption subject)
    {
        ulong perTable = 1UL << L2Bits;
        if (RefcountOrder > 6)
            throw Damaged(subject, "has refcounts of more than 64 bits");
        if (Size > long.MaxValue - ClusterSize)
            throw Damaged(subject, $"is a disk of {Size} bytes");
        ulong tables = (((Size + ClusterSize - 1) >> ClusterBits) + perTable - 1) / perTable;
        if (L1Size < tables)
            throw Damaged(subject, $"has {L1Size} L1 entries, but needs {tables}");
        if ((ulong)L1Size * 8 > MaxL1Bytes)
            throw Damaged(subject, $"has {L1Size} L1 entries, more than 32 MiB of them");
        if (!IsTable(L1Offset, (ulong)L1Size * 8, fileLength))
            throw Damaged(subject, $"has its L1 table at {L1Offset}, not aligned to a cluster or outside of the file");
        ulong refcountTable = (ulong)RefcountTableClusters << ClusterBits;
        if (RefcountTableClusters == 0 || refcountTable > MaxRefcountTableBytes)
            throw Damaged(subject, $"has a refcount table of {RefcountTableClusters} clusters");
        if (!IsTable(RefcountTableOffset, 8, fileLength))
        {
            throw Damaged(
                subject, $"has its refcount table at {RefcountTableOffset}, not aligned to a cluster or outside of the file");
        }

        if (SnapshotCount > MaxSnapshots || (SnapshotCount > 0 && !IsTable(SnapshotsOffset, 40, fileLength)))
            throw Damaged(subject, $"has {SnapshotCount} snapshots at {SnapshotsOffset}");
    }

    private bool IsTable(ulong offset, ulong length, ulong fileLength) =>
        length == 0
        || (offset >= ClusterSize && offset % ClusterSize == 0 && offset <= fileLength && length <= fileLength - offset);

    /// <summary>Where in the first cluster the extensions of interest are.</summary>
    private readonly record struct Extensions(int FormatAt, int FormatLength, int NamesAt, int NamesLength)
    {
        public static Extensions Read(ReadOnlySpan<byte> start, int at, int end)
        {
            Extensions found = default;
            while (at + 8 <= end)
            {
                uint type = U32(start, at);
                uint length = U32(start, at + 4);
                at += 8;
                if (type == 0 || length > (uint)(end - at))
                    break;
                if (type == BackingFormatExtension)
                    found = found with { FormatAt = at, FormatLength = (int)length };
                else if (type == FeatureNamesExtension)
                    found = found with { NamesAt = at, NamesLength = (int)length };
                at += (int)((length + 7) & ~7u);
            }

            return found;
        }

        public string? BackingFormat(ReadOnlySpan<byte> start) =>
            FormatLength == 0 ? null : Text(start.Slice(FormatAt, Math.Min(FormatLength, 32)));

        /// <summary>The names of incompatible features, by bit.</summary>
        public Func<int, string?> FeatureNames(ReadOnlySpan<byte> start)
        {
            var names = new Dictionary<int, string>();
            ReadOnlySpan<byte> table = start.Slice(NamesAt, NamesLength);
            for (; table.Length >= FeatureNameBytes; table = table[FeatureNameBytes..])
            {
                if (table[0] == 0)
                    names[table[1]] = Text(table[2..FeatureNameBytes]);
            }

            return bit => names.GetValueOrDefault(bit);
        }

        /// <summary>Printable: it goes to a terminal.</summary>
        private static string Text(ReadOnlySpan<byte> bytes)
        {
            int end = bytes.IndexOf((byte)0);
            string text = Encoding.UTF8.GetString(end < 0 ? bytes : bytes[..end]);
            return string.Concat(text.Select(letter => char.IsControl(letter) ? '?' : letter));
        }
    }
}
