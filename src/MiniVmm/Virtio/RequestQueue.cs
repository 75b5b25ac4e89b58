using MiniVmm.Tracing;

namespace MiniVmm.Virtio;

/// <summary>The one queue of a device that answers each request at once, on its thread. Allocates nothing once it is active.</summary>
/// <param name="interrupt">Calls the driver.</param>
/// <param name="loop">The device's thread.</param>
/// <param name="serve">Answers a request, and gives the bytes that it wrote.</param>
/// <param name="mayWait">Whether that may take long, as the host's disks do: an answer is announced before the next request is served.</param>
internal sealed class RequestQueue(
    IVirtioInterrupt interrupt, IDeviceLoop loop, Func<DescriptorChain, uint> serve, bool mayWait = false) : IDisposable
{
    /// <summary>Requests before the thread can be parked: a guest that never stops asking can still be reset.</summary>
    public const int MostRequests = 16;

    private ILoopTimer? _again;
    private DescriptorChain? _chain;
    private Virtqueue? _queue;

    /// <inheritdoc cref="ITracedRequests.Trace"/>
    public DeviceTrace? Trace { get; set; }

    /// <summary>The driver is ready.</summary>
    public void Activate(Virtqueue queue)
    {
        ArgumentNullException.ThrowIfNull(queue);
        _queue = queue;
        _chain ??= new DescriptorChain(queue.LongestChain);
        _again ??= loop.CreateTimer(Notify);
    }

    /// <summary>Answers what is there, and leaves the rest for the loop's next turn; without effect while not active.</summary>
    public void Notify()
    {
        if (_queue is null)
            return;
        int left = MostRequests;
        _queue.SuppressNotifications();
        do
        {
            while (left > 0 && _queue.TryTake(_chain!))
            {
                left--;
                long begun = Trace?.Now ?? 0;
                uint written = serve(_chain!);
                _queue.Complete(_chain!.Head, written);
                Trace?.Request(0, 0, 0, written, begun);
                if (mayWait && _queue.ShouldInterrupt())
                    interrupt.QueueUsed(0);
            }
        }
        while (left > 0 && _queue.ResumeNotifications());

        if (left == 0)
            _again!.Start(TimeSpan.Zero);
        if (_queue.ShouldInterrupt())
            interrupt.QueueUsed(0);
        if (_queue.Error != ChainError.None)
            interrupt.NeedsReset();
    }

    /// <summary>Back to before <see cref="Activate"/>.</summary>
    public void Reset()
    {
        _again?.Stop();
        _queue = null;
    }

    public void Dispose() => _chain?.Dispose();
}
