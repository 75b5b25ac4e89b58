using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using MiniVmm.Control;
using MiniVmm.Hosting;

namespace MiniVmm.Tests.Hosting;

/// <summary>A hosted machine of fakes, with its clock and its log.</summary>
internal sealed class HostedMachine : IOptionsMonitor<VirtualMachineOptions>, IAsyncDisposable
{
    private readonly List<(MachineState State, TaskCompletionSource Reached)> _waiters = [];

    public HostedMachine(VirtualMachineOptions? options = null)
    {
        CurrentValue = options ?? new();
        Service = new("web", this, Machines, Log, Time);
        Service.StateChanged += (_, state) =>
        {
            States.Enqueue(state);
            lock (_waiters)
            {
                foreach ((MachineState wanted, TaskCompletionSource reached) in _waiters)
                {
                    if (wanted == state)
                        reached.TrySetResult();
                }
            }
        };
    }

    public FakeMachines Machines { get; } = new();

    public FakeTimeProvider Time { get; } = new();

    public MemoryLog Log { get; } = new();

    public ConcurrentQueue<MachineState> States { get; } = new();

    public HostedVirtualMachine Service { get; }

    public VirtualMachineOptions CurrentValue { get; }

    public VirtualMachineOptions Get(string? name) => CurrentValue;

    public IDisposable? OnChange(Action<VirtualMachineOptions, string?> listener) => null;

    /// <summary>Starts it, and waits until its guest runs.</summary>
    public async Task<FakeRun> StartAsync()
    {
        Task running = NextAsync(MachineState.Running);
        await Service.StartAsync(TestContext.Current.CancellationToken);
        await running;
        return await Machines.NextAsync();
    }

    /// <summary>The next time that the machine comes into that state.</summary>
    public Task NextAsync(MachineState state)
    {
        TaskCompletionSource reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_waiters)
            _waiters.Add((state, reached));
        return reached.Task.WaitAsync(TestContext.Current.CancellationToken);
    }

    public ValueTask DisposeAsync() => Service.DisposeAsync();
}
