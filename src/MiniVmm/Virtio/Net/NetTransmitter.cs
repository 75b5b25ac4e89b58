using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Memory;
using MiniVmm.Tracing;

namespace MiniVmm.Virtio.Net;

/// <summary>
/// The guest's frames on their way to the host: each goes to writev(2) where it lies in guest RAM. On its pair's
/// thread.
/// </summary>
internal sealed unsafe class NetTransmitter : IDisposable
{
    // As many as a pass takes before the other direction has its turn.
    private const int MostPerPass = 64;

    private readonly int _fd;
    private readonly bool _hasHeader;
    private readonly uint _mostBytes;
    private readonly NetRateLimit? _limit;
    private readonly NativeBuffer _storage = new(FileCalls.IOV_MAX * sizeof(IoVector));
    private readonly IoVector* _pieces;
    private DescriptorChain? _chain;
    private Virtqueue? _queue;
    private ILoopTimer? _timer;
    private bool _taken;

    /// <param name="fd">Where the frames go, one a write.</param>
    /// <param name="hasHeader">Whether they take the virtio header along.</param>
    /// <param name="mostBytes">Of a frame without the header; longer ones are dropped.</param>
    /// <param name="limit">Null is none.</param>
    public NetTransmitter(int fd, bool hasHeader, uint mostBytes, NetRateLimit? limit)
    {
        _fd = fd;
        _hasHeader = hasHeader;
        _mostBytes = mostBytes;
        _limit = limit;
        _pieces = (IoVector*)_storage.Pin().Pointer;
    }

    public NetCounts Counts { get; } = new();

    /// <inheritdoc cref="ITracedRequests.Trace"/>
    public DeviceTrace? Trace { get; set; }

    /// <summary>Its queue's number.</summary>
    public int Index { get; init; }

    /// <summary>Whether there is more to do as soon as the descriptor takes frames.</summary>
    public bool WantsRoom { get; private set; }

    /// <summary>Whether frames are dropped: the pair is not in use, or its link is gone.</summary>
    public bool IsDropping { get; set; }

    /// <param name="loop">Its thread.</param>
    /// <param name="resume">What to call when the limit lets frames pass again.</param>
    public void Attach(IDeviceLoop loop, Action resume)
    {
        if (_limit is not null)
            _timer = loop.CreateTimer(resume);
    }

    public void Begin(Virtqueue queue)
    {
        _chain ??= new DescriptorChain(queue.LongestChain);
        _queue = queue;
    }

    /// <summary>Forgets the frame that waits here to be sent: its buffers are the driver's again.</summary>
    public void Forget()
    {
        _taken = WantsRoom = false;
        _timer?.Stop();
    }

    public void End()
    {
        _queue = null;
        Forget();
    }

    /// <summary>Sends what is there.</summary>
    /// <returns>True where the driver wants to hear of it.</returns>
    public bool Run()
    {
        if (_queue is not { } queue || _chain is not { } chain)
            return false;
        WantsRoom = false;
        int left = MostPerPass;
        int sent = 0;
        do
        {
            queue.SuppressNotifications();
            while (Sends(queue, chain, ref left))
                sent++;
        }
        while (!WantsRoom && !_taken && queue.ResumeNotifications());
        return sent > 0 && queue.ShouldInterrupt();
    }

    public void Dispose()
    {
        _timer?.Dispose();
        _chain?.Dispose();
        _storage.Dispose();
    }

    private bool Sends(Virtqueue queue, DescriptorChain chain, ref int left)
    {
        if (!_taken)
        {
            if (left == 0)
            {
                // The descriptor has room nearly always: its watch calls again after the other direction.
                WantsRoom = true;
                return false;
            }

            if (!queue.TryTake(chain))
                return false;
            _taken = true;
        }

        if (_limit is not null && !IsDropping && _limit.Delay() is { Ticks: > 0 } delay)
        {
            _timer!.Start(delay);
            return false;
        }

        long begun = Trace?.Now ?? 0;
        if (!Write(chain))
        {
            WantsRoom = true;
            return false;
        }

        left--;
        _taken = false;
        queue.Complete(chain.Head, 0);
        Trace?.Request(Index, VirtioNet.TransmitOperation, 0, chain.ReadableLength - Math.Min(chain.ReadableLength, VirtioNet.HeaderLength), begun);
        return true;
    }

    /// <returns>False where the frame has to wait; one that cannot be sent is done with.</returns>
    private bool Write(DescriptorChain chain)
    {
        uint frame = chain.ReadableLength - VirtioNet.HeaderLength;
        if (IsDropping || chain.ReadableLength < VirtioNet.HeaderLength + VirtioNet.EthernetHeader || frame > _mostBytes)
            return Drop();

        ReadOnlySpan<IoVector> readable = chain.Readable;
        uint skip = _hasHeader ? 0u : VirtioNet.HeaderLength;
        int count = 0;
        for (int i = 0; i < readable.Length && count < FileCalls.IOV_MAX; i++)
        {
            IoVector piece = readable[i];
            uint here = (uint)Math.Min(skip, piece.Length);
            skip -= here;
            if (here != piece.Length)
                _pieces[count++] = new IoVector(piece.Base + here, piece.Length - here);
        }

        while (FileCalls.WriteV(_fd, _pieces, count) < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            if (error == Errno.EAGAIN)
                return false;
            if (error != Errno.EINTR)
                return Drop(); // a header that makes no sense, an interface that is down
        }

        Counts.Add(frame);
        _limit?.Spend(frame);
        return true;
    }

    private bool Drop()
    {
        Counts.AddDropped();
        return true;
    }
}
