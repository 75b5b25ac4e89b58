namespace MiniVmm.Virtio.Net;

/// <summary>What went one way through a pair of queues: counted by its thread, read by any.</summary>
internal sealed class NetCounts
{
    private long _frames;
    private long _bytes;
    private long _dropped;

    public long Frames => Volatile.Read(ref _frames);

    /// <summary>Of the frames, from the Ethernet header on.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Frames that went nowhere, malformed ones among them.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    public void Add(long bytes)
    {
        Volatile.Write(ref _frames, _frames + 1);
        Volatile.Write(ref _bytes, _bytes + bytes);
    }

    public void AddDropped() => Volatile.Write(ref _dropped, _dropped + 1);
}
