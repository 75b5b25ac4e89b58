using MiniVmm.Control;
using MiniVmm.Machine;

namespace MiniVmm.Hosting;

/// <summary>
/// What the control socket of a hosted machine asks: the machine that runs, or its host where none does. All of it is
/// called on the socket's thread.
/// </summary>
/// <param name="machine">The machine's host.</param>
/// <param name="log">Takes what fails after its answer.</param>
/// <param name="options">What the machine is, while it does not run.</param>
internal sealed class HostedControl(HostedVirtualMachine machine, MachineLog log, MachineOptions options)
    : IControlledMachine, IMachineHost
{
    /// <summary>How long an answer may wait for what it is about; less than <c>ctl</c> waits for the answer.</summary>
    private static readonly TimeSpan LongestAnswer = TimeSpan.FromSeconds(4);

    public MachineInfo Info => machine.Record.Run?.Control.Info
        ?? new(options.Kernel, options.Topology.Count, options.Topology.MaxCpus, options.Memory.Size, null);

    public MachineState State => machine.State;

    public IMachineHost Host => this;

    public long Restarts => machine.Restarts;

    public ulong MemoryBytes => machine.Record.Run?.Control.MemoryBytes ?? options.Memory.Size;

    public MemoryState? Memory => Running.Memory;

    public BalloonState? Balloon => Running.Balloon;

    public CpusState Cpus => Running.Cpus;

    private IControlledMachine Running => machine.Record.Run?.Control ?? throw NotRunning();

    public MachineStatistics ReadStatistics() => Running.ReadStatistics();

    public void SetBalloon(ulong bytes) => Running.SetBalloon(bytes);

    public void SetMemory(ulong bytes) => Running.SetMemory(bytes);

    public CpusState SetCpus(int count) => Running.SetCpus(count);

    public TraceState Trace => Running.Trace;

    public void StartTrace(string what, string? file) => Running.StartTrace(what, file);

    public void StopTrace() => Running.StopTrace();

    public int WaitingKeys => Running.WaitingKeys;

    public void Type(string text) => Running.Type(text);

    public void PressKeys(string keys) => Running.PressKeys(keys);

    public byte[] Screenshot() => Running.Screenshot();

    public void Pause() => Do(Live(machine.PauseAsync), LongestAnswer);

    public void Resume() => Do(Live(machine.ResumeAsync), LongestAnswer);

    public bool PressPowerButton()
    {
        try
        {
            return machine.PowerDown();
        }
        catch (InvalidOperationException)
        {
            throw NotRunning();
        }
    }

    public void Stop() => Do(() => machine.StopAsync(), TimeSpan.Zero);

    public void Start() => Do(() => machine.StartAsync(), LongestAnswer);

    public void Restart() => Do(() => machine.RestartAsync(), TimeSpan.Zero);

    private Func<Task> Live(Func<Task> command) =>
        machine.State is MachineState.Running or MachineState.Paused ? command : throw NotRunning();

    /// <summary>Begins a command, and waits for it no longer than that; it goes on all the same.</summary>
    private void Do(Func<Task> command, TimeSpan atMost)
    {
        Task done = command();
        Task logged = LogFailureAsync(done);
        if (Task.WaitAny([logged], atMost) < 0 || !done.IsFaulted)
            return; // what fails later is only logged
        throw done.Exception.InnerException switch
        {
            InvalidOperationException e => new BadInputException(e.Message, e),
            { } e => e,
            null => done.Exception,
        };
    }

    private async Task LogFailureAsync(Task command)
    {
        try
        {
            await command.ConfigureAwait(false);
        }
#pragma warning disable CA1031 // nobody else may be there any more to be told
        catch (Exception e)
#pragma warning restore CA1031
        {
            log.CommandFailed(e);
        }
    }

    private BadInputException NotRunning() => new(machine.State switch
    {
        MachineState.Restarting => $"it waits for its restart; 'minivmm ctl {options.Name} start' starts it now",
        MachineState.Starting => "it is starting; ask again",
        MachineState.Stopping => "it is shutting down",
        MachineState.Failed => $"it has failed; start it with 'minivmm ctl {options.Name} start'",
        _ => $"it is stopped; start it with 'minivmm ctl {options.Name} start'",
    });
}
