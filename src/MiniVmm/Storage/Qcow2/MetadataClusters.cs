namespace MiniVmm.Storage.Qcow2;

/// <summary>
/// Which clusters of the file hold the image's own tables. Nothing that a guest writes, and no newly allocated cluster, may
/// be among them: an image made to deceive has L2 entries that point there, or says by a refcount of 0 that they are free.
/// </summary>
/// <remarks>
/// Header, active L1 table, refcount table, active L2 tables, refcount blocks, snapshot table and the snapshots' L1 tables;
/// not the snapshots' L2 tables, which would all have to be read (as in QEMU's overlap-check=cached).
/// </remarks>
internal sealed class MetadataClusters
{
    private readonly HashSet<ulong> _single = [];
    private readonly List<(ulong First, ulong Count)> _ranges = [];

    public bool Contains(ulong cluster)
    {
        if (_single.Contains(cluster))
            return true;
        int low = 0;
        int high = _ranges.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (_ranges[middle].First <= cluster)
                low = middle + 1;
            else
                high = middle;
        }

        return low > 0 && cluster - _ranges[low - 1].First < _ranges[low - 1].Count;
    }

    /// <summary>Whether any of some clusters is one.</summary>
    public bool ContainsAny(ulong first, ulong count)
    {
        for (ulong i = 0; i < count; i++)
        {
            if (Contains(first + i))
                return true;
        }

        return false;
    }

    /// <returns>False where it is one already.</returns>
    public bool TryAdd(ulong cluster) => !Contains(cluster) && _single.Add(cluster);

    public void Remove(ulong cluster) => _single.Remove(cluster);

    /// <returns>False where some of them are already.</returns>
    public bool TryAddRange(ulong first, ulong count)
    {
        if (count == 0)
            return true;
        int at = _ranges.FindIndex(range => range.First > first);
        at = at < 0 ? _ranges.Count : at;
        if ((at > 0 && first - _ranges[at - 1].First < _ranges[at - 1].Count)
            || (at < _ranges.Count && _ranges[at].First - first < count))
        {
            return false;
        }

        _ranges.Insert(at, (first, count));
        return true;
    }

    public void RemoveRange(ulong first) => _ranges.RemoveAll(range => range.First == first);
}
