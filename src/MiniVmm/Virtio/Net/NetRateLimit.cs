using System.Diagnostics;

namespace MiniVmm.Virtio.Net;

/// <summary>One direction's bytes a second, over all pairs of queues.</summary>
internal sealed class NetRateLimit(ulong bytesPerSecond)
{
    // A tenth of a second's worth, but never less than one frame with everything offloaded.
    private readonly TokenBucket _bucket = new(bytesPerSecond, Math.Max(bytesPerSecond / 10.0, 64 * 1024));
    private readonly Lock _lock = new();

    /// <summary>How long to wait before the next frame.</summary>
    public TimeSpan Delay()
    {
        lock (_lock)
            return _bucket.Delay(Now);
    }

    public void Spend(long bytes)
    {
        lock (_lock)
            _bucket.Spend(Now, bytes);
    }

    private static long Now => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency));
}
