using MiniVmm.Execution;

namespace MiniVmm.Measurement;

/// <summary>The time stamp counter at the four stations of one exit.</summary>
public struct ExitTimes
{
    /// <summary>Just before KVM_RUN.</summary>
    public long In;

    /// <summary>Just after it.</summary>
    public long Out;

    /// <summary>After the decoder.</summary>
    public long Decoded;

    /// <summary>After the device.</summary>
    public long Served;
}

/// <summary>
/// Reads the time stamp counter at every station and keeps all readings, in preallocated memory. When that is full, the
/// last entry is overwritten: a loop makes a known number of exits, and one more ends it.
/// </summary>
internal unsafe struct LatencyProbe : IExitProbe
{
    private readonly delegate* unmanaged[SuppressGCTransition]<long> _tsc;
    private readonly ExitTimes* _first;
    private readonly ExitTimes* _last;
    private readonly long* _entries;
    private ExitTimes* _next;
    private long _entered;

    /// <param name="times">Room for the readings.</param>
    /// <param name="capacity">How many there is room for, at least 1.</param>
    /// <param name="entries">Counts the entries into KVM_RUN, for a partner to see.</param>
    public LatencyProbe(ExitTimes* times, int capacity, long* entries)
    {
        _tsc = Tsc.Read;
        _first = _next = times;
        _last = times + capacity - 1;
        _entries = entries;
    }

    /// <summary>Exits seen, the one that ended the loop included; less than there was room for.</summary>
    public readonly int Count => (int)(_next - _first);

    public void Entering()
    {
        Volatile.Write(ref *_entries, ++_entered);
        _next->In = _tsc();
    }

    public readonly void Exited() => _next->Out = _next->Decoded = _tsc();

    public readonly void Decoded() => _next->Decoded = _tsc();

    public void Served()
    {
        _next->Served = _tsc();
        if (_next < _last)
            _next++;
    }
}
