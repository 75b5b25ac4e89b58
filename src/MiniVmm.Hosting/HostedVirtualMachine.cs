using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Machine;

namespace MiniVmm.Hosting;

/// <summary>
/// A machine as a service of the host. Commands take turns; what happens by itself, an end or the next start, is the
/// work of a <see cref="Supervision"/>, one for each start by command.
/// </summary>
internal sealed class HostedVirtualMachine : IHostedVirtualMachine, IHostedLifecycleService, IAsyncDisposable
{
    private readonly IOptionsMonitor<VirtualMachineOptions> _options;
    private readonly IMachineFactory _factory;
    private readonly MachineLog _log;
    private readonly TimeProvider _time;
    private readonly MachineRecord _record;
    private readonly HostedTraces _traces;
    private readonly SemaphoreSlim _turn = new(1);
    private volatile Supervision? _supervision; // changes in turn
    private volatile bool _hostStops;
    private IDisposable? _socket;
    private bool _disposed;

    public HostedVirtualMachine(
        string name,
        IOptionsMonitor<VirtualMachineOptions> options,
        IMachineFactory factory,
        ILoggerFactory loggers,
        TimeProvider time,
        ITraceFiles? traceFiles = null)
    {
        Name = name;
        _options = options;
        _factory = factory;
        _log = new(name, loggers);
        _time = time;
        _record = new(time, OnChanged);
        _traces = new(_log, traceFiles);
    }

    public event Action<IHostedVirtualMachine, MachineState>? StateChanged;

    public string Name { get; }

    public MachineState State => _record.State;

    public VirtualMachine? Machine => _record.Run?.Machine;

    public StopReason? LastEnd => _record.LastEnd;

    public long Restarts => _record.Restarts;

    /// <inheritdoc cref="MachineRecord"/>
    public MachineRecord Record => _record;

    private VirtualMachineOptions Options => _options.Get(Name);

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
        _supervision?.MakeEndFinal();

        // Whoever's turn it is and waits for the guest: it has no more time.
        using CancellationTokenRegistration impatience = cancellationToken.UnsafeRegister(
            static machine => ((HostedVirtualMachine)machine!)._record.Run?.Stop(), this);
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
            await StopInTurnAsync(cancellationToken, MachineState.Restarting).ConfigureAwait(false);
            await StartInTurnAsync().ConfigureAwait(false);
            _record.CountRestart();
        }
        catch when (_record.State == MachineState.Restarting)
        {
            _record.Change(MachineState.Stopped); // the host stops
            throw;
        }
        finally
        {
            _turn.Release();
        }
    }

    public bool PowerDown()
    {
        if (_supervision is not { } supervision || _record.Run is not { } run)
            throw NotRunning();
        if (Press(supervision, run))
            return true;

        // It runs on as if nobody had pressed.
        supervision.ShutsDown = false;
        if (!supervision.EndIsFinal)
            _ = _record.Change(MachineState.Running, run, MachineState.Stopping);
        return false;
    }

    public async Task PauseAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            IMachineRun run = CurrentRun();
            if (_record.State == MachineState.Paused)
                return;
            await Task.Run(run.Pause).ConfigureAwait(false); // it waits for the vCPUs
            if (_record.Change(MachineState.Paused, run, MachineState.Running))
                _log.Paused();
            else
                run.Resume(); // its button was pressed meanwhile, and a paused guest hears nothing
        }
        finally
        {
            _turn.Release();
        }
    }

    public async Task ResumeAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            IMachineRun run = CurrentRun();
            if (_record.State == MachineState.Running)
                return;
            await Task.Run(run.Resume).ConfigureAwait(false);
            if (_record.Change(MachineState.Running, run, MachineState.Paused))
                _log.Resumed();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Takes the machine's name for <c>ctl</c> for as long as the host runs, before any machine starts.</summary>
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        _hostStops = false;
        Listen();
        return Task.CompletedTask;
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Presses the buttons of all machines before any is waited for: one patience is enough for all.</summary>
    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        _hostStops = true;
        if (_supervision is { } supervision)
        {
            supervision.MakeEndFinal();
            if (_record.Run is { } run && TryPress(supervision, run) == true)
                supervision.PressedAt = _time.GetTimestamp();
        }

        return Task.CompletedTask;
    }

    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        StopListening();
        return Task.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed) // the container disposes of it once for each of its services
            return;
        _disposed = true;
        StopListening();
        await StopAsync(new CancellationToken(canceled: true)).ConfigureAwait(false);
        _turn.Dispose();
    }

    private void Listen()
    {
        MachineOptions options = Options.Machine;
        if (options.Name is not { } name || _socket is not null)
            return;
        try
        {
            _socket = _factory.Listen(name, new HostedControl(this, _log, options));
        }
        catch (BadInputException e)
        {
            throw new BadInputException(_log.Explain(e), e);
        }
        catch (Exception e) when (e is HostLimitException or SystemCallException)
        {
            _log.CannotListen(e); // no reason not to run
        }
    }

    private void StopListening()
    {
        _socket?.Dispose();
        _socket = null;
    }

    private async Task StartInTurnAsync()
    {
        if (_hostStops)
            throw new InvalidOperationException($"{Name} cannot be started: its host is stopping");
        if (_supervision is { Completion.IsCompleted: false } current && !await HasEndedAsync(current).ConfigureAwait(false))
            return;
        VirtualMachineOptions options = Options;
        Supervision supervision = new(_log, _record, options, () => CreateAsync(options), _time);
        _supervision = supervision;
        _record.Change(MachineState.Starting);
        IMachineRun run;
        try
        {
            run = await CreateAsync(options).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            string problem = _log.Explain(e);
            _record.Note(null, $"could not be started: {problem}");
            _record.Change(MachineState.Failed);
            if (e is BadInputException)
                throw new BadInputException(problem, e);
            if (e is HostLimitException)
                throw new HostLimitException(problem, e);
            throw;
        }

        supervision.Start(run);
    }

    /// <returns>False where a start has nothing to do: the machine runs, or waited for its next start and has it now.</returns>
    private async Task<bool> HasEndedAsync(Supervision current)
    {
        if (current.StartNow())
            return false;
        switch (_record.State)
        {
            case MachineState.Stopping:
                throw new InvalidOperationException($"{Name} is shutting down; start it when it has stopped");
            case MachineState.Stopped or MachineState.Failed:
                await current.Completion.ConfigureAwait(false); // it has just said so
                return true;
            default:
                return false;
        }
    }

    private async Task StopInTurnAsync(CancellationToken impatient, MachineState then = MachineState.Stopped)
    {
        if (_supervision is not { } supervision)
            return;
        supervision.MakeEndFinal(then);
        if (_record.Run is { } run && !supervision.Completion.IsCompleted)
        {
            TimeSpan patience = Options.Patience;
            long? pressedAt = supervision.PressedAt;
            if (pressedAt is { } at)
                patience = TimeSpan.FromTicks(Math.Max(0, (patience - _time.GetElapsedTime(at)).Ticks));

            // The clock of the patience runs before the button is pressed.
            Task orderly = supervision.Completion.WaitAsync(patience, _time, impatient);
            if (pressedAt is null && !impatient.IsCancellationRequested && TryPress(supervision, run) is not true and var heard)
            {
                if (heard is false)
                    _log.NotListening();
                run.Stop();
            }

            try
            {
                await orderly.ConfigureAwait(false);
            }
            catch (Exception e) when (e is TimeoutException or OperationCanceledException)
            {
                if (e is TimeoutException)
                    _log.OutOfPatience(Options.Patience);
                run.Stop();
            }
        }

        await supervision.Completion.ConfigureAwait(false);
    }

    /// <returns>Whether the guest listens; null where the button could not be pressed, which is logged.</returns>
    private bool? TryPress(Supervision supervision, IMachineRun run)
    {
        try
        {
            return Press(supervision, run);
        }
#pragma warning disable CA1031 // a shutdown goes on, whatever it is
        catch (Exception e)
#pragma warning restore CA1031
        {
            _log.CannotPress(e);
            return null;
        }
    }

    /// <returns>Whether the guest listens.</returns>
    private bool Press(Supervision supervision, IMachineRun run)
    {
        supervision.ShutsDown = true; // first: the guest may end at once
        _ = _record.Change(MachineState.Stopping, run, MachineState.Starting, MachineState.Running, MachineState.Paused);
        run.Resume(); // a paused guest hears nothing
        bool listens = run.PressPowerButton();
        if (listens)
            _log.PowerButtonPressed();
        return listens;
    }

    /// <summary>The run of a machine that runs or is paused.</summary>
    private IMachineRun CurrentRun() =>
        _record.Run is { } run && _record.State is MachineState.Running or MachineState.Paused ? run : throw NotRunning();

    private Task<IMachineRun> CreateAsync(VirtualMachineOptions options)
    {
        bool logs = options is { LogConsole: true, Machine.Console: Terminal.ConsoleKind.None };
        return Task.Run(() =>
        {
            IMachineRun run = _factory.Create(options.Machine with { HostListens = true }, logs ? _log.ConsoleLine : null, _log.Warn);
            if (run.Machine is { } machine)
                machine.TraceSinks = _traces.Sink;
            return run;
        });
    }

    private void OnChanged(MachineState state)
    {
        try
        {
            StateChanged?.Invoke(this, state);
        }
#pragma warning disable CA1031 // the application's error is not the machine's
        catch (Exception e)
#pragma warning restore CA1031
        {
            _log.HandlerFailed(e);
        }
    }

    private InvalidOperationException NotRunning() => new(_record.State == MachineState.Stopping
        ? $"{Name} is shutting down"
        : $"{Name} does not run");
}
