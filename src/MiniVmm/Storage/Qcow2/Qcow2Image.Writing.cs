using MiniVmm.Host;

namespace MiniVmm.Storage.Qcow2;

// Writing: in place if nothing else refers to a cluster, else to new clusters.
internal sealed unsafe partial class Qcow2Image
{
    private const int Contradiction = RefcountTable.Contradiction;

    // Guest clusters that are being moved to new host clusters; whoever wants to change them waits.
    private readonly List<(ulong First, ulong Last)> _moving = [];

    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        var slicer = new IoCursor(pieces);
        ulong left = IoVector.Total(pieces);
        Span<IoVector> part = pieces.Length <= MaxStackPieces
            ? stackalloc IoVector[pieces.Length + 2]
            : new IoVector[pieces.Length + 2];
        while (left > 0)
        {
            int errno = TryEnterInPlace(offset, left, out Mapping found, out int epoch);
            ulong done = found.Bytes;
            if (errno == 0 && epoch >= 0)
            {
                errno = _file.Write(found.Host, part[..slicer.Take(done, part)]);
                LeaveData(epoch);
            }
            else if (errno == 0)
            {
                errno = WriteNew(offset, left, ref slicer, part, out done);
            }

            if (errno != 0)
                return errno;
            offset += done;
            left -= done;
        }

        return 0;
    }

    private static bool MayBeOverwritten(in Mapping found) => found.Kind == ClusterKind.Data && found.IsCopied;

    /// <summary>Checks whether bytes can be written in place.</summary>
    /// <returns>An errno; an epoch of -1 where they cannot.</returns>
    private int TryEnterInPlace(ulong offset, ulong length, out Mapping found, out int epoch)
    {
        epoch = -1;
        found = default;
        if (_isBroken || IsReadOnly)
            return _isBroken ? Errno.EIO : Errno.EROFS;
        bool good = true;
        lock (_tables)
        {
            int errno = _map.Find(offset, length, out found);
            if (errno != 0)
                return errno;
            if (!MayBeOverwritten(found))
                return 0;
            ulong last = (found.Host + found.Bytes - 1) >> _header.ClusterBits;
            for (ulong cluster = found.Host >> _header.ClusterBits; cluster <= last && good; cluster++)
            {
                errno = _refcounts!.Get(cluster, out ulong count);
                if (errno != 0)
                    return errno;
                good = count == 1 && !_metadata.Contains(cluster);
            }

            if (good)
                epoch = EnterData();
        }

        return good ? 0 : BreakLocked($"the bytes at {offset} are in a table's cluster, or in one that is counted as free or shared");
    }

    private int BreakLocked(string how)
    {
        lock (_update)
            return Break(how);
    }

    /// <summary>
    /// Writes the next bytes to new clusters: allocates them, fills them with the new data and, before and after it,
    /// with the old; and only then makes the mapping refer to them.
    /// </summary>
    private int WriteNew(ulong offset, ulong left, scoped ref IoCursor slicer, scoped Span<IoVector> part, out ulong done)
    {
        done = 0;
        int errno = FlushIfFull();
        if (errno != 0)
            return errno;
        ulong first = offset >> _header.ClusterBits;
        ulong host;
        ulong count;
        ulong fresh;
        bool keeps = false;
        lock (_update)
        {
            errno = WaitForMoves(first, (offset + left - 1) >> _header.ClusterBits, out bool waited);
            if (errno != 0 || waited)
                return errno;
            lock (_tables)
            {
                errno = CountMovable(offset, left, out count, out host, out keeps);
                if (errno == 0 && count == 0)
                    return 0;
                if (errno == 0)
                    errno = PrepareTable(first);
                fresh = _refcounts!.End;
                if (errno == 0 && !keeps)
                {
                    errno = _refcounts.Allocate(count, out ulong cluster, out count);
                    host = cluster << _header.ClusterBits;
                }

                NoteReplacedTable();
            }

            if (errno != 0)
                return errno == Contradiction ? Break("a cluster that is in use is counted as free") : errno;
            _isDirty = true;
            _moving.Add((first, first + count - 1));
        }

        done = Math.Min(left, (count << _header.ClusterBits) - (offset & ClusterMask));
        errno = FillNew(offset, done, host, host >= fresh && !keeps, ref slicer, part);
        lock (_update)
        {
            lock (_tables)
            {
                for (ulong i = 0; i < count && errno == 0; i++)
                    errno = Replace(first + i, (host + (i << _header.ClusterBits)) | ClusterMap.Copied, keepsRoom: keeps);
                for (ulong i = 0; i < count && errno != 0 && !keeps; i++)
                    ReleaseUnused(first + i, (host >> _header.ClusterBits) + i);
            }

            _moving.Remove((first, first + count - 1));
            Monitor.PulseAll(_update);
        }

        return errno;
    }

    /// <summary>Waits while any of some clusters is moved.</summary>
    /// <param name="waited">Whether it had to wait: the mapping may have changed then.</param>
    private int WaitForMoves(ulong first, ulong last, out bool waited)
    {
        waited = false;
        while (IsMoving(first, last))
        {
            waited = true;
            Monitor.Wait(_update);
        }

        return _isBroken ? Errno.EIO : 0;
    }

    private bool IsMoving(ulong first, ulong last)
    {
        foreach ((ulong otherFirst, ulong otherLast) in _moving)
        {
            if (first <= otherLast && otherFirst <= last)
                return true;
        }

        return false;
    }

    /// <summary>How many clusters from an offset on need new space; 0 if, by now, the first does not.</summary>
    /// <param name="keeps">Whether it is one cluster of zeroes whose space nothing else refers to.</param>
    private int CountMovable(ulong offset, ulong left, out ulong count, out ulong host, out bool keeps)
    {
        count = 0;
        host = 0;
        keeps = false;
        ulong at = offset;
        ulong end = offset + left;
        ulong sliceEnd = _map.SliceEnd(offset >> _header.ClusterBits) << _header.ClusterBits;
        while (at < Math.Min(end, sliceEnd))
        {
            int errno = _map.Find(at, Math.Min(end, sliceEnd) - at, out Mapping found);
            if (errno != 0)
                return errno;
            bool hasRoom = found.Kind == ClusterKind.Zero && found.Host != 0 && found.IsCopied;
            if (hasRoom && at == offset)
            {
                ulong cluster = found.Host >> _header.ClusterBits;
                errno = _refcounts!.Get(cluster, out ulong uses);
                (count, host, keeps) = (1, found.Host, true);
                return errno != 0 || (uses == 1 && !_metadata.Contains(cluster)) ? errno : Contradiction;
            }

            if (hasRoom || MayBeOverwritten(found))
                break;
            at += found.Bytes;
        }

        count = ((at + ClusterMask) >> _header.ClusterBits) - (offset >> _header.ClusterBits);
        if (at == offset)
            count = 0;
        return 0;
    }

    /// <summary>Makes sure that a cluster's L2 table exists and may be written.</summary>
    private int PrepareTable(ulong cluster)
    {
        int errno = _map.GetTable(cluster, out ulong old, out bool isCopied);
        if (errno != 0 || (old != 0 && isCopied))
            return errno;
        AlignedBuffer? table = _scratch.Rent();
        if (table == null)
            return Errno.ENOMEM;
        IoVector piece = table.Piece(0, _header.ClusterSize);
        errno = old == 0 ? 0 : _file.Read(old, new ReadOnlySpan<IoVector>(in piece), _fileLength);
        if (old == 0)
            new Span<byte>(table.Bytes, (int)_header.ClusterSize).Clear();
        ulong made = 0;
        if (errno == 0)
            errno = _refcounts!.Allocate(1, out made, out _);
        if (errno == 0)
            errno = _file.Write(made << _header.ClusterBits, new ReadOnlySpan<IoVector>(in piece));
        if (errno != 0 && made != 0)
            _ = _refcounts!.Release(made);
        _scratch.Return(table);
        if (errno != 0)
            return errno;
        _l2Cache.Forget(made << _header.ClusterBits, _header.ClusterSize);
        _metadata.TryAdd(made);
        _map.SetTable(cluster, made << _header.ClusterBits);
        _isDirty = _refersToNew = true;
        if (old != 0)
        {
            _metadata.Remove(old >> _header.ClusterBits);
            _l2Cache.Forget(old, _header.ClusterSize);
            Retire(old >> _header.ClusterBits, 1);
        }

        return 0;
    }

    /// <summary>Writes clusters' data, and what the clusters had before and after it.</summary>
    private int FillNew(
        ulong offset, ulong length, ulong host, bool isFresh, scoped ref IoCursor slicer, scoped Span<IoVector> part)
    {
        ulong head = offset & ClusterMask;
        ulong tail = (0 - (offset + length)) & ClusterMask;
        AlignedBuffer? around = null;
        int errno = 0;
        if (head != 0 || tail != 0)
        {
            around = _scratch.Rent();
            if (around == null)
                return Errno.ENOMEM;
            errno = ReadOld(offset - head, head, around.Bytes, isFresh, out bool headIsNeeded);
            if (errno == 0)
                errno = ReadOld(offset + length, tail, around.Bytes + _header.ClusterSize, isFresh, out bool tailIsNeeded)
                    is not 0 and int failed ? failed : Keep(headIsNeeded, tailIsNeeded, ref head, ref tail);
        }

        if (errno == 0)
        {
            int count = 0;
            if (head != 0)
                part[count++] = around!.Piece(0, head);
            count += slicer.Take(length, part[count..]);
            if (tail != 0)
                part[count++] = around!.Piece(_header.ClusterSize, tail);
            errno = _file.Write(host + (offset & ClusterMask) - head, part[..count]);
        }

        if (around != null)
            _scratch.Return(around);
        return errno;

        static int Keep(bool headIsNeeded, bool tailIsNeeded, ref ulong head, ref ulong tail)
        {
            head = headIsNeeded ? head : 0;
            tail = tailIsNeeded ? tail : 0;
            return 0;
        }
    }

    /// <summary>Reads a part of a cluster before the cluster moves; zeroes past the disk's end.</summary>
    /// <param name="isNeeded">False if it is zeroes, which a fresh cluster has already.</param>
    private int ReadOld(ulong offset, ulong length, byte* into, bool isFresh, out bool isNeeded)
    {
        isNeeded = false;
        if (length == 0)
            return 0;
        int errno = ReadsAsZeroes(offset, length, out bool zeroes);
        if (errno != 0 || (zeroes && isFresh))
            return errno;
        isNeeded = true;
        ulong there = offset >= Length ? 0 : Math.Min(length, Length - offset);
        new Span<byte>(into + there, (int)(length - there)).Clear();
        if (there == 0)
            return 0;
        var piece = new IoVector(into, there);
        return Read(offset, new ReadOnlySpan<IoVector>(in piece));
    }

    /// <summary>Whether a part of one cluster has no data, here or in a backing file.</summary>
    private int ReadsAsZeroes(ulong offset, ulong length, out bool zeroes)
    {
        zeroes = offset >= Length;
        if (zeroes)
            return 0;
        int errno;
        Mapping found;
        lock (_tables)
            errno = _map.Find(offset, length, out found);
        zeroes = found.Kind == ClusterKind.Zero
            || (found.Kind == ClusterKind.Unallocated && (_backing == null || offset >= _backing.Length));
        return errno;
    }

    /// <summary>Replaces a cluster's entry; what the old one referred to is released later.</summary>
    /// <param name="keepsRoom">Whether both refer to the same host cluster.</param>
    private int Replace(ulong cluster, ulong entry, bool keepsRoom)
    {
        int errno = _map.GetEntry(cluster, out ulong old);
        if (errno == 0)
            errno = _map.Classify(old, out _, out _);
        if (errno == 0)
            errno = _map.SetEntry(cluster, entry);
        if (errno != 0)
            return errno;
        _isDirty = true;
        _refersToNew |= !keepsRoom || (entry & ClusterMap.ZeroBit) == 0;
        if (keepsRoom)
            return 0;
        if ((old & ClusterMap.CompressedBit) != 0)
        {
            (ulong at, ulong length) = _map.Packed(old, out _);
            ulong first = at >> _header.ClusterBits;
            Retire(first, ((at + length - 1) >> _header.ClusterBits) - first + 1);
        }
        else if ((old & ClusterMap.OffsetMask) != 0)
        {
            Retire((old & ClusterMap.OffsetMask) >> _header.ClusterBits, 1);
        }

        return 0;
    }

    /// <summary>Releases a cluster that a failed write allocated, unless the mapping refers to it by now.</summary>
    private void ReleaseUnused(ulong cluster, ulong host)
    {
        if (_map.GetEntry(cluster, out ulong entry) == 0
            && (entry & ClusterMap.OffsetMask) >> _header.ClusterBits != host)
        {
            _ = _refcounts!.Release(host);
            _isDirty = true;
        }
    }
}
