using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Machine;

namespace MiniVmm.Hosting;

/// <summary>
/// A machine and its restarts as a service of the host. Commands take turns; what happens by itself, an end or the next
/// start, is the work of one task, which lives from a start to the end that is final.
/// </summary>
internal sealed class HostedVirtualMachine(
    string name,
    IOptionsMonitor<VirtualMachineOptions> monitor,
    IMachineFactory factory,
    ILoggerFactory loggers,
    TimeProvider time) : IHostedVirtualMachine, IHostedLifecycleService, IAsyncDisposable
{
    private readonly ILogger _logger = loggers.CreateLogger($"MiniVmm.{name}");
    private readonly ILogger _console = loggers.CreateLogger($"MiniVmm.{name}.Console");
    private readonly Func<NamedOption, string> _spell = MachineConfiguration.SpellingFor(name);
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Lock _lock = new(); // for all of the below
    private MachineState _state;
    private IMachineRun? _run;
    private MachineFigures _past = MachineFigures.None;
    private StopReason? _lastEnd;
    private long? _startedAt;
    private long? _buttonPressedAt;
    private Task _supervision = Task.CompletedTask;
    private CancellationTokenSource _final = new(); // cancelled: no start follows the next end
    private TaskCompletionSource _startNow = new();
    private long _restarts;

    public event Action<IHostedVirtualMachine, MachineState>? StateChanged;

    public string Name => name;

    public MachineState State
    {
        get
        {
            lock (_lock)
                return _state;
        }
    }

    public VirtualMachine? Machine => Run?.Machine;

    public StopReason? LastEnd
    {
        get
        {
            lock (_lock)
                return _lastEnd;
        }
    }

    public long Restarts => Interlocked.Read(ref _restarts);

    /// <summary>How long the current run takes already; null between two.</summary>
    public TimeSpan? Uptime
    {
        get
        {
            lock (_lock)
                return _run is not null && _startedAt is { } at ? time.GetElapsedTime(at) : null;
        }
    }

    private IMachineRun? Run
    {
        get
        {
            lock (_lock)
                return _run;
        }
    }

    private VirtualMachineOptions Options => monitor.Get(name);

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

    public async Task StartAsync(CancellationToken cancellationToken = default)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await StartInTurnAsync().ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        await _turn.WaitAsync(CancellationToken.None).ConfigureAwait(false);
        try
        {
            await StopInTurnAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task RestartAsync(CancellationToken cancellationToken = default)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await StopInTurnAsync(cancellationToken).ConfigureAwait(false);
            await StartInTurnAsync().ConfigureAwait(false);
            Interlocked.Increment(ref _restarts);
        }
        finally
        {
            _turn.Release();
        }
    }

    public bool PowerDown() => (Run is null ? null : Press()) ?? throw NotRunning();

    public Task PauseAsync() => WhileRunningAsync(MachineState.Running, MachineState.Paused, run =>
    {
        run.Pause();
        _logger.Paused(name);
    });

    public Task ResumeAsync() => WhileRunningAsync(MachineState.Paused, MachineState.Running, run =>
    {
        run.Resume();
        _logger.Resumed(name);
    });

    /// <summary>Presses the buttons of all machines before any is waited for: one patience is enough for all.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        Press();
        return Task.CompletedTask;
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await StopAsync(new CancellationToken(canceled: true)).ConfigureAwait(false);
        _turn.Dispose();
    }

    private async Task StartInTurnAsync()
    {
        if (!_supervision.IsCompleted)
        {
            _startNow.TrySetResult();
            return;
        }

        CancellationTokenSource final = new();
        lock (_lock)
            (_final, _buttonPressedAt) = (final, null);
        Change(MachineState.Starting);
        IMachineRun run;
        try
        {
            run = await CreateAsync().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            Change(MachineState.Failed);
            if (e is VmmException vmm)
                throw Spelled(vmm);
            throw;
        }

        RestartBackoff backoff = new(Options.RestartDelay, Options.MaxRestartDelay, Options.StableAfter);
        _supervision = SuperviseAsync(run, backoff, final.Token);
    }

    private async Task StopInTurnAsync(CancellationToken impatient)
    {
        MakeEndFinal();
        Task supervision = _supervision;
        if (Run is { } run && !supervision.IsCompleted)
        {
            long? pressedAt;
            lock (_lock)
                pressedAt = _buttonPressedAt;
            TimeSpan patience = Options.Patience;
            if (pressedAt is { } at)
                patience = TimeSpan.FromTicks(Math.Max(0, (patience - time.GetElapsedTime(at)).Ticks));

            // The clock of the patience runs before the button is pressed.
            Task orderly = supervision.WaitAsync(patience, time, impatient);
            if (pressedAt is null && !impatient.IsCancellationRequested && Press() is false)
            {
                _logger.NotListening(name);
                run.Stop();
            }

            try
            {
                await orderly.ConfigureAwait(false);
            }
            catch (Exception e) when (e is TimeoutException or OperationCanceledException)
            {
                if (e is TimeoutException)
                    _logger.OutOfPatience(name, Options.Patience.TotalSeconds);
                run.Stop();
            }
        }

        await supervision.ConfigureAwait(false);
    }

    /// <returns>Whether the guest listens; null where there is none.</returns>
    private bool? Press()
    {
        MakeEndFinal();
        if (Run is not { } run)
            return null;
        Change(MachineState.ShuttingDown);
        run.Resume(); // a paused guest hears nothing
        bool listens = run.PressPowerButton();
        if (listens)
        {
            lock (_lock)
                _buttonPressedAt = time.GetTimestamp();
            _logger.PowerButtonPressed(name);
        }

        return listens;
    }

    private void MakeEndFinal()
    {
        CancellationTokenSource final;
        lock (_lock)
            final = _final;
        final.Cancel(); // outside of the lock: what waits for it may go on right here
    }

    private async Task WhileRunningAsync(MachineState from, MachineState to, Action<IMachineRun> act)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            IMachineRun run = Run ?? throw NotRunning();
            if (State != from)
                return;
            await Task.Run(() => act(run)).ConfigureAwait(false); // it waits for the vCPUs
            lock (_lock)
            {
                if (_run != run)
                    return; // it ended meanwhile
            }

            Change(to);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task SuperviseAsync(IMachineRun run, RestartBackoff backoff, CancellationToken final)
    {
        while (true)
        {
            (StopReason? end, TimeSpan ran) = await RunToEndAsync(run, final).ConfigureAwait(false);
            IMachineRun? next = null;
            while (next is null)
            {
                bool restarts = end is { } reason ? Options.Restart.Restarts(reason) : Options.Restart != RestartPolicy.Never;
                if (!restarts && !final.IsCancellationRequested)
                {
                    Change(end is { } why && !RestartPolicies.IsFailure(why) ? MachineState.Stopped : MachineState.Failed);
                    return;
                }

                if (!await WaitForRestartAsync(backoff.Next(ran), final).ConfigureAwait(false))
                {
                    Change(MachineState.Stopped);
                    return;
                }

                Change(MachineState.Starting);
                (end, ran) = (null, TimeSpan.Zero);
                next = await TryCreateAsync().ConfigureAwait(false);
            }

            Interlocked.Increment(ref _restarts);
            run = next;
        }
    }

    /// <returns>Why it ended, null where it could not even start, and how long it ran.</returns>
    private async Task<(StopReason? End, TimeSpan Ran)> RunToEndAsync(IMachineRun run, CancellationToken final)
    {
        long startedAt = time.GetTimestamp();
        StopReason? end = null;
        await using (run.ConfigureAwait(false))
        {
            lock (_lock)
            {
                if (final.IsCancellationRequested)
                    return (null, TimeSpan.Zero);
                (_run, _startedAt) = (run, startedAt); // whoever ends it from now on finds it
            }

            try
            {
                Task<StopReason> running = run.RunAsync(Options.Timeout);
                _logger.Started(name);
                if (!final.IsCancellationRequested)
                    Change(MachineState.Running);
                end = await running.ConfigureAwait(false);
                lock (_lock)
                    _lastEnd = end;
                Report(run, end.Value, final.IsCancellationRequested);
            }
            catch (Exception e) when (e is VmmException or SystemCallException)
            {
                _logger.CannotStart(name, Explain(e));
            }

            lock (_lock)
            {
                _past = _past.Then(run.ReadFigures()) with { MemoryBytes = 0, Balloon = null };
                _run = null;
            }
        }

        return (end, time.GetElapsedTime(startedAt));
    }

    private void Report(IMachineRun run, StopReason end, bool asked)
    {
        if (asked || !RestartPolicies.IsFailure(end))
            _logger.Stopped(name, end.Kind);
        else if (run.ExplainEnd() is { } report)
            _logger.FailedWithReport(name, end.Kind, end.Value, report.Spelled(_spell).TrimEnd('\n'));
        else
            _logger.Failed(name, end.Kind, end.Value);
    }

    /// <returns>False where the end was final.</returns>
    private async Task<bool> WaitForRestartAsync(TimeSpan delay, CancellationToken final)
    {
        if (final.IsCancellationRequested)
            return false;
        _startNow = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task wait = Task.Delay(delay, time, final);
        _logger.Restarting(name, delay.TotalSeconds);
        Change(MachineState.Restarting);
        await Task.WhenAny(wait, _startNow.Task).ConfigureAwait(false);
        return !final.IsCancellationRequested;
    }

    private async Task<IMachineRun?> TryCreateAsync()
    {
        try
        {
            return await CreateAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is VmmException or SystemCallException)
        {
            _logger.CannotStart(name, Explain(e));
            return null;
        }
    }

    private Task<IMachineRun> CreateAsync()
    {
        VirtualMachineOptions options = Options;
        bool logs = options is { LogConsole: true, Machine.Console: Terminal.ConsoleKind.None };
        return Task.Run(() => factory.Create(
            options.Machine,
            logs ? _console.ConsoleLine : null,
            warning => _logger.Warned(name, warning.Spelled(_spell))));
    }

    /// <summary>The same error, with options named as in the configuration.</summary>
    private VmmException Spelled(VmmException e) => e is BadInputException
        ? new BadInputException(Explain(e), e)
        : new HostLimitException(Explain(e), e);

    private string Explain(Exception e) => e is VmmException vmm ? vmm.Text.Spelled(_spell) : e.Message;

    private void Change(MachineState state)
    {
        lock (_lock)
        {
            if (_state == state)
                return;
            _state = state;
        }

        StateChanged?.Invoke(this, state);
    }

    private InvalidOperationException NotRunning() => new($"{name} does not run");
}
