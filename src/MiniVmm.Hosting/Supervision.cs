using MiniVmm.Control;
using MiniVmm.Execution;

namespace MiniVmm.Hosting;

/// <summary>A machine from a start to the end that is final: its runs, and the waits between them by its policy.</summary>
/// <param name="log">The machine's.</param>
/// <param name="record">Follows the runs.</param>
/// <param name="options">As they were at the start.</param>
/// <param name="create">Builds the machine for its next run.</param>
/// <param name="time">The clock of the waits.</param>
internal sealed class Supervision(
    MachineLog log, MachineRecord record, VirtualMachineOptions options, Func<Task<IMachineRun>> create, TimeProvider time)
{
    private readonly RestartBackoff _backoff = new(options.RestartDelay, options.MaxRestartDelay, options.StableAfter);
    private readonly Lock _lock = new();
    private TaskCompletionSource? _wait; // while it waits for the next start
    private bool _ends;
    private bool _shutsDown;
    private MachineState _last = MachineState.Stopped;
    private long? _pressedAt;

    /// <summary>Completes, and never fails, when no run follows.</summary>
    public Task Completion { get; private set; } = Task.CompletedTask;

    /// <summary>Whether no run follows the current one, or the wait for the next one.</summary>
    public bool EndIsFinal
    {
        get
        {
            lock (_lock)
                return _ends || _shutsDown;
        }
    }

    /// <summary>The same because the guest was asked to shut down: for as long as that may come of it.</summary>
    public bool ShutsDown
    {
        set
        {
            lock (_lock)
                _shutsDown = value;
        }
    }

    /// <summary>
    /// When the host pressed the power button, by <see cref="TimeProvider.GetTimestamp"/>; null where it did not, or in vain.
    /// </summary>
    public long? PressedAt
    {
        get
        {
            lock (_lock)
                return _pressedAt;
        }

        set
        {
            lock (_lock)
                _pressedAt = value;
        }
    }

    /// <summary>Has no run follow any more. The current one goes on; a wait for the next one ends.</summary>
    /// <param name="then">What the machine is afterwards: it may be about to start by another command.</param>
    public void MakeEndFinal(MachineState then = MachineState.Stopped)
    {
        lock (_lock)
        {
            (_ends, _last) = (true, then);
            _wait?.TrySetResult();
        }
    }

    private MachineState LastState
    {
        get
        {
            lock (_lock)
                return _last;
        }
    }

    /// <summary>Lets the first run begin; called once.</summary>
    public void Start(IMachineRun run) => Completion = SuperviseAsync(run);

    /// <summary>Ends a wait for the next start by that start.</summary>
    /// <returns>False where there is no such wait.</returns>
    public bool StartNow()
    {
        lock (_lock)
            return _wait?.TrySetResult() ?? false;
    }

    private async Task SuperviseAsync(IMachineRun first)
    {
        try
        {
            IMachineRun? run = first;
            while (run is not null)
            {
                (StopReason? end, TimeSpan ran) = await RunToEndAsync(run).ConfigureAwait(false);
                run = await StartAgainAsync(end, ran).ConfigureAwait(false);
            }
        }
#pragma warning disable CA1031 // whatever it is, the other machines go on
        catch (Exception e)
#pragma warning restore CA1031
        {
            log.Failed(e);
            record.Note(null, e.Message);
            record.Change(MachineState.Failed);
        }
    }

    /// <returns>Why it ended, null where it could not even start, and how long it ran.</returns>
    private async Task<(StopReason? End, TimeSpan Ran)> RunToEndAsync(IMachineRun run)
    {
        StopReason? end = null;
        TimeSpan ran;
        await using (run.ConfigureAwait(false))
        {
            record.Begin(run);
            try
            {
                // Looked at behind Begin: whoever made the end final before has not found the run.
                if (!EndIsFinal)
                    end = await RunAsync(run).ConfigureAwait(false);
            }
#pragma warning disable CA1031 // the policy decides what follows, whatever the host was short of
            catch (Exception e)
#pragma warning restore CA1031
            {
                CannotStart(e);
            }
            finally
            {
                ran = record.End();
            }
        }

        return (end, ran);
    }

    private async Task<StopReason> RunAsync(IMachineRun run)
    {
        Task<StopReason> running = run.RunAsync(options.Timeout);
        log.Started();
        _ = record.Change(MachineState.Running, run, MachineState.Starting);
        StopReason end = await running.ConfigureAwait(false);
        bool failed = RestartPolicies.IsFailure(end) && !(EndIsFinal && end.Kind == StopKind.Interrupted);
        record.Note(end, failed ? $"failed: {end.Kind}" : null);
        if (failed)
            log.Failed(end, run.ExplainEnd());
        else
            log.Stopped(end.Kind);
        return end;
    }

    /// <returns>Null where no run follows.</returns>
    private async Task<IMachineRun?> StartAgainAsync(StopReason? end, TimeSpan ran)
    {
        while (true)
        {
            bool restarts = end is { } reason ? options.Restart.Restarts(reason) : options.Restart != RestartPolicy.Never;
            if (!restarts && !EndIsFinal)
            {
                record.Change(end is { } why && !RestartPolicies.IsFailure(why) ? MachineState.Stopped : MachineState.Failed);
                return null;
            }

            if (!await WaitAsync(_backoff.Next(ran)).ConfigureAwait(false))
            {
                record.Change(LastState);
                return null;
            }

            record.Change(MachineState.Starting);
            try
            {
                IMachineRun run = await create().ConfigureAwait(false);
                record.CountRestart();
                return run;
            }
#pragma warning disable CA1031 // as above
            catch (Exception e)
#pragma warning restore CA1031
            {
                CannotStart(e);
            }

            (end, ran) = (null, TimeSpan.Zero);
        }
    }

    /// <returns>False where the end was final.</returns>
    private async Task<bool> WaitAsync(TimeSpan delay)
    {
        TaskCompletionSource wait = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_ends || _shutsDown)
                return false;
            _wait = wait;
        }

        ITimer timer = time.CreateTimer(_ => wait.TrySetResult(), null, delay, Timeout.InfiniteTimeSpan);
        await using (timer.ConfigureAwait(false))
        {
            log.Restarting(delay);
            record.Change(MachineState.Restarting);
            await wait.Task.ConfigureAwait(false);
        }

        lock (_lock)
        {
            _wait = null;
            return !_ends;
        }
    }

    private void CannotStart(Exception e)
    {
        string problem = log.Explain(e);
        log.CannotStart(problem);
        record.Note(null, $"could not be started: {problem}");
    }
}
