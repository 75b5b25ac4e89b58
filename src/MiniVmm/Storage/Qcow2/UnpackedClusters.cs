namespace MiniVmm.Storage.Qcow2;

/// <summary>
/// The compressed clusters that were read last, unpacked: a guest reads one with many requests. From any thread; a
/// thread that wants a cluster which another is unpacking waits for it.
/// </summary>
/// <remarks>
/// Identified by their L2 entry, and never out of date: nothing writes compressed clusters here, and the space of one
/// is reused only when no entry refers to it.
/// </remarks>
internal sealed class UnpackedClusters(ulong clusterSize) : IDisposable
{
    private const ulong Bytes = 1 << 20;

    private readonly object _lock = new();
    private readonly Cluster[] _clusters = Make((int)Math.Clamp(Bytes / clusterSize, 4, 64));
    private ulong _now;

    /// <summary>Gets the cluster of an entry; waits while too many others are in use.</summary>
    /// <param name="entry">Of a compressed cluster, and so not 0.</param>
    /// <param name="isNew">
    /// Whether this caller must unpack it, and report the outcome to <see cref="Complete"/>.
    /// </param>
    /// <returns>To be returned with <see cref="Leave"/>; null if out of memory.</returns>
    public Cluster? Enter(ulong entry, out bool isNew)
    {
        lock (_lock)
        {
            Cluster? found;
            while ((found = Find(entry)) == null || (found.Entry == entry && !found.IsReady))
                Monitor.Wait(_lock);
            isNew = found.Entry != entry;
            if (isNew)
            {
                try
                {
                    found.Buffer ??= new AlignedBuffer(clusterSize);
                }
                catch (OutOfMemoryException)
                {
                    return null;
                }

                (found.Entry, found.IsReady) = (entry, false);
            }

            found.Users++;
            found.LastUse = ++_now;
            return found;
        }
    }

    /// <summary>Reports that a new cluster is unpacked, or cannot be.</summary>
    public void Complete(Cluster cluster, bool isGood)
    {
        lock (_lock)
        {
            cluster.IsReady = isGood;
            if (!isGood)
                cluster.Entry = 0;
            Monitor.PulseAll(_lock);
        }
    }

    public void Leave(Cluster cluster)
    {
        lock (_lock)
        {
            if (--cluster.Users == 0)
                Monitor.PulseAll(_lock);
        }
    }

    public void Dispose()
    {
        foreach (Cluster cluster in _clusters)
            cluster.Buffer?.Dispose();
    }

    private static Cluster[] Make(int count)
    {
        var clusters = new Cluster[count];
        for (int i = 0; i < count; i++)
            clusters[i] = new Cluster();
        return clusters;
    }

    /// <summary>The one with an entry, else the one that has not been used for the longest time, else null.</summary>
    private Cluster? Find(ulong entry)
    {
        Cluster? oldest = null;
        foreach (Cluster cluster in _clusters)
        {
            if (cluster.Entry == entry)
                return cluster;
            if (cluster.Users == 0 && (oldest == null || cluster.LastUse < oldest.LastUse))
                oldest = cluster;
        }

        return oldest;
    }

    /// <summary>Room for one; its bytes are written by whom it is new for, and read by others.</summary>
    internal sealed class Cluster
    {
        public AlignedBuffer? Buffer { get; set; }

        /// <summary>0 for nothing.</summary>
        public ulong Entry { get; set; }

        public bool IsReady { get; set; }

        public int Users { get; set; }

        public ulong LastUse { get; set; }
    }
}
