using MiniVmm.Host;

namespace MiniVmm.Storage.Qcow2;

// Flushing: the order of writes, and when replaced clusters may be reused.
internal sealed unsafe partial class Qcow2Image
{
    private const int MaxRetired = 1024;

    private readonly Lock _flush = new();
    private readonly long[] _dataInFlight = new long[2];
    private List<(ulong Cluster, ulong Count)> _retired = [];
    private List<(ulong Cluster, ulong Count)> _waiting = [];
    private volatile bool _isDirty;
    private bool _refersToNew;
    private bool _hasLeaked;
    private int _epoch;

    /// <summary>
    /// Puts on stable storage whatever was written before the call: data and refcounts, then what refers to them.
    /// </summary>
    public int Flush()
    {
        if (IsReadOnly)
            return 0;
        if (_isBroken)
            return Errno.EIO;
        if (!_isDirty)
            return _file.Flush();
        lock (_flush)
        {
            int errno;
            bool takes;
            lock (_update)
            {
                errno = WriteBack();

                // Two epochs have counters: the next one begins when nothing of the last but one is in flight.
                takes = errno == 0 && _waiting.Count == 0 && _retired.Count > 0
                    && Volatile.Read(ref _dataInFlight[_epoch ^ 1]) == 0;
                if (takes)
                {
                    // From now on, nobody who reads the tables finds the replaced clusters.
                    (_waiting, _retired) = (_retired, _waiting);
                    lock (_tables)
                        _epoch ^= 1;
                }
            }

            if (errno == 0)
                errno = _file.Flush();
            lock (_update)
            {
                if (errno != 0)
                {
                    _isDirty = true;
                    if (takes)
                    {
                        _retired.AddRange(_waiting);
                        _waiting.Clear();
                    }

                    return errno;
                }

                if (_waiting.Count > 0 && Volatile.Read(ref _dataInFlight[_epoch ^ 1]) == 0)
                    ReleaseWaiting();
                _isDirty |= _waiting.Count > 0 || _retired.Count > 0;
            }

            return _isBroken ? Errno.EIO : 0;
        }
    }

    /// <summary>A read or write of data begins, on what the tables say now. With the tables' lock held.</summary>
    private int EnterData()
    {
        Interlocked.Increment(ref _dataInFlight[_epoch]);
        return _epoch;
    }

    private void LeaveData(int epoch) => Interlocked.Decrement(ref _dataInFlight[epoch]);

    /// <summary>Flushes before more slices are dirty, or clusters replaced, than there is room for.</summary>
    private int FlushIfFull()
    {
        if (_isBroken)
            return Errno.EIO;
        bool isFull;
        lock (_tables)
        {
            isFull = _l2Cache.DirtyCount >= _l2Cache.DirtyLimit || _refcountCache!.DirtyCount >= _refcountCache.DirtyLimit
                || _retired.Count >= MaxRetired;
        }

        return isFull ? Flush() : 0;
    }

    /// <summary>Schedules clusters' refcounts to go down by one, once nothing durable refers to them.</summary>
    private void Retire(ulong cluster, ulong count)
    {
        _isDirty = true;
        if (_retired.Count > 0 && _retired[^1] is var last && last.Cluster + last.Count == cluster)
            _retired[^1] = (last.Cluster, last.Count + count);
        else
            _retired.Add((cluster, count));
    }

    private void NoteReplacedTable()
    {
        (ulong cluster, ulong count) = _refcounts!.Replaced;
        _refcounts.Replaced = default;
        if (count > 0)
            Retire(cluster, count);
    }

    /// <summary>
    /// Writes refcounts; waits until they and all data are durable; writes what refers to them. With the lock of
    /// updates held, so that nothing comes in between that refers to what is not durable.
    /// </summary>
    private int WriteBack()
    {
        int errno = _refcountCache!.WriteDirty();
        if (errno == 0 && _refersToNew)
            errno = _file.Flush();
        if (errno == 0)
            errno = _l2Cache.WriteDirty();
        if (errno == 0)
            errno = _map.WriteL1(_file);
        if (errno != 0)
            return errno;
        lock (_tables)
        {
            _refcountCache.SetClean();
            _l2Cache.SetClean();
        }

        _refersToNew = false;
        _isDirty = false;
        return 0;
    }

    /// <summary>A count that cannot be lowered stays: space leaks, and nothing else happens.</summary>
    private void NoteLeak()
    {
        if (!_hasLeaked)
        {
            _report?.Invoke($"{_file.Subject}: some freed clusters cannot be reused: their refcounts cannot be read or "
                + $"written; `qemu-img check -r leaks` recovers them");
        }

        _hasLeaked = true;
    }

    private void ReleaseWaiting()
    {
        foreach ((ulong first, ulong count) in _waiting)
        {
            ulong free = 0;
            for (ulong i = 0; i <= count; i++)
            {
                ulong uses = 0;
                int errno = 0;
                lock (_tables)
                {
                    if (i < count)
                        errno = _refcounts!.Get(first + i, out uses);
                    if (i < count && errno == 0 && (uses == 0 || _metadata.Contains(first + i)))
                    {
                        Break($"cluster {first + i} was in use, and is counted as free or as a table's");
                        _waiting.Clear();
                        return;
                    }
                }

                if (uses == 1)
                {
                    free++;
                    continue;
                }

                // While the refcount is not lowered, nobody else takes the clusters that are being discarded.
                if (free > 0)
                    _ = _file.Discard((first + i - free) << _header.ClusterBits, free << _header.ClusterBits);
                lock (_tables)
                {
                    for (ulong freed = first + i - free; freed < first + i + (uses > 1 ? 1u : 0u); freed++)
                        errno |= _refcounts!.Release(freed);
                }

                if (errno != 0)
                    NoteLeak();
                free = 0;
            }
        }

        _waiting.Clear();
        _isDirty = true;
    }
}
