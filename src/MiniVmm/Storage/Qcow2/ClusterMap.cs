using System.Buffers.Binary;
using MiniVmm.Host;

namespace MiniVmm.Storage.Qcow2;

/// <summary>What is known about a guest's cluster.</summary>
internal enum ClusterKind
{
    /// <summary>The backing file has it; zeroes where there is none.</summary>
    Unallocated,
    Zero,
    Data,
    Compressed,
}

/// <summary>Where consecutive bytes of the disk are.</summary>
/// <param name="Kind">The same for all of them.</param>
/// <param name="Host">Offset in the file of data; the first cluster's for zeroes that have room, 0 where there is none.</param>
/// <param name="Bytes">How many; of a compressed cluster, never behind its end.</param>
/// <param name="Entry">The first L2 entry.</param>
internal readonly record struct Mapping(ClusterKind Kind, ulong Host, ulong Bytes, ulong Entry)
{
    /// <summary>Whether nothing else refers to the cluster.</summary>
    public bool IsCopied => (Entry & ClusterMap.Copied) != 0;
}

/// <summary>
/// The two levels of tables from the guest's clusters to the file's (qcow2.txt, "Cluster mapping"). The image's locks
/// are held in all of it.
/// </summary>
internal sealed unsafe class ClusterMap(Qcow2Header header, AlignedBuffer l1, TableCache cache, ulong limit) : IDisposable
{
    /// <summary>Bit 63: the refcount is exactly one.</summary>
    public const ulong Copied = 1UL << 63;

    /// <summary>Bit 62.</summary>
    public const ulong CompressedBit = 1UL << 62;

    /// <summary>Bit 0 of a standard descriptor.</summary>
    public const ulong ZeroBit = 1;

    /// <summary>Bits 9 to 55.</summary>
    public const ulong OffsetMask = 0x00ff_ffff_ffff_fe00;

    private const int L1BlockSize = 4096;

    private readonly int _clusterBits = header.ClusterBits;
    private readonly ulong _clusterMask = header.ClusterSize - 1;
    private readonly ulong[] _dirtyL1 = new ulong[((l1.Length / 512) + 63) / 64];
    private readonly int _l1Block = (int)Math.Min(header.ClusterSize, L1BlockSize);
    private ulong _limit = limit;

    public bool IsL1Dirty { get; private set; }

    /// <summary>First guest cluster after those of the same slice of an L2 table.</summary>
    public ulong SliceEnd(ulong cluster)
    {
        ulong entries = (ulong)cache.SliceSize / 8;
        return (cluster / entries + 1) * entries;
    }

    /// <summary>The L2 table's offset in the file, 0 for none, and whether it may be written.</summary>
    public int GetTable(ulong cluster, out ulong table, out bool isCopied)
    {
        ulong entry = BinaryPrimitives.ReverseEndianness(((ulong*)l1.Bytes)[cluster >> header.L2Bits]);
        table = entry & OffsetMask;
        isCopied = (entry & Copied) != 0;
        return (table & _clusterMask) == 0 && table < _limit ? 0 : Errno.EIO;
    }

    /// <summary>Replaces the table of a cluster by one whose contents are in the file already.</summary>
    public void SetTable(ulong cluster, ulong table)
    {
        ulong index = cluster >> header.L2Bits;
        ((ulong*)l1.Bytes)[index] = BinaryPrimitives.ReverseEndianness(table | Copied);
        ulong block = index * 8 / (ulong)_l1Block;
        _dirtyL1[block / 64] |= 1UL << (int)(block % 64);
        IsL1Dirty = true;
        _limit = Math.Max(_limit, table + header.ClusterSize);
    }

    /// <summary>Finds the bytes from an offset on that are of one kind and contiguous in the file.</summary>
    /// <param name="offset">On the disk.</param>
    /// <param name="most">Bytes of interest, at least 1.</param>
    /// <param name="found">What there is.</param>
    /// <returns>0; EIO for an invalid entry, or if the table cannot be read.</returns>
    public int Find(ulong offset, ulong most, out Mapping found)
    {
        ulong cluster = offset >> _clusterBits;
        ulong inside = offset & _clusterMask;
        found = default;
        int errno = GetTable(cluster, out ulong table, out _);
        if (errno != 0)
            return errno;
        if (table == 0)
        {
            ulong end = ((cluster >> header.L2Bits) + 1) << header.L2Bits << _clusterBits;
            found = new Mapping(ClusterKind.Unallocated, 0, Math.Min(most, end - offset), 0);
            return 0;
        }

        errno = GetSlice(table, cluster, out ulong* entries, out int index, out _);
        if (errno != 0)
            return errno;
        ulong first = BinaryPrimitives.ReverseEndianness(entries[index]);
        errno = Classify(first, out ClusterKind kind, out ulong host);
        if (errno != 0)
            return errno;
        ulong bytes = header.ClusterSize - inside;
        int count = cache.SliceSize / 8;
        if (kind != ClusterKind.Compressed)
        {
            for (int i = index + 1; i < count && bytes < most; i++)
            {
                ulong next = BinaryPrimitives.ReverseEndianness(entries[i]);
                if (Classify(next, out ClusterKind nextKind, out ulong nextHost) != 0 || nextKind != kind
                    || ((next ^ first) & Copied) != 0
                    || (kind == ClusterKind.Data && nextHost != host + bytes + inside)
                    || (kind == ClusterKind.Zero && (host == 0) != (nextHost == 0)))
                {
                    break;
                }

                bytes += header.ClusterSize;
            }
        }

        found = new Mapping(
            kind, kind == ClusterKind.Data ? host + inside : host, Math.Min(bytes, most), first);
        return 0;
    }

    /// <summary>The entry of one cluster whose table exists.</summary>
    public int GetEntry(ulong cluster, out ulong entry)
    {
        entry = 0;
        int errno = GetTable(cluster, out ulong table, out _);
        if (errno == 0)
            errno = GetSlice(table, cluster, out ulong* entries, out int index, out _) is not 0 and int failed
                ? failed
                : Value(entries, index, out entry);
        return errno;
    }

    /// <summary>Changes the entry of one cluster whose table exists and may be written.</summary>
    public int SetEntry(ulong cluster, ulong entry)
    {
        int errno = GetTable(cluster, out ulong table, out _);
        if (errno != 0)
            return errno;
        errno = GetSlice(table, cluster, out ulong* entries, out int index, out ulong slice);
        if (errno != 0)
            return errno;
        entries[index] = BinaryPrimitives.ReverseEndianness(entry);
        cache.MarkDirty(slice);
        return 0;
    }

    /// <summary>Decodes an entry.</summary>
    /// <param name="entry">From an L2 table.</param>
    /// <param name="kind">What it describes.</param>
    /// <param name="host">The cluster's offset in the file, or 0; not that of compressed data.</param>
    /// <returns>EIO for an invalid entry.</returns>
    public int Classify(ulong entry, out ClusterKind kind, out ulong host)
    {
        host = 0;
        kind = ClusterKind.Compressed;
        if ((entry & CompressedBit) != 0)
            return (entry & Copied) == 0 ? 0 : Errno.EIO;
        host = entry & OffsetMask;
        kind = (entry & ZeroBit) != 0 ? ClusterKind.Zero : host != 0 ? ClusterKind.Data : ClusterKind.Unallocated;
        return (host & _clusterMask) != 0
            || (kind == ClusterKind.Zero && header.Version < 3)
            || (host == 0 && (entry & Copied) != 0)
            ? Errno.EIO
            : 0;
    }

    /// <summary>
    /// Where a compressed cluster's data is: whole sectors, the first of which may begin with another's.
    /// </summary>
    /// <param name="entry">Compressed.</param>
    /// <param name="skip">Bytes of the first sector that are not its own.</param>
    /// <returns>Offset and length in the file.</returns>
    public (ulong Offset, ulong Length) Packed(ulong entry, out uint skip)
    {
        int bits = 62 - (_clusterBits - 8);
        ulong offset = entry & ((1UL << bits) - 1) & ((1UL << 56) - 1);
        ulong sectors = ((entry & (CompressedBit - 1)) >> bits) + 1;
        skip = (uint)(offset % IDiskImage.SectorSize);
        return (offset - skip, sectors * IDiskImage.SectorSize);
    }

    /// <summary>Writes the changed parts of the L1 table.</summary>
    public int WriteL1(IImageFile file)
    {
        for (ulong word = 0; IsL1Dirty && word < (ulong)_dirtyL1.Length; word++)
        {
            for (; _dirtyL1[word] != 0; _dirtyL1[word] &= _dirtyL1[word] - 1)
            {
                ulong at = ((word * 64) + ulong.TrailingZeroCount(_dirtyL1[word])) * (ulong)_l1Block;
                IoVector piece = l1.Piece(at, (ulong)_l1Block);
                int errno = file.Write(header.L1Offset + at, new ReadOnlySpan<IoVector>(in piece));
                if (errno != 0)
                    return errno;
            }
        }

        IsL1Dirty = false;
        return 0;
    }

    public void Dispose()
    {
        l1.Dispose();
        cache.Dispose();
    }

    private static int Value(ulong* entries, int index, out ulong entry)
    {
        entry = BinaryPrimitives.ReverseEndianness(entries[index]);
        return 0;
    }

    private int GetSlice(ulong table, ulong cluster, out ulong* entries, out int index, out ulong slice)
    {
        ulong at = (cluster & ((1UL << header.L2Bits) - 1)) * 8;
        ulong inside = at % (ulong)cache.SliceSize;
        index = (int)(inside / 8);
        slice = table + at - inside;
        int errno = cache.Get(slice, out byte* bytes);
        entries = (ulong*)bytes;
        return errno;
    }
}
