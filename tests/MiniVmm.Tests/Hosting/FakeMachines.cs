using System.Threading.Channels;
using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Hosting;
using MiniVmm.Machine;
using MiniVmm.Tests.Control;

namespace MiniVmm.Tests.Hosting;

/// <summary>Machines without a KVM, whose guests do what a test says.</summary>
internal sealed class FakeMachines : IMachineFactory
{
    private readonly Channel<FakeRun> _made = Channel.CreateUnbounded<FakeRun>();

    /// <summary>What the next machines cannot be built for.</summary>
    public Queue<Exception?> Problems { get; } = new();

    /// <summary>Whether guests listen to their power buttons.</summary>
    public bool Listens { get; set; } = true;

    /// <summary>Each machine as it is built.</summary>
    public ValueTask<FakeRun> NextAsync() => _made.Reader.ReadAsync(TestContext.Current.CancellationToken);

    /// <summary>The names that control sockets have taken.</summary>
    public Dictionary<string, IControlledMachine> Sockets { get; } = [];

    public bool TryNext() => _made.Reader.TryRead(out _);

    public IMachineRun Create(MachineOptions options, Action<string>? console, Action<OptionMessage> warn)
    {
        if (Problems.TryDequeue(out Exception? problem) && problem is not null)
            throw problem;
        FakeRun run = new(options, console, Listens);
        _made.Writer.TryWrite(run);
        return run;
    }

    public IDisposable Listen(string name, IControlledMachine machine)
    {
        if (!Sockets.TryAdd(name, machine))
            throw new BadInputException($"{OptionName.Name.With(name)}: is taken");
        return new Socket(() => Sockets.Remove(name));
    }

    private sealed class Socket(Action close) : IDisposable
    {
        public void Dispose() => close();
    }
}

internal sealed class FakeRun(MachineOptions options, Action<string>? console, bool listens) : IMachineRun
{
    private readonly TaskCompletionSource<StopReason> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public MachineOptions Options => options;

    public Action<string>? Console => console;

    public VirtualMachine? Machine => null;

    /// <summary>What its control socket sees.</summary>
    public FakeMachine Controlled { get; } = new();

    public IControlledMachine Control => Controlled;

    public TimeSpan? Timeout { get; private set; }

    public bool IsPaused { get; private set; }

    public int Presses { get; private set; }

    public bool IsDisposed { get; private set; }

    public OptionMessage? Report { get; set; }

    public MachineFigures Figures { get; set; } = MachineFigures.None;

    public IReadOnlyList<VcpuProgress>? Progress { get; set; }

    /// <summary>What the guest does when its button is pressed.</summary>
    public Action<FakeRun> OnPress { get; set; } = _ => { };

    /// <summary>What else happens while it is paused.</summary>
    public Action<FakeRun> OnPause { get; set; } = _ => { };

    /// <summary>What else happens when it is to go on.</summary>
    public Action<FakeRun> OnResume { get; set; } = _ => { };

    public void End(StopKind kind, uint value = 0) => _end.TrySetResult(new(kind, value));

    /// <summary>It could not even start.</summary>
    public void Fail(Exception e) => _end.TrySetException(e);

    public Task<StopReason> RunAsync(TimeSpan? timeout)
    {
        Timeout = timeout;
        return _end.Task;
    }

    public void Pause()
    {
        OnPause(this);
        IsPaused = true;
    }

    public void Resume()
    {
        OnResume(this);
        IsPaused = false;
    }

    public bool PressPowerButton()
    {
        Presses++;
        OnPress(this);
        return listens;
    }

    public void Stop() => End(StopKind.Interrupted);

    public OptionMessage? ExplainEnd() => Report;

    public MachineFigures ReadFigures() => Figures;

    public IReadOnlyList<VcpuProgress>? ReadProgress() => Progress;

    public ValueTask DisposeAsync()
    {
        IsDisposed = true;
        End(StopKind.Interrupted);
        return ValueTask.CompletedTask;
    }
}
