using System.Buffers.Binary;
using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Memory;

namespace MiniVmm.Virtio.Balloon;

/// <summary>
/// The memory balloon (virtio 1.2, 5.5): the guest leaves as much RAM to the host as it is told to, and takes it back
/// when it is told so. With a statistics queue, deflation when the guest runs out of memory, and reports of free pages.
/// </summary>
internal sealed class VirtioBalloon : IVirtioDevice
{
    private const ulong PageSize = 4 * MemoryLayout.KiB; // whatever the guest's pages are (5.5.6)

    private const int InflateQueue = 0;
    private const int DeflateQueue = 1;
    private const int NoQueue = -1;

    // The specification numbers the queues of all features through; Linux and the machines it knows leave no gap for a
    // feature that is not negotiated. Statistics are 2 to both; a report is Linux' next one, or the specification's.
    private const int OptionalQueues = 2;
    private const int SpecifiedReportingQueue = 4;

    // Linux names 256 pages at a time. A longer list is not read to its end: it could keep a reset waiting for minutes.
    private const int MostPages = 64 * 1024;

    /// <summary>Requests of a queue before the thread looks at the others.</summary>
    private const int MostRequests = 32;

    private static readonly ushort[] Sizes = [128, 128, 128, 128, 128];
    private readonly BalloonOptions _options;
    private readonly BalloonPages _pages;
    private readonly Action<OptionMessage> _warn;
    private readonly uint _mostPages;
    private readonly StatisticsQueue _statistics = new();
    private IVirtioInterrupt? _interrupt;
    private ILoopTimer? _again;
    private IReadOnlyList<Virtqueue>? _queues;
    private DescriptorChain? _chain;
    private bool _mustTellHost; // the driver says what it takes back
    private bool _keepsPattern; // it wants free pages back as they were
    private int _statisticsQueue = NoQueue;
    private int _reportingQueue = NoQueue;
    private uint _target;
    private uint _actual;
    private uint _poison;
    private int _behind; // bits of queues that the timer is to look at again
    private bool _warned;
    private volatile bool _active;

    /// <param name="options">What the user said.</param>
    /// <param name="memory">Guest RAM.</param>
    /// <param name="host">Takes the pages back.</param>
    /// <param name="warn">Takes a line where pages cannot go back as one would think.</param>
    /// <exception cref="BadInputException">The guest has no such memory to give.</exception>
    public VirtioBalloon(BalloonOptions options, GuestMemory memory, IPageRelease host, Action<OptionMessage> warn)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(memory);
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(warn);
        ulong ram = memory.Slots.Aggregate(0UL, (sum, slot) => sum + slot.Range.Length);
        if (options.Size >= ram)
        {
            throw new BadInputException(
                $"{OptionName.Balloon.With(ByteSize.Format(options.Size))}: the guest has {ByteSize.Format(ram)} in all; take "
                + $"less");
        }

        _options = options;
        _pages = new BalloonPages(memory, host);
        _warn = warn;
        _mostPages = (uint)Math.Min(ram / PageSize, uint.MaxValue);
        _target = Pages(options.Size);
        if (_pages.Gathers)
        {
            warn($"{OptionName.Balloon} with {OptionName.MemPath}: guest RAM is in huge pages of "
                + $"{ByteSize.Format(host.ReleaseUnit)}, and only whole ones go back to the host");
        }
    }

    public uint DeviceType => 5;

    public ulong Features => (ulong)(BalloonFeatures.StatisticsQueue
        | (_options.DeflateOnOom ? BalloonFeatures.DeflateOnOom : BalloonFeatures.None)
        | (_options.Reporting ? BalloonFeatures.Reporting | BalloonFeatures.PagePoison : BalloonFeatures.None)
        | (_pages.Gathers ? BalloonFeatures.MustTellHost : BalloonFeatures.None));

    public IReadOnlyList<ushort> QueueSizes => Sizes;

    /// <summary>Bytes that the guest is asked to do without.</summary>
    public ulong Target => Volatile.Read(ref _target) * PageSize;

    /// <summary>Bytes that it does without, as it says.</summary>
    public ulong Actual => Volatile.Read(ref _actual) * PageSize;

    /// <summary>Bytes given back to the host, ever, by balloon and reports; what has come again is included.</summary>
    public ulong Released => _pages.Released;

    /// <summary>Asks the guest to do without so many bytes, at most all of its RAM. Any thread.</summary>
    /// <param name="bytes">Rounded down to 4 KiB.</param>
    public void SetTarget(ulong bytes)
    {
        Volatile.Write(ref _target, Pages(bytes));
        if (_active)
            _interrupt!.ConfigurationChanged();
    }

    /// <summary>Asks the guest how it uses its memory. Any thread but the device's.</summary>
    /// <param name="wait">How long to wait for its answer.</param>
    /// <returns>Null where the guest has no driver for it, or did not answer.</returns>
    public BalloonStatistics? RequestStatistics(TimeSpan wait) => _statistics.Request(wait);

    public void Attach(IVirtioInterrupt interrupt, IReadOnlyList<IDeviceLoop> threads)
    {
        ArgumentNullException.ThrowIfNull(threads);
        _interrupt = interrupt;
        _again = threads[0].CreateTimer(CatchUp);
        _statistics.Attach(threads[0], () =>
        {
            if (_statisticsQueue != NoQueue)
                Interrupt(_statisticsQueue);
        });
    }

    public void ReadConfiguration(uint offset, Span<byte> data)
    {
        Span<byte> all = stackalloc byte[16];
        all.Clear(); // the command of free page hints, which are not offered, at 8
        BinaryPrimitives.WriteUInt32LittleEndian(all, Volatile.Read(ref _target));
        BinaryPrimitives.WriteUInt32LittleEndian(all[4..], Volatile.Read(ref _actual));
        BinaryPrimitives.WriteUInt32LittleEndian(all[12..], Volatile.Read(ref _poison));
        ConfigurationSpace.Read(all, offset, data);
    }

    public void WriteConfiguration(uint offset, ReadOnlySpan<byte> data)
    {
        Span<byte> all = stackalloc byte[16];
        ReadConfiguration(0, all);
        if (offset >= all.Length)
            return;
        data[..Math.Min(data.Length, all.Length - (int)offset)].CopyTo(all[(int)offset..]);
        Volatile.Write(ref _actual, BinaryPrimitives.ReadUInt32LittleEndian(all[4..]));
        Volatile.Write(ref _poison, BinaryPrimitives.ReadUInt32LittleEndian(all[12..]));
    }

    public void Activate(ulong features, IReadOnlyList<Virtqueue> queues)
    {
        ArgumentNullException.ThrowIfNull(queues);
        BalloonFeatures taken = (BalloonFeatures)features;
        _mustTellHost = taken.HasFlag(BalloonFeatures.MustTellHost);
        _keepsPattern = taken.HasFlag(BalloonFeatures.PagePoison);
        _queues = queues;
        _chain ??= new DescriptorChain(queues[InflateQueue].LongestChain);
        int next = OptionalQueues;
        _statisticsQueue = taken.HasFlag(BalloonFeatures.StatisticsQueue) ? next++ : NoQueue;
        if (taken.HasFlag(BalloonFeatures.Reporting))
            _reportingQueue = queues[SpecifiedReportingQueue].Size != 0 ? SpecifiedReportingQueue : next;
        if (_statisticsQueue != NoQueue)
            _statistics.Activate(queues[_statisticsQueue]);
        _active = true;
    }

    public void Notify(int queue)
    {
        if (_queues is null)
            return;
        if (queue == _statisticsQueue)
        {
            _statistics.Take();
            Interrupt(queue);
        }
        else if (queue is InflateQueue or DeflateQueue || queue == _reportingQueue)
        {
            Serve(queue);
        }
    }

    public void ResetQueue(int queue)
    {
        if (queue == _statisticsQueue)
            _statistics.Forget();
    }

    public string StateName => "virtio-balloon";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteUInt32(Volatile.Read(ref _target));
        writer.WriteUInt32(Volatile.Read(ref _actual));
        writer.WriteUInt32(Volatile.Read(ref _poison));
        _statistics.Save(writer);
        _pages.Save(writer);
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        uint target = reader.ReadUInt32();
        reader.Check(target <= _mostPages, $"a target of {target} pages, and RAM has {_mostPages}");
        Volatile.Write(ref _target, target);
        Volatile.Write(ref _actual, reader.ReadUInt32());
        Volatile.Write(ref _poison, reader.ReadUInt32());
        _statistics.Restore(reader);
        _pages.Restore(reader);
    }

    public void Reset()
    {
        _active = false;
        _again!.Stop();
        _behind = 0;
        _statistics.Reset();
        _pages.Forget();
        _queues = null;
        _statisticsQueue = _reportingQueue = NoQueue;
        Volatile.Write(ref _actual, 0);
        Volatile.Write(ref _poison, 0);
    }

    public void Dispose()
    {
        _active = false;
        _statistics.Dispose();
        _chain?.Dispose();
    }

    private uint Pages(ulong bytes) => (uint)Math.Min(bytes / PageSize, _mostPages);

    private void CatchUp()
    {
        int behind = _behind;
        _behind = 0;
        for (int i = 0; i < Sizes.Length; i++)
        {
            if ((behind & (1 << i)) != 0)
                Notify(i);
        }
    }

    private void Serve(int index)
    {
        Virtqueue queue = _queues![index];
        int left = MostRequests;
        queue.SuppressNotifications();
        do
        {
            while (left > 0 && queue.TryTake(_chain!))
            {
                left--;
                if (index == _reportingQueue)
                    Report(_chain!);
                else
                    Move(_chain!, index == InflateQueue);
                queue.Complete(_chain!.Head, 0);
            }
        }
        while (left > 0 && queue.ResumeNotifications());

        if (left == 0)
        {
            _behind |= 1 << index;
            _again!.Start(TimeSpan.Zero);
        }

        Interrupt(index);
        WarnOnce();
    }

    private void Move(DescriptorChain chain, bool inflate)
    {
        // A huge page is gathered over time. A driver that does not say what it takes back could be using some of it.
        if (_pages.Gathers && !_mustTellHost)
            return;
        IoCursor numbers = new(chain.Readable);
        Span<byte> number = stackalloc byte[sizeof(uint)];
        for (int i = 0; i < MostPages && numbers.TryCopyOut(number); i++)
        {
            uint page = BinaryPrimitives.ReadUInt32LittleEndian(number);
            if (inflate)
                _pages.Inflate(page);
            else
                _pages.Deflate(page);
        }

        _pages.Flush();
    }

    private void Report(DescriptorChain chain)
    {
        // Pages come back as zeroes: a guest that keeps a pattern in free ones would miss it (5.5.6.7).
        if (_keepsPattern && Volatile.Read(ref _poison) != 0)
            return;
        foreach (IoVector piece in chain.Writable)
            _pages.Report(piece);
    }

    private void Interrupt(int index)
    {
        Virtqueue queue = _queues![index];
        if (queue.ShouldInterrupt())
            _interrupt!.QueueUsed(index);
        if (queue.Error != ChainError.None)
            _interrupt!.NeedsReset();
    }

    private void WarnOnce()
    {
        if (_warned || _pages.Error == 0)
            return;
        _warned = true;
        _warn($"{OptionName.Balloon}: the host does not take pages back: {Errno.Explain(_pages.Error)}");
    }

    /// <summary>virtio 1.2, 5.5.3.</summary>
    [Flags]
    private enum BalloonFeatures : ulong
    {
        None = 0,
        MustTellHost = 1 << 0,
        StatisticsQueue = 1 << 1,
        DeflateOnOom = 1 << 2,
        PagePoison = 1 << 4,
        Reporting = 1 << 5,
    }
}
