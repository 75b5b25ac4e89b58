using Stopwatch = System.Diagnostics.Stopwatch;

namespace MiniVmm.Tracing;

/// <summary>
/// One tracing of a machine: a ring for each thread that has something to tell, and a thread that reads them all and gives a
/// sink what passes the filter, in the order in which it was done.
/// </summary>
internal sealed class TraceSession : IDisposable
{
    /// <summary>Events of a vCPU between two looks of the reader: 2 MiB each.</summary>
    private const int VcpuCapacity = 1 << 15;

    /// <summary>And of any other thread: 256 KiB each.</summary>
    private const int OtherCapacity = 1 << 12;

    /// <summary>What the names of vCPUs' threads begin with.</summary>
    private const string VcpuThread = "vcpu";

    /// <summary>How an interrupt is raised, where it is not the level that a line is set to.</summary>
    public const uint Edge = 2;

    /// <inheritdoc cref="Edge"/>
    public const uint Message = 3;

    private const int MostOthers = 256;
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(2);

    [ThreadStatic]
    private static TraceRing? _ofThisThread;

    private readonly Lock _changes = new();
    private readonly ITraceSink _sink;
    private readonly TraceReader _reader;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _ends = new();
    private readonly TraceRing?[] _vcpuRings;
    private volatile TraceRing[] _rings = [];
    private int _others; // rings that are no vCPU's
    private long _lostElsewhere;
    private volatile bool _enough;
    private volatile bool _closed;

    /// <param name="filter">Which events.</param>
    /// <param name="vcpus">Most vCPUs that the machine can have.</param>
    /// <param name="names">Who is where in the machine.</param>
    /// <param name="sink">Gets the events on a thread of the session's, and is disposed of by it.</param>
    /// <exception cref="HostLimitException">The host has no thread left.</exception>
    public TraceSession(TraceFilter filter, int vcpus, ITraceNames names, ITraceSink sink)
    {
        Filter = filter;
        _sink = sink;
        Start = Stopwatch.GetTimestamp();
        _vcpuRings = new TraceRing?[vcpus];
        _reader = new TraceReader(filter, names, sink, Start);
        _thread = new Thread(Main, maxStackSize: 256 * 1024) { IsBackground = true, Name = "trace" };
        try
        {
            sink.Begin(new TraceHeader(filter, vcpus, DateTimeOffset.UtcNow));
            _thread.Start();
        }
        catch (Exception e) when (e is ThreadStartException or OutOfMemoryException)
        {
            throw new HostLimitException("the host has no thread left for tracing", e);
        }
    }

    public TraceFilter Filter { get; }

    /// <summary>When it began, in <see cref="Stopwatch"/> ticks.</summary>
    public long Start { get; }

    /// <summary>Whether the limit is reached, or the trace is over, and nobody need write any more.</summary>
    public bool HasEnough => _enough || _closed;

    /// <summary>Events that the sink got.</summary>
    public long Taken => _reader.Taken;

    /// <summary>Events that did not fit.</summary>
    public long Lost
    {
        get
        {
            long lost = Volatile.Read(ref _lostElsewhere);
            foreach (TraceRing ring in _rings)
                lost += ring.Lost;
            return lost;
        }
    }

    /// <summary>What the sink could not write, once it could not; null where nothing failed.</summary>
    public string? Failure { get; private set; }

    /// <summary>The ring of a vCPU's exits, made at the first call; null for one that is not traced. Not on the vCPU's thread: it allocates.</summary>
    public TraceRing? RingOf(int vcpu) =>
        vcpu < _vcpuRings.Length && (Filter.Vcpu ?? vcpu) == vcpu ? RingOf(vcpu, VcpuCapacity) : null;

    /// <summary>The ring of a vCPU whose exits are not traced, for what else its thread may tell. Not on that thread: it allocates.</summary>
    public TraceRing? RingBeside(int vcpu) => vcpu < _vcpuRings.Length ? RingOf(vcpu, OtherCapacity) : null;

    /// <summary>The calling thread is that ring's: other events of it go there as well. Null: nobody's any more.</summary>
    public static void Claim(TraceRing? ring) => _ofThisThread = ring;

    /// <summary>A device raised an interrupt line, on whatever thread.</summary>
    /// <param name="line">The GSI.</param>
    /// <param name="how">0 or 1 for a level, 2 for an edge, 3 for a message.</param>
    /// <param name="address">Of a message.</param>
    /// <param name="data">Of a message.</param>
    public void Interrupt(uint line, uint how, ulong address = 0, uint data = 0)
    {
        if (!Filter.Admits(TraceEventKind.Interrupt, 0, 0) || HasEnough)
            return;
        TraceEvent item = default;
        item.Kind = TraceEventKind.Interrupt;
        item.Slot = TraceEvent.NoSlot;
        item.Count = line;
        item.Detail = how;
        item.Address = address;
        item.Value = data;
        Write(ref item, Stopwatch.GetTimestamp());
    }

    /// <summary>A device's thread sees a doorbell.</summary>
    public void Doorbell(int device, int queue)
    {
        if (!Filter.Admits(TraceEventKind.Doorbell, 0, 0) || HasEnough)
            return;
        TraceEvent item = default;
        item.Kind = TraceEventKind.Doorbell;
        item.Slot = TraceEvent.NoSlot;
        item.Count = (uint)device;
        item.Detail = (uint)queue;
        Write(ref item, Stopwatch.GetTimestamp());
    }

    /// <summary>A device has done a request.</summary>
    /// <param name="device">Its number.</param>
    /// <param name="queue">Where the request came from.</param>
    /// <param name="operation">What it was, as the device's kind numbers them.</param>
    /// <param name="address">First sector, or what else the device has.</param>
    /// <param name="bytes">How much.</param>
    /// <param name="taken">When it was taken, in <see cref="Stopwatch"/> ticks.</param>
    public void Request(int device, int queue, uint operation, ulong address, ulong bytes, long taken)
    {
        if (!Filter.Admits(TraceEventKind.Request, 0, 0) || HasEnough)
            return;
        TraceEvent item = default;
        item.Kind = TraceEventKind.Request;
        item.Slot = TraceEvent.NoSlot;
        item.Reason = operation;
        item.Count = (uint)device;
        item.Detail = (uint)queue;
        item.Address = address;
        item.Value = bytes;
        item.Entered = taken;
        Write(ref item, Stopwatch.GetTimestamp());
    }

    /// <summary>Takes what is left, tells the sink of the end, and closes it. The threads may still write, to nobody.</summary>
    public void Dispose()
    {
        if (_closed)
            return;
        _closed = true;
        _ends.Set();
        _thread.Join();
        _ends.Dispose();

        // Who asks how it was needs its figures, not its megabytes.
        lock (_changes)
        {
            Volatile.Write(ref _lostElsewhere, Lost);
            _rings = [];
            Array.Clear(_vcpuRings);
        }
    }

    private void Write(ref TraceEvent item, long now)
    {
        item.Exited = item.Served = now;
        if (item.Entered == 0)
            item.Entered = now;
        if (_ofThisThread is not { } ring || ring.Session != this)
        {
            if (Thread.CurrentThread.Name?.StartsWith(VcpuThread, StringComparison.Ordinal) == true)
                return; // it joins at its next entry, with a ring that another thread has allocated
            ring = Join();
            if (ring is null)
            {
                Interlocked.Increment(ref _lostElsewhere);
                return;
            }
        }

        ring.TryWrite(item);
    }

    private TraceRing RingOf(int vcpu, int capacity)
    {
        lock (_changes)
            return _vcpuRings[vcpu] ??= Add(new TraceRing(this, $"vCPU {vcpu}", vcpu, capacity));
    }

    /// <summary>A ring for a thread that is no vCPU's, at its first event.</summary>
    private TraceRing? Join()
    {
        lock (_changes)
        {
            if (_others == MostOthers)
                return null;
            _others++;
            string name = Thread.CurrentThread.Name ?? $"thread {Environment.CurrentManagedThreadId}";
            return _ofThisThread = Add(new TraceRing(this, name, vcpu: null, OtherCapacity));
        }
    }

    private TraceRing Add(TraceRing ring)
    {
        TraceRing[] rings = _rings;
        Array.Resize(ref rings, rings.Length + 1);
        rings[^1] = ring;
        _rings = rings;
        return ring;
    }

    private void Main()
    {
        try
        {
            bool last = false;
            while (!last)
            {
                last = _ends.IsSet;
                bool any = _reader.Drain(_rings, everything: last);
                _enough = _reader.HasEnough;
                if (!any && !last)
                    _ = _ends.Wait(Pause);
            }

            _sink.End(new TraceTotals(_reader.Taken, Lost, _rings, Stopwatch.GetElapsedTime(Start)));
        }
#pragma warning disable CA1031 // whatever it is, it ends the tracing and not the machine
        catch (Exception e)
#pragma warning restore CA1031
        {
            _enough = true;
            Failure = e.Message;
        }

        try
        {
            _sink.Dispose();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Failure ??= e.Message;
        }
    }
}
