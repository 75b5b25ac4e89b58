using MiniVmm.Control;
using MiniVmm.Execution;

namespace MiniVmm.Hosting;

/// <summary>
/// What is known of a machine over all of its runs. Safe from any thread: a run that can be had here is not disposed of
/// while somebody reads from it here.
/// </summary>
/// <param name="time">Measures runs.</param>
/// <param name="changed">Called after each change of the state, on the thread that made it, under no lock.</param>
internal sealed class MachineRecord(TimeProvider time, Action<MachineState> changed)
{
    private readonly Lock _lock = new(); // for all of the below
    private MachineState _state;
    private IMachineRun? _run;
    private MachineFigures _past = MachineFigures.None;
    private StopReason? _lastEnd;
    private string? _problem;
    private long? _startedAt;
    private long _restarts;

    public MachineState State
    {
        get
        {
            lock (_lock)
                return _state;
        }
    }

    /// <summary>The current run; null between two.</summary>
    public IMachineRun? Run
    {
        get
        {
            lock (_lock)
                return _run;
        }
    }

    /// <summary>Why the last run ended; null before.</summary>
    public StopReason? LastEnd
    {
        get
        {
            lock (_lock)
                return _lastEnd;
        }
    }

    /// <summary>Why the last start failed, or the last run; null where neither did.</summary>
    public string? Problem
    {
        get
        {
            lock (_lock)
                return _problem;
        }
    }

    public long Restarts
    {
        get
        {
            lock (_lock)
                return _restarts;
        }
    }

    /// <summary>When the current run began, by <see cref="TimeProvider.GetTimestamp"/>; null between two.</summary>
    public long? StartedAt
    {
        get
        {
            lock (_lock)
                return _startedAt;
        }
    }

    /// <summary>How long the current run takes already; null between two.</summary>
    public TimeSpan? Uptime => StartedAt is { } at ? time.GetElapsedTime(at) : null;

    /// <summary>What all runs counted.</summary>
    public MachineFigures ReadFigures()
    {
        lock (_lock) // against the end of a run, which moves its figures into the past ones
            return _past.Then(_run?.ReadFigures() ?? MachineFigures.None);
    }

    /// <inheritdoc cref="IMachineRun.ReadProgress"/>
    public IReadOnlyList<VcpuProgress>? ReadProgress()
    {
        lock (_lock)
            return _run?.ReadProgress();
    }

    /// <summary>A run begins: whoever wants to end it finds it from now on.</summary>
    public void Begin(IMachineRun run)
    {
        lock (_lock)
            (_run, _startedAt, _problem) = (run, time.GetTimestamp(), null);
    }

    /// <summary>The current run is over, and may be disposed of when this returns.</summary>
    /// <returns>How long it took.</returns>
    public TimeSpan End()
    {
        lock (_lock)
        {
            TimeSpan ran = time.GetElapsedTime(_startedAt ?? time.GetTimestamp());
            try
            {
                if (_run is { } run)
                    _past = _past.Then(run.ReadFigures()) with { MemoryBytes = 0, Balloon = null };
            }
            finally
            {
                (_run, _startedAt) = (null, null);
            }

            return ran;
        }
    }

    /// <summary>Notes why a run ended, or why there was none.</summary>
    /// <param name="end">The end; null where there was none.</param>
    /// <param name="problem">What was wrong; null for nothing.</param>
    public void Note(StopReason? end, string? problem)
    {
        lock (_lock)
            (_lastEnd, _problem) = (end ?? _lastEnd, problem);
    }

    public void CountRestart()
    {
        lock (_lock)
            _restarts++;
    }

    public void Change(MachineState to) => _ = Change(to, _ => true);

    /// <summary>Changes the state of a run that is still the current one.</summary>
    /// <returns>False where it was in none of those states, or is over.</returns>
    public bool Change(MachineState to, IMachineRun run, params MachineState[] from) =>
        Change(to, state => _run == run && from.Contains(state));

    private bool Change(MachineState to, Func<MachineState, bool> may)
    {
        lock (_lock)
        {
            if (!may(_state))
                return false;
            if (_state == to)
                return true;
            _state = to;
        }

        changed(to);
        return true;
    }
}
