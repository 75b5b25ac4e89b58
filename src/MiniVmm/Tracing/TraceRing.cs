using MiniVmm.Kvm;

namespace MiniVmm.Tracing;

/// <summary>
/// Events on their way from one thread to the reader's. The writer never waits and allocates nothing: what does not fit is
/// counted, by its exit reason.
/// </summary>
internal sealed class TraceRing
{
    /// <summary>Exit reasons that are counted one by one: as many as VcpuStatistics tells apart.</summary>
    public const int Reasons = 64;

    private readonly TraceEvent[] _events;
    private readonly long[] _lost = new long[Reasons + 1];
    private readonly int _mask;
    private long _written;
    private long _read;
    private long _readSeen; // by the writer, so that it rarely touches the reader's

    /// <param name="session">Whose events they are.</param>
    /// <param name="name">The thread's, for people.</param>
    /// <param name="vcpu">Which vCPU's thread it is; null for another.</param>
    /// <param name="capacity">Events, a power of two.</param>
    public TraceRing(TraceSession? session, string name, int? vcpu, int capacity)
    {
        if (!int.IsPow2(capacity))
            throw new ArgumentOutOfRangeException(nameof(capacity), capacity, "not a power of two");
        Session = session;
        Name = name;
        Vcpu = vcpu;
        _events = GC.AllocateUninitializedArray<TraceEvent>(capacity);
        _mask = capacity - 1;
    }

    public TraceSession? Session { get; }

    public string Name { get; }

    public int? Vcpu { get; }

    /// <summary>Events that did not fit.</summary>
    public long Lost
    {
        get
        {
            long sum = 0;
            for (int i = 0; i <= Reasons; i++)
                sum += Volatile.Read(ref _lost[i]);
            return sum;
        }
    }

    /// <summary>Exits of a reason that did not fit; other events than exits count as <see cref="KvmExitReason"/> 64.</summary>
    public long LostOf(int reason) => Volatile.Read(ref _lost[Math.Clamp(reason, 0, Reasons)]);

    /// <summary>The writer's: leaves an event, or counts it.</summary>
    /// <returns>Whether it fitted.</returns>
    public bool TryWrite(in TraceEvent item)
    {
        long at = _written;
        if (at - _readSeen > _mask)
        {
            _readSeen = Volatile.Read(ref _read);
            if (at - _readSeen > _mask)
            {
                Lose(item);
                return false;
            }
        }

        _events[(int)at & _mask] = item;
        Volatile.Write(ref _written, at + 1);
        return true;
    }

    /// <summary>The reader's: how many events there have been.</summary>
    public long Written => Volatile.Read(ref _written);

    /// <summary>The reader's: the oldest event that is still there; only while <see cref="HasMore"/>.</summary>
    public ref readonly TraceEvent First => ref _events[(int)_read & _mask];

    /// <summary>The reader's: whether there is an event before that number.</summary>
    public bool HasMore(long limit) => _read < limit;

    /// <summary>The reader's: gives the place of <see cref="First"/> back.</summary>
    public void Advance() => Volatile.Write(ref _read, _read + 1);

    private void Lose(in TraceEvent item)
    {
        if (item.Kind == TraceEventKind.Code)
            return; // its exit goes without
        uint reason = item.Kind <= TraceEventKind.Kick ? Math.Min(item.Reason, Reasons - 1) : Reasons;
        Volatile.Write(ref _lost[reason], _lost[reason] + 1);
    }
}
