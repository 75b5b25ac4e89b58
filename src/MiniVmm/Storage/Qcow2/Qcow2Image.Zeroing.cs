using MiniVmm.Host;

namespace MiniVmm.Storage.Qcow2;

// Discarding, and writing zeroes.
internal sealed unsafe partial class Qcow2Image
{
    private const ulong ZeroBytes = 64 << 10;

    private readonly Lazy<AlignedBuffer> _zeroes = new(() => new AlignedBuffer(ZeroBytes));

    /// <inheritdoc/>
    /// <remarks>
    /// Whole clusters only. One that covers a backing file reads as zeroes afterwards, never as that file again;
    /// version 2 has no such entry, and keeps the cluster.
    /// </remarks>
    public int Discard(ulong offset, ulong length)
    {
        if (_isBroken || IsReadOnly)
            return _isBroken ? Errno.EIO : Errno.EROFS;
        ulong first = (offset + ClusterMask) >> _header.ClusterBits;
        return ChangeClusters(first, EndCluster(offset + length), Emptying.Discard);
    }

    /// <inheritdoc/>
    public int WriteZeroes(ulong offset, ulong length, bool unmap)
    {
        if (_isBroken || IsReadOnly)
            return _isBroken ? Errno.EIO : Errno.EROFS;
        if (_header.Version < 3 && _backing != null)
            return WriteZeroData(offset, length);
        ulong end = offset + length;
        ulong first = (offset + ClusterMask) >> _header.ClusterBits;
        ulong last = EndCluster(end);
        if (first >= last)
            return ZeroParts(offset, length);
        int errno = ZeroParts(offset, (first << _header.ClusterBits) - offset);
        if (errno == 0)
            errno = ChangeClusters(first, last, unmap ? Emptying.Unmap : Emptying.Zero);
        ulong tail = last << _header.ClusterBits;
        return errno == 0 && tail < end ? ZeroParts(tail, end - tail) : errno;
    }

    /// <summary>The cluster after the last whole one; the disk's last one is whole wherever the disk ends.</summary>
    private ulong EndCluster(ulong end) => (end >= Length ? end + ClusterMask : end) >> _header.ClusterBits;

    /// <summary>Writes zeroes to parts of at most two clusters, unless they are there.</summary>
    private int ZeroParts(ulong offset, ulong length)
    {
        for (ulong end = offset + length; offset < end;)
        {
            ulong part = Math.Min(end - offset, _header.ClusterSize - (offset & ClusterMask));
            int errno = ReadsAsZeroes(offset, part, out bool zeroes);
            if (errno == 0 && !zeroes)
                errno = WriteZeroData(offset, part);
            if (errno != 0)
                return errno;
            offset += part;
        }

        return 0;
    }

    private int WriteZeroData(ulong offset, ulong length)
    {
        for (ulong done = 0; done < length; done += ZeroBytes)
        {
            IoVector piece = _zeroes.Value.Piece(0, Math.Min(ZeroBytes, length - done));
            int errno = Write(offset + done, new ReadOnlySpan<IoVector>(in piece));
            if (errno != 0)
                return errno;
        }

        return 0;
    }

    private int ChangeClusters(ulong first, ulong end, Emptying how)
    {
        while (first < end)
        {
            int errno = FlushIfFull();
            if (errno != 0)
                return errno;
            lock (_update)
            {
                ulong last = Math.Min(end, _map.SliceEnd(first));
                errno = WaitForMoves(first, last - 1, out _);
                if (errno != 0)
                    return errno;
                lock (_tables)
                    errno = ChangeSlice(ref first, last, how);
                if (errno == Contradiction)
                    return Break("a cluster that is in use is counted as free");
                if (errno != 0)
                    return errno;
            }
        }

        return 0;
    }

    /// <summary>Changes clusters of one slice of an L2 table; skips a table that need not be created.</summary>
    private int ChangeSlice(ref ulong first, ulong end, Emptying how)
    {
        for (; first < end; first++)
        {
            int errno = _map.GetTable(first, out ulong table, out bool isCopied);
            if (errno != 0)
                return errno;
            if (table == 0 && (how == Emptying.Discard || _backing == null
                || first << _header.ClusterBits >= _backing.Length))
            {
                first = end;
                return 0;
            }

            ulong old = 0;
            if (table != 0)
                errno = _map.GetEntry(first, out old);
            if (errno == 0)
                errno = _map.Classify(old, out _, out _);
            if (errno == 0 && TryEmpty(first, old, how, out ulong entry))
                errno = Change(first, entry, table != 0 && isCopied);
            if (errno != 0)
                return errno;
        }

        return 0;
    }

    private int Change(ulong cluster, ulong entry, bool hasTable)
    {
        int errno = hasTable ? 0 : PrepareTable(cluster);
        NoteReplacedTable();
        return errno != 0 ? errno : Replace(cluster, entry, keepsRoom: (entry & ClusterMap.OffsetMask) != 0);
    }

    /// <summary>Finds the entry that empties a cluster.</summary>
    /// <returns>False where it is empty, or cannot be emptied by an entry.</returns>
    private bool TryEmpty(ulong cluster, ulong old, Emptying how, out ulong entry)
    {
        entry = 0;
        _ = _map.Classify(old, out ClusterKind kind, out ulong host);
        bool covers = _backing != null && cluster << _header.ClusterBits < _backing.Length;
        if (covers)
            entry = ClusterMap.ZeroBit;
        switch (kind)
        {
            case ClusterKind.Unallocated:
                return covers && how != Emptying.Discard;
            case ClusterKind.Zero:
                return host != 0 && how != Emptying.Zero;
            case ClusterKind.Data when how == Emptying.Zero && _header.Version >= 3 && (old & ClusterMap.Copied) != 0:
                entry = old | ClusterMap.ZeroBit;
                return true;
            default:
                return !covers || _header.Version >= 3;
        }
    }

    private enum Emptying
    {
        /// <summary>Zeroes, or the old contents.</summary>
        Discard,

        /// <summary>Zeroes; the space is freed.</summary>
        Unmap,

        /// <summary>Zeroes; the space is kept.</summary>
        Zero,
    }
}
