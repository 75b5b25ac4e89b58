using Stopwatch = System.Diagnostics.Stopwatch;

namespace MiniVmm.Tracing;

/// <summary>
/// Takes events out of the rings, puts them into words, and hands them on in the order in which they were done. On one thread.
/// </summary>
/// <param name="filter">Which events.</param>
/// <param name="names">Who is where.</param>
/// <param name="sink">Gets them.</param>
/// <param name="start">0 seconds, in <see cref="Stopwatch"/> ticks.</param>
internal sealed class TraceReader(TraceFilter filter, ITraceNames names, ITraceSink sink, long start)
{
    /// <summary>So much younger an event of another ring may still be on its way.</summary>
    private static readonly long Settled = Stopwatch.Frequency / 1000;

    /// <summary>How the threads of virtio devices are called, before the device's name: nothing else tells whose message one is.</summary>
    private const string VirtioThread = "virtio ";

    private readonly TraceRecord _record = new();
    private readonly List<TracedCode?[]> _code = []; // of each ring, by slot
    private long _passed;

    /// <summary>Events that were handed on.</summary>
    public long Taken { get; private set; }

    /// <summary>Whether the limit is reached.</summary>
    public bool HasEnough => Taken >= filter.Limit;

    /// <summary>Hands on what is there.</summary>
    /// <param name="rings">The threads' rings; more at the end than the last time, but never others.</param>
    /// <param name="everything">Also what is so young that an older event may still come: at the end.</param>
    /// <returns>Whether there was anything.</returns>
    public bool Drain(TraceRing[] rings, bool everything)
    {
        ArgumentNullException.ThrowIfNull(rings);
        while (_code.Count < rings.Length)
            _code.Add(new TracedCode?[TraceCodeCache.Slots]);
        long horizon = everything ? long.MaxValue : Stopwatch.GetTimestamp() - Settled;
        long[] limits = new long[rings.Length];
        for (int i = 0; i < rings.Length; i++)
            limits[i] = rings[i].Written;
        bool any = false;
        while (true)
        {
            int next = -1;
            long oldest = horizon;
            for (int i = 0; i < rings.Length; i++)
            {
                TakeCode(rings[i], limits[i], _code[i]);
                if (rings[i].HasMore(limits[i]) && rings[i].First.Served < oldest)
                    (next, oldest) = (i, rings[i].First.Served);
            }

            if (next < 0)
                break;
            Take(rings[next], next);
            any = true;
        }

        if (any)
            sink.Flush();
        return any;
    }

    private static void TakeCode(TraceRing ring, long limit, TracedCode?[] slots)
    {
        while (ring.HasMore(limit) && ring.First.Kind == TraceEventKind.Code)
        {
            TraceEvent item = ring.First;
            ring.Advance();
            if (item.Slot < slots.Length)
                slots[item.Slot] = new TracedCode(item);
        }
    }

    private void Take(TraceRing ring, int index)
    {
        _record.Event = ring.First;
        ring.Advance();
        if (HasEnough)
            return;
        _record.Vcpu = ring.Vcpu;
        _record.Thread = ring.Name;
        _record.ThreadIndex = index;
        _record.Entered = Seconds(_record.Event.Entered);
        _record.Exited = Seconds(_record.Event.Exited);
        _record.Served = Seconds(_record.Event.Served);
        NameDevice();
        if (_record.IsAccess && !filter.AdmitsAccess(_record.Event.Kind <= TraceEventKind.PortWrite, _record.Device is not null))
            return;
        if (filter.Device is { } wanted && _record.Device?.Contains(wanted, StringComparison.OrdinalIgnoreCase) != true)
            return;
        if (_passed++ < filter.After)
            return;
        NameCode(_code[index]);
        Taken++;
        sink.Write(_record);
    }

    private void NameDevice()
    {
        ref readonly TraceEvent item = ref _record.Event;
        _record.Device = _record.Words = null;
        switch (item.Kind)
        {
            case <= TraceEventKind.MemoryWrite:
                bool isPort = item.Kind <= TraceEventKind.PortWrite;
                if (names.DeviceAt(isPort, item.Address, item.Size) is { } device)
                {
                    _record.Device = device.Name;
                    _record.Words = device.Describe(item);
                }

                break;
            case TraceEventKind.Interrupt:
                _record.Device = item.Detail != TraceSession.Message ? names.Line(item.Count)
                    : _record.Thread.StartsWith(VirtioThread, StringComparison.Ordinal) ? _record.Thread[VirtioThread.Length..].Split('.')[0] : null;
                _record.Words = TraceText.Interrupt(item);
                break;
            case TraceEventKind.Doorbell or TraceEventKind.Request:
                _record.Device = names.Virtio((int)item.Count)?.Name ?? $"virtio {item.Count}";
                _record.Words = item.Kind == TraceEventKind.Doorbell
                    ? $"doorbell of queue {item.Detail}" : TraceText.Request(item, names.Virtio((int)item.Count));
                break;
        }
    }

    private void NameCode(TracedCode?[] slots)
    {
        ref readonly TraceEvent item = ref _record.Event;
        _record.Rip = null;
        _record.Symbol = _record.Instruction = null;
        if (!_record.IsExit || item.Rip == 0 && item.Slot == TraceEvent.NoSlot)
            return;
        _record.Rip = item.Rip;
        if (item.Slot >= slots.Length || slots[item.Slot] is not { } code)
            return;
        TracedCode.Found found = code.Find(item, names);
        _record.Rip = found.Address;
        _record.Symbol = found.Symbol;
        _record.Instruction = found.Text;
    }

    private double Seconds(long ticks) => (ticks - start) / (double)Stopwatch.Frequency;
}
