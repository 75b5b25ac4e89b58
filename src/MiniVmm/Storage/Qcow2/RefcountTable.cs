using System.Buffers.Binary;
using MiniVmm.Host;

namespace MiniVmm.Storage.Qcow2;

/// <summary>
/// How often each cluster of the file is in use, and so which are free (qcow2.txt, "Host cluster management"). Callers
/// hold the image's locks.
/// </summary>
/// <remarks>
/// Counts are changed in the cache, and the image writes them before anything that refers to the clusters. Only growing
/// the table writes here directly, each step durable before the next.
/// </remarks>
internal sealed unsafe class RefcountTable : IDisposable
{
    /// <summary>Returned for an errno where a count cannot be true.</summary>
    public const int Contradiction = -1;

    private const int SectorSize = 512;
    private const ulong MaxScanBytes = 64 << 10;

    private readonly IImageFile _file;
    private readonly TableCache _cache;
    private readonly MetadataClusters _metadata;
    private readonly int _clusterBits;
    private readonly int _order;
    private readonly int _blockBits;
    private readonly ulong _lastCluster;
    private readonly ulong _fileLength;
    private AlignedBuffer _table;
    private ulong _tableOffset;
    private AlignedBuffer? _scan;

    // No cluster before it is free.
    private ulong _hint;

    // A bit for each block that counts no free cluster.
    private ulong[] _full;

    /// <param name="table">As the file has it.</param>
    public RefcountTable(
        IImageFile file, Qcow2Header header, AlignedBuffer table, TableCache cache, MetadataClusters metadata)
    {
        _file = file;
        _cache = cache;
        _metadata = metadata;
        _table = table;
        _tableOffset = header.RefcountTableOffset;
        _clusterBits = header.ClusterBits;
        _order = header.RefcountOrder;
        _blockBits = header.ClusterBits + 3 - header.RefcountOrder;
        _lastCluster = (1UL << 55) >> _clusterBits;
        _fileLength = file.Length;
        _full = new ulong[(Entries + 63) / 64];
        End = (_fileLength + ClusterSize - 1) >> _clusterBits << _clusterBits;
    }

    /// <summary>Where the file ends, or will end: clusters past it were never written, and read as zeroes.</summary>
    public ulong End { get; private set; }

    /// <summary>A replaced table, to be released once the header no longer names it; 0 clusters for none.</summary>
    public (ulong Cluster, ulong Count) Replaced { get; set; }

    private ulong ClusterSize => 1UL << _clusterBits;

    private ulong Entries => _table.Length / 8;

    /// <summary>A cluster's refcount; 0 where no block has it.</summary>
    public int Get(ulong cluster, out ulong count)
    {
        count = 0;
        ulong block = Block(cluster);
        if (block == 0)
            return 0;
        int errno = GetSlice(block, cluster, out byte* bytes, out ulong index, out _);
        if (errno == 0)
            count = Read(bytes, index);
        return errno;
    }

    /// <summary>Takes consecutive free clusters, as many as there are in a row but at least one.</summary>
    /// <param name="wanted">At most so many.</param>
    /// <param name="first">The first.</param>
    /// <param name="count">How many.</param>
    /// <returns>
    /// 0; <see cref="Contradiction"/> where a count says that a table's cluster is free; ENOSPC where no number is
    /// left.
    /// </returns>
    public int Allocate(ulong wanted, out ulong first, out ulong count)
    {
        first = count = 0;
        for (ulong at = _hint; ;)
        {
            int errno = FindFree(ref at);
            if (errno != 0)
                return errno;
            if (at >= _lastCluster)
                return Errno.ENOSPC;
            if (Block(at) == 0)
            {
                errno = at >> _blockBits >= Entries ? Grow() : AddBlock(at);
                if (errno != 0)
                    return errno;
                continue;
            }

            // Clusters past a block's end are counted by another block.
            ulong end = Math.Min(at + wanted, ((at >> _blockBits) + 1) << _blockBits);
            ulong used = 0;
            for (first = at; at < end && used == 0;)
            {
                if (_metadata.Contains(at))
                    return Contradiction;
                errno = Set(at, 1);
                if (errno != 0)
                    break;
                at++;
                if (at < end && Get(at, out used) != 0)
                    break;
            }

            count = at - first;
            _hint = at;
            End = Math.Max(End, at << _clusterBits);
            return count > 0 ? 0 : errno;
        }
    }

    /// <summary>Counts one use less of a cluster.</summary>
    /// <returns><see cref="Contradiction"/> where it had none.</returns>
    public int Release(ulong cluster)
    {
        int errno = Get(cluster, out ulong count);
        if (errno != 0)
            return errno;
        if (count == 0)
            return Contradiction;
        errno = Set(cluster, count - 1);
        if (errno == 0 && count == 1)
        {
            _hint = Math.Min(_hint, cluster);
            ulong block = cluster >> _blockBits;
            _full[block / 64] &= ~(1UL << (int)(block % 64));
        }

        return errno;
    }

    /// <summary>The blocks that the table names.</summary>
    /// <returns>False where one is not aligned, or outside of the file.</returns>
    public bool TryGetBlocks(List<ulong> clusters)
    {
        for (ulong i = 0; i < Entries; i++)
        {
            ulong block = BinaryPrimitives.ReverseEndianness(((ulong*)_table.Bytes)[i]);
            if (block == 0)
                continue;
            if (block % ClusterSize != 0 || block >= End)
                return false;
            clusters.Add(block >> _clusterBits);
        }

        return true;
    }

    public void Dispose()
    {
        _table.Dispose();
        _scan?.Dispose();
        _cache.Dispose();
    }

    private ulong Block(ulong cluster)
    {
        ulong index = cluster >> _blockBits;
        return index < Entries ? BinaryPrimitives.ReverseEndianness(((ulong*)_table.Bytes)[index]) : 0;
    }

    /// <summary>Goes on to a cluster that is free, or that no block counts.</summary>
    /// <remarks>
    /// In an image of a terabyte this looks at tens of millions of counts, once: blocks that are not cached are read in
    /// large pieces, bypassing the cache; and a block without a free cluster is not read again until one of its
    /// clusters is released.
    /// </remarks>
    private int FindFree(ref ulong cluster)
    {
        ulong block;
        while ((block = Block(cluster)) != 0)
        {
            ulong index = cluster >> _blockBits;
            ulong end = (index + 1) << _blockBits;
            ref ulong full = ref _full[index / 64];
            ulong bit = 1UL << (int)(index % 64);
            for (cluster = (full & bit) != 0 ? end : cluster; cluster < end;)
            {
                int errno = GetCounts(block, cluster, out byte* bytes, out ulong at, out ulong count);
                if (errno != 0)
                    return errno;
                ulong free = FirstFree(bytes, at, count);
                cluster += free - at;
                if (free < count)
                    return 0;
            }

            full |= bit;
        }

        return 0;
    }

    /// <summary>Gets the counts of a cluster and of some after it, from the cache or from the file.</summary>
    private int GetCounts(ulong block, ulong cluster, out byte* bytes, out ulong at, out ulong count)
    {
        ulong slice = Slice(block, cluster, out at);
        ulong size = (ulong)_cache.SliceSize;
        count = size * 8 >> _order;
        if (_cache.Contains(slice))
            return _cache.Get(slice, out bytes);
        ulong length = size;
        while (slice + length < block + ClusterSize && length < MaxScanBytes && !_cache.Contains(slice + length))
            length += size;
        count = length * 8 >> _order;
        _scan ??= new AlignedBuffer(Math.Min(ClusterSize, MaxScanBytes));
        bytes = _scan.Bytes;
        IoVector piece = _scan.Piece(0, length);
        return _file.Read(slice, new ReadOnlySpan<IoVector>(in piece), _fileLength);
    }

    /// <summary>The first count from an index on that is 0, or how many there are.</summary>
    private ulong FirstFree(byte* bytes, ulong at, ulong count)
    {
        int left = (int)(count - at);
        int found;
        switch (_order)
        {
            case 3:
                found = new ReadOnlySpan<byte>(bytes + at, left).IndexOf((byte)0);
                break;
            case 4:
                found = new ReadOnlySpan<ushort>((ushort*)bytes + at, left).IndexOf((ushort)0);
                break;
            case 5:
                found = new ReadOnlySpan<uint>((uint*)bytes + at, left).IndexOf(0u);
                break;
            case 6:
                found = new ReadOnlySpan<ulong>((ulong*)bytes + at, left).IndexOf(0UL);
                break;
            default:
                while (at < count && Read(bytes, at) != 0)
                    at++;
                return at;
        }

        return found < 0 ? count : at + (ulong)found;
    }

    private int GetSlice(ulong block, ulong cluster, out byte* bytes, out ulong index, out ulong slice)
    {
        slice = Slice(block, cluster, out index);
        return _cache.Get(slice, out bytes);
    }

    /// <summary>Where the slice with a cluster's count is, and the count in it.</summary>
    private ulong Slice(ulong block, ulong cluster, out ulong index)
    {
        ulong inBlock = cluster & ((1UL << _blockBits) - 1);
        ulong perSlice = (ulong)_cache.SliceSize * 8 >> _order;
        index = inBlock % perSlice;
        return block + (inBlock / perSlice * (ulong)_cache.SliceSize);
    }

    private int Set(ulong cluster, ulong count)
    {
        int errno = GetSlice(Block(cluster), cluster, out byte* bytes, out ulong index, out ulong slice);
        if (errno != 0)
            return errno;
        Write(bytes, index, count);
        _cache.MarkDirty(slice);
        return 0;
    }

    private ulong Read(byte* bytes, ulong index) => _order switch
    {
        3 => bytes[index],
        4 => BinaryPrimitives.ReverseEndianness(((ushort*)bytes)[index]),
        5 => BinaryPrimitives.ReverseEndianness(((uint*)bytes)[index]),
        6 => BinaryPrimitives.ReverseEndianness(((ulong*)bytes)[index]),
        _ => ((uint)bytes[index >> (3 - _order)] >> SubByteShift(index)) & ((1u << (1 << _order)) - 1),
    };

    private void Write(byte* bytes, ulong index, ulong count)
    {
        switch (_order)
        {
            case 3:
                bytes[index] = (byte)count;
                break;
            case 4:
                ((ushort*)bytes)[index] = BinaryPrimitives.ReverseEndianness((ushort)count);
                break;
            case 5:
                ((uint*)bytes)[index] = BinaryPrimitives.ReverseEndianness((uint)count);
                break;
            case 6:
                ((ulong*)bytes)[index] = BinaryPrimitives.ReverseEndianness(count);
                break;
            default:
                uint mask = (1u << (1 << _order)) - 1;
                ref byte shared = ref bytes[index >> (3 - _order)];
                shared = (byte)((shared & ~(mask << SubByteShift(index))) | ((uint)count << SubByteShift(index)));
                break;
        }
    }

    private int SubByteShift(ulong index) => (int)(index & ((8u >> _order) - 1)) << _order;

    /// <summary>Makes a free cluster the block that counts it and its neighbours.</summary>
    private int AddBlock(ulong cluster)
    {
        if (_metadata.Contains(cluster))
            return Contradiction;
        using var block = new AlignedBuffer(ClusterSize);
        Write(block.Bytes, cluster & ((1UL << _blockBits) - 1), 1);
        ulong offset = cluster << _clusterBits;
        int errno = Put(offset, block, 0, ClusterSize);

        // The old contents of that cluster must never be taken for counts.
        if (errno == 0)
            errno = _file.Flush();
        if (errno != 0)
            return errno;
        ulong index = cluster >> _blockBits;
        ((ulong*)_table.Bytes)[index] = BinaryPrimitives.ReverseEndianness(offset);
        ulong sector = index * 8 / SectorSize * SectorSize;
        errno = Put(_tableOffset + sector, _table, sector, SectorSize);
        if (errno != 0)
        {
            ((ulong*)_table.Bytes)[index] = 0;
            return errno;
        }

        _cache.Forget(offset, ClusterSize);
        _metadata.TryAdd(cluster);
        End = Math.Max(End, offset + ClusterSize);
        return 0;
    }

    /// <summary>
    /// Moves the table to a larger place, right after the clusters it could count: first the blocks for that place,
    /// then the table.
    /// </summary>
    private int Grow()
    {
        ulong perBlock = 1UL << _blockBits;
        ulong first = Entries << _blockBits;
        ulong blocks = 1;
        ulong tableClusters;
        do
        {
            ulong entries = Math.Max(Entries + (Entries / 2), Entries + ++blocks);
            tableClusters = ((entries * 8) + ClusterSize - 1) >> _clusterBits;
        }
        while (blocks + tableClusters > blocks << _blockBits);
        ulong length = tableClusters << _clusterBits;
        if (length > Qcow2Header.MaxRefcountTableBytes || first + blocks + tableClusters >= _lastCluster)
            return Errno.ENOSPC;
        if (_metadata.ContainsAny(first, blocks + tableClusters))
            return Contradiction;

        var table = new AlignedBuffer(length);
        Buffer.MemoryCopy(_table.Bytes, table.Bytes, length, _table.Length);
        int errno = 0;
        using (var block = new AlignedBuffer(ClusterSize))
        {
            for (ulong i = 0; i < blocks && errno == 0; i++)
            {
                new Span<byte>(block.Bytes, (int)ClusterSize).Clear();
                for (ulong j = 0; j < perBlock && (i << _blockBits) + j < blocks + tableClusters; j++)
                    Write(block.Bytes, j, 1);
                ulong offset = (first + i) << _clusterBits;
                ((ulong*)table.Bytes)[Entries + i] = BinaryPrimitives.ReverseEndianness(offset);
                errno = Put(offset, block, 0, ClusterSize);
            }
        }

        ulong place = (first + blocks) << _clusterBits;
        if (errno == 0)
            errno = Put(place, table, 0, length);
        if (errno == 0)
            errno = _file.Flush();
        if (errno == 0)
            errno = PointHeaderTo(place, tableClusters);
        if (errno != 0)
        {
            table.Dispose();
            return errno;
        }

        // From here on the header names the new one; until that is durable, the old one must stay what it is.
        errno = _file.Flush();
        ulong old = _tableOffset >> _clusterBits;
        if (errno == 0)
        {
            Replaced = (old, _table.Length >> _clusterBits);
            _metadata.RemoveRange(old);
        }

        _metadata.TryAddRange(first + blocks, tableClusters);
        for (ulong i = 0; i < blocks; i++)
            _metadata.TryAdd(first + i);
        _table.Dispose();
        _table = table;
        Array.Resize(ref _full, (int)((Entries + 63) / 64));
        _tableOffset = place;
        _cache.Forget(first << _clusterBits, blocks << _clusterBits);
        End = Math.Max(End, place + length);
        return errno;
    }

    private int PointHeaderTo(ulong offset, ulong clusters)
    {
        using var sector = new AlignedBuffer(SectorSize);
        IoVector piece = sector.Piece(0, SectorSize);
        int errno = _file.Read(0, new ReadOnlySpan<IoVector>(in piece), SectorSize);
        if (errno != 0)
            return errno;
        var fields = new Span<byte>(sector.Bytes + Qcow2Header.RefcountTableField, 12);
        BinaryPrimitives.WriteUInt64BigEndian(fields, offset);
        BinaryPrimitives.WriteUInt32BigEndian(fields[8..], (uint)clusters);
        return _file.Write(0, new ReadOnlySpan<IoVector>(in piece));
    }

    private int Put(ulong offset, AlignedBuffer from, ulong start, ulong length)
    {
        IoVector piece = from.Piece(start, length);
        return _file.Write(offset, new ReadOnlySpan<IoVector>(in piece));
    }
}
