using System.Diagnostics;
using System.Text;
using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Storage;
using MiniVmm.Tracing;

namespace MiniVmm.Virtio.Block;

/// <summary>
/// A disk (virtio 1.2, 5.2). Its own thread takes the requests from the queues; what the page cache answers at once
/// it does right there, and what waits for the host's disk it hands to threads that complete it, so that many are in
/// flight.
/// </summary>
/// <remarks>
/// Whether the next one waits is judged by how long the last one of its kind took: a hand-over costs about as much as a
/// short request itself. A flush always waits, and so never holds up what comes behind it.
/// </remarks>
internal sealed class VirtioBlock : IVirtioDevice, IDeviceCounters, ITracedRequests
{
    private const int MostQueues = 64;
    private const int MostWorkers = 16;
    private const int MostInFlight = 64;
    private const int MostPerTurn = 16;
    private const int MostPerPass = 256; // and 64 MiB: so many bytes count as a request more
    private const int BytesOfOne = 256 << 10;

    // Longer than this is waiting; and so long at most a completed request goes without its interrupt.
    private const long QuickNanoseconds = 100_000;
    private const long InterruptNanoseconds = 50_000;

    // As QEMU: a tenth of a second's worth may come at once.
    private const double BurstSeconds = 0.1;

    private readonly IDiskImage _image;
    private readonly BlockConfiguration _configuration;
    private readonly BlockWarnings _warnings;
    private readonly BlockWorkers _workers;
    private readonly BlockCounters _counters = new();
    private readonly byte[] _serial = new byte[DiskOptions.MaxSerial];
    private readonly Func<long> _clock;
    private readonly TokenBucket? _iops;
    private readonly TokenBucket? _bytes;
    private readonly EventFd _again = new();
    private readonly Lock[] _gates;
    private readonly object _requests = new();
    private readonly Stack<BlockRequest> _free = new(MostInFlight);
    private readonly bool[] _waits = new bool[2]; // reads, writes
    private IReadOnlyList<Virtqueue> _queues = [];
    private BlockFeatures _negotiated;
    private IVirtioInterrupt? _interrupt;
    private IWatch? _watch;
    private ILoopTimer? _timer;
    private int _made;
    private int _turn;
    private bool _starved;

    /// <param name="image">The contents; disposed with the device.</param>
    /// <param name="options">Serial number, cache and rate limits.</param>
    /// <param name="queues">One a vCPU; more than 64 are not made.</param>
    /// <param name="warn">
    /// Takes a line for the user when the host's disk fails, once a kind of failure; on any thread.
    /// </param>
    public VirtioBlock(IDiskImage image, DiskOptions options, int queues, Action<OptionMessage> warn)
        : this(image, options, queues, warn, static () => Stopwatch.GetElapsedTime(0).Ticks * 100)
    {
    }

    /// <param name="clock">Monotonic, in nanoseconds.</param>
    internal VirtioBlock(
        IDiskImage image,
        DiskOptions options,
        int queues,
        Action<OptionMessage> warn,
        Func<long> clock,
        int workers = MostWorkers)
    {
        ArgumentNullException.ThrowIfNull(image);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(queues);
        queues = Math.Min(queues, MostQueues);
        _image = image;
        _clock = clock;
        _configuration = new BlockConfiguration(image, queues);
        _warnings = new BlockWarnings(options.Subject, warn);
        _workers = new BlockWorkers("disk-io", workers, Work);
        Encoding.ASCII.GetBytes(options.Serial ?? "", _serial);
        _iops = Limit(options.Iops);
        _bytes = Limit(options.BytesPerSecond);
        _waits[0] = _waits[1] = options.Cache == DiskCache.None;
        QueueSizes = [.. Enumerable.Repeat(BlockConfiguration.QueueSize, queues)];
        _gates = [.. Enumerable.Range(0, queues).Select(_ => new Lock())];
    }

    public string Kind => "blk";

    public DeviceTrace? Trace { private get; set; }

    public uint DeviceType => 2;

    public ulong Features => (ulong)_configuration.Features;

    public IReadOnlyList<ushort> QueueSizes { get; }

    public void Attach(IVirtioInterrupt interrupt, IReadOnlyList<IDeviceLoop> threads)
    {
        ArgumentNullException.ThrowIfNull(threads);
        _interrupt = interrupt;
        _watch = threads[0].Watch(_again.Fd, Readiness.Read, _ =>
        {
            _again.Read();
            Serve();
        });
        if (_iops != null || _bytes != null)
            _timer = threads[0].CreateTimer(Serve);
    }

    public void ReadConfiguration(uint offset, Span<byte> data) => _configuration.Read(offset, data);

    public void WriteConfiguration(uint offset, ReadOnlySpan<byte> data)
    {
        if (_negotiated.HasFlag(BlockFeatures.ConfigWce))
            _configuration.Write(offset, data);
    }

    public void Activate(ulong features, IReadOnlyList<Virtqueue> queues)
    {
        _negotiated = (BlockFeatures)features & _configuration.Features;

        // A driver that knows no flush wants each write kept when it is told that it is done (5.2.6.2), also one that
        // could choose (5.2.5.2).
        _configuration.WriteBack = _negotiated.HasFlag(BlockFeatures.Flush);
        _queues = queues;
    }

    public void Notify(int queue)
    {
        if (queue >= _queues.Count || _queues[queue].Size == 0)
            return;
        int left = MostPerPass;
        bool more = true;
        while (more && left > 0)
            more = ServeQueue(queue, ref left);
        if (more)
            _again.Signal();
    }

    /// <inheritdoc/>
    /// <remarks>Waits for the requests that the host is at; they are completed.</remarks>
    public void Quiesce()
    {
        lock (_requests)
        {
            while (_free.Count < _made)
                Monitor.Wait(_requests);
        }
    }

    public string StateName => "virtio-blk";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteUInt64(_configuration.Sectors);
        writer.WriteBool(_configuration.WriteBack);
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ulong sectors = reader.ReadUInt64();
        reader.Check(
            sectors == _configuration.Sectors, $"a disk of {sectors} sectors, and this one has {_configuration.Sectors}");
        _configuration.WriteBack = reader.ReadBool();
    }

    /// <inheritdoc/>
    /// <remarks>Waits for what the host is at: such a request cannot be called back.</remarks>
    public void Reset()
    {
        _timer?.Stop();
        Quiesce();
        _starved = false;
        _queues = [];
        _negotiated = BlockFeatures.None;
        _configuration.WriteBack = true;
    }

    /// <summary>Puts on stable storage what the guest wrote, flushed or not, and closes the image.</summary>
    public void Dispose()
    {
        Reset();
        _workers.Dispose();
        if (!_image.IsReadOnly && _image.Flush() is not 0 and int errno)
            _warnings.Failed(BlockOperation.Flush, 0, errno);
        _image.Dispose();
        _watch?.Dispose();
        _timer?.Dispose();
        _again.Dispose();
        while (_free.TryPop(out BlockRequest? request))
            request.Dispose();
        _made = 0;
    }

    public IReadOnlyDictionary<string, long> ReadCounters() => _counters.Read();

    private static TokenBucket? Limit(ulong rate) =>
        rate == 0 ? null : new TokenBucket(rate, Math.Max(1, rate * BurstSeconds));

    /// <summary>Goes round the queues until there is nothing to take, or nothing may be taken now.</summary>
    private void Serve()
    {
        int left = MostPerPass;
        bool more = true;
        while (more && left > 0)
        {
            more = false;
            int first = _turn;
            for (int i = 0; i < _queues.Count; i++)
            {
                int queue = (first + i) % _queues.Count;
                int before = left;
                more |= _queues[queue].Size != 0 && ServeQueue(queue, ref left);

                // Who had the last of what there was is the last to be asked next time.
                if (left != before)
                    _turn = queue + 1;
            }
        }

        // The thread has other things to look at in between, such as being parked.
        if (more)
            _again.Signal();
    }

    /// <returns>Whether there may be more to take at once.</returns>
    private bool ServeQueue(int index, ref int left)
    {
        Virtqueue queue = _queues[index];
        bool more = true;
        long completedAt = long.MaxValue; // the first one that the driver was not told of
        lock (_gates[index])
            queue.SuppressNotifications();
        for (int i = 0; i < MostPerTurn && more && left > 0; i++)
        {
            // What may not be taken yet waits in the ring, and the timer or a worker wakes us.
            if (MustWait() || !TryRent(out BlockRequest? request))
            {
                more = false;
                break;
            }

            bool taken;
            lock (_gates[index])
            {
                taken = queue.TryTake(request.Chain);
                if (!taken)
                    more = queue.ResumeNotifications();
            }

            if (!taken)
            {
                Return(request);
                continue;
            }

            left -= 1 + (int)((request.Chain.ReadableLength + request.Chain.WritableLength) / BytesOfOne);
            request.Queue = index;
            if (TryDoNow(queue, request, out long now))
                completedAt = Math.Min(completedAt, now);
            if (completedAt != long.MaxValue && now - completedAt > InterruptNanoseconds)
            {
                Interrupt(index, queue);
                completedAt = long.MaxValue;
            }
        }

        if (completedAt != long.MaxValue)
            Interrupt(index, queue);
        if (queue.Error != ChainError.None)
            _interrupt!.NeedsReset();
        return more;
    }

    /// <returns>False where a worker has it.</returns>
    private bool TryDoNow(Virtqueue queue, BlockRequest request, out long now)
    {
        BlockStatus status = request.Prepare(_configuration, _negotiated);
        now = _clock();
        request.Begin(Trace);
        if (status == BlockStatus.Ok)
        {
            Spend(request, now);
            if (Waits(request) && _workers.TryHand(request))
                return false;
            status = Execute(request);
            now = Judge(request, now);
        }

        Complete(queue, request, status);
        Return(request);
        return true;
    }

    /// <summary>On a worker.</summary>
    private void Work(BlockRequest request)
    {
        long start = _clock();
        request.Begin(Trace);
        BlockStatus status = Execute(request);
        Judge(request, start);

        // The queues stay until every request is back.
        Virtqueue queue = _queues[request.Queue];
        Complete(queue, request, status);
        Interrupt(request.Queue, queue);
        Return(request);
    }

    private void Complete(Virtqueue queue, BlockRequest request, BlockStatus status)
    {
        _counters.Count(request, status);
        uint written = request.Finish(status);
        lock (_gates[request.Queue])
            queue.Complete(request.Chain.Head, written);
        request.Report(Trace);
    }

    private void Interrupt(int index, Virtqueue queue)
    {
        bool wanted;
        lock (_gates[index])
            wanted = queue.ShouldInterrupt();
        if (wanted)
            _interrupt!.QueueUsed(index);
    }

    private BlockStatus Execute(BlockRequest request)
    {
        int errno;
        try
        {
            errno = Ask(request);
        }
        catch (Exception failure)
        {
            // No image should throw, but a request that never came back would hold up every reset, and the machine's
            // end; and nobody is above a worker.
            _warnings.Threw(request.Operation, request.Offset, failure);
            return BlockStatus.IoError;
        }

        if (errno == 0)
            return BlockStatus.Ok;
        _warnings.Failed(request.Operation, request.Offset, errno);
        return errno == Errno.EOPNOTSUPP ? BlockStatus.Unsupported : BlockStatus.IoError;
    }

    /// <summary>Has the image do it; 0 or the errno.</summary>
    private int Ask(BlockRequest request)
    {
        int errno = 0;
        switch (request.Operation)
        {
            case BlockOperation.Read:
                errno = request.Length == 0 ? 0 : _image.Read(request.Offset, request.Data);
                break;
            case BlockOperation.Write:
                errno = request.Length == 0 ? 0 : _image.Write(request.Offset, request.Data);
                break;
            case BlockOperation.Flush:
                errno = _image.Flush();
                break;
            case BlockOperation.GetId:
                PutSerial(request.Data);
                break;
            case BlockOperation.Discard or BlockOperation.WriteZeroes:
                errno = DoSegments(request);
                break;
        }

        // Without a write cache what is completed is kept.
        if (errno == 0 && !_configuration.WriteBack
            && request.Operation is BlockOperation.Write or BlockOperation.WriteZeroes)
        {
            errno = _image.Flush();
        }

        return errno;
    }

    private int DoSegments(BlockRequest request)
    {
        foreach (ref readonly BlockSegment segment in request.Segments)
        {
            if (segment.Sectors == 0)
                continue;
            ulong offset = segment.Sector * IDiskImage.SectorSize;
            ulong length = (ulong)segment.Sectors * IDiskImage.SectorSize;
            int errno = request.Operation == BlockOperation.Discard
                ? _image.Discard(offset, length)
                : _image.WriteZeroes(offset, length, (segment.Flags & BlockSegment.Unmap) != 0);
            if (errno != 0)
                return errno;
        }

        return 0;
    }

    private unsafe void PutSerial(ReadOnlySpan<IoVector> data)
    {
        int at = 0;
        foreach (ref readonly IoVector piece in data)
        {
            int count = (int)Math.Min(piece.Length, (ulong)(_serial.Length - at));
            _serial.AsSpan(at, count).CopyTo(new Span<byte>(piece.Base, count));
            new Span<byte>(piece.Base + count, (int)Math.Min(piece.Length - (ulong)count, int.MaxValue)).Clear();
            at += count;
        }
    }

    private bool Waits(BlockRequest request) => request.Operation switch
    {
        BlockOperation.Read => _waits[0],
        BlockOperation.Write => _waits[1] || !_configuration.WriteBack,
        BlockOperation.GetId => false,
        _ => true,
    };

    /// <summary>Remembers whether the likes of it wait.</summary>
    /// <returns>The time.</returns>
    private long Judge(BlockRequest request, long start)
    {
        long now = _clock();
        if (request.Operation is BlockOperation.Read or BlockOperation.Write)
            Volatile.Write(ref _waits[(int)request.Operation], now - start > QuickNanoseconds);
        return now;
    }

    /// <summary>Whether a rate limit forbids to take anything; the timer is then set.</summary>
    private bool MustWait()
    {
        if (_timer == null)
            return false;
        long now = _clock();
        TimeSpan delay = _iops?.Delay(now) ?? TimeSpan.Zero;
        if (_bytes?.Delay(now) is TimeSpan other && other > delay)
            delay = other;
        if (delay <= TimeSpan.Zero)
            return false;
        _timer.Start(delay);
        return true;
    }

    private void Spend(BlockRequest request, long now)
    {
        if (request.Operation is BlockOperation.Flush or BlockOperation.GetId)
            return;
        _iops?.Spend(now, 1);
        _bytes?.Spend(now, request.Length);
    }

    private bool TryRent([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out BlockRequest? request)
    {
        lock (_requests)
        {
            if (_free.TryPop(out request))
                return true;
            _starved = _made == MostInFlight;
            if (_starved)
                return false;
        }

        // Counted once it is there: a reset waits for all that are.
        request = new BlockRequest(_queues[0].LongestChain);
        lock (_requests)
            _made++;
        return true;
    }

    private void Return(BlockRequest request)
    {
        bool wake;
        lock (_requests)
        {
            _free.Push(request);
            wake = _starved && _free.Count >= MostInFlight / 4;
            if (wake)
                _starved = false;
            if (_free.Count == _made)
                Monitor.PulseAll(_requests);
        }

        if (wake)
            _again.Signal();
    }
}
