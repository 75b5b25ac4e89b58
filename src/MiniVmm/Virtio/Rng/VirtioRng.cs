using System.Runtime.InteropServices;
using MiniVmm.Devices;
using MiniVmm.Host;

namespace MiniVmm.Virtio.Rng;

/// <summary>
/// The entropy device (virtio 1.2, 5.4): random bytes of the host's kernel, written by getrandom(2) straight into the
/// guest's buffers.
/// </summary>
internal sealed unsafe class VirtioRng : IVirtioDevice
{
    /// <summary>Most bytes for one request, however long its buffers are: 5.4.6 asks for one or more.</summary>
    public const int MostBytes = 64 * 1024;

    /// <summary>Requests before the thread can be parked: a guest that never stops asking can still be reset.</summary>
    private const int MostRequests = 16;

    private static readonly ushort[] Sizes = [16];
    private IVirtioInterrupt? _interrupt;
    private ILoopTimer? _again;
    private DescriptorChain? _chain;
    private Virtqueue? _queue;

    public uint DeviceType => 4;

    public ulong Features => 0;

    public IReadOnlyList<ushort> QueueSizes => Sizes;

    public void Attach(IVirtioInterrupt interrupt, IReadOnlyList<IDeviceLoop> threads)
    {
        ArgumentNullException.ThrowIfNull(threads);
        _interrupt = interrupt;
        _again = threads[0].CreateTimer(() => Notify(0));
    }

    public void ReadConfiguration(uint offset, Span<byte> data) => data.Clear();

    public void WriteConfiguration(uint offset, ReadOnlySpan<byte> data)
    {
        // It has none.
    }

    public void Activate(ulong features, IReadOnlyList<Virtqueue> queues)
    {
        ArgumentNullException.ThrowIfNull(queues);
        _queue = queues[0];
        _chain ??= new DescriptorChain(_queue.LongestChain);
    }

    public void Notify(int queue)
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
                _queue.Complete(_chain!.Head, Fill(_chain.Writable));
            }
        }
        while (left > 0 && _queue.ResumeNotifications());

        if (left == 0)
            _again!.Start(TimeSpan.Zero);
        if (_queue.ShouldInterrupt())
            _interrupt!.QueueUsed(0);
        if (_queue.Error != ChainError.None)
            _interrupt!.NeedsReset();
    }

    public string StateName => "virtio-rng";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        // Nothing but its queue.
    }

    public void Restore(StateReader reader)
    {
        // Nothing but its queue.
    }

    public void Reset()
    {
        _again!.Stop();
        _queue = null;
    }

    public void Dispose() => _chain?.Dispose();

    /// <returns>Bytes written.</returns>
    private static uint Fill(ReadOnlySpan<IoVector> pieces)
    {
        uint written = 0;
        foreach (IoVector piece in pieces)
        {
            ulong wanted = Math.Min(piece.Length, MostBytes - written);
            for (ulong done = 0; done < wanted;)
            {
                nint got = Linux.GetRandom(piece.Base + done, (nuint)(wanted - done), 0);
                if (got > 0)
                {
                    done += (ulong)got;
                    written += (uint)got;
                }
                else if (Marshal.GetLastPInvokeError() != Errno.EINTR)
                {
                    return written; // the host has no page left for the buffer
                }
            }
        }

        return written;
    }
}
