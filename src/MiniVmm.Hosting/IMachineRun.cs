using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Machine;

namespace MiniVmm.Hosting;

/// <summary>Builds machines; a test's ones need no KVM.</summary>
internal interface IMachineFactory
{
    /// <summary>Builds a machine that has not started.</summary>
    /// <param name="options">What to build.</param>
    /// <param name="console">Takes the guest's console, a line at a time, on a thread of the run's; null for nobody.</param>
    /// <param name="warn">Takes a line for each thing that is not as asked.</param>
    /// <exception cref="VmmException">It cannot be built.</exception>
    /// <exception cref="Host.SystemCallException">The host refused something.</exception>
    IMachineRun Create(MachineOptions options, Action<string>? console, Action<OptionMessage> warn);

    /// <summary>Opens the control socket of that name, until it is disposed of.</summary>
    /// <exception cref="BadInputException">Another machine has the name.</exception>
    /// <exception cref="HostLimitException">No place for the socket, or no thread.</exception>
    IDisposable Listen(string name, IControlledMachine machine);
}

/// <summary>One life of a machine: from its start to its end. Disposal ends it.</summary>
internal interface IMachineRun : IAsyncDisposable
{
    VirtualMachine? Machine { get; }

    /// <summary>The machine as a control socket sees it; once it has ended, members may throw <see cref="ObjectDisposedException"/>.</summary>
    IControlledMachine Control { get; }

    Task<StopReason> RunAsync(TimeSpan? timeout);

    void Pause();

    void Resume();

    /// <returns>Whether the guest listens.</returns>
    bool PressPowerButton();

    /// <summary>Ends it from outside; returns at once.</summary>
    void Stop();

    /// <summary>What there is to say of the end.</summary>
    OptionMessage? ExplainEnd();

    /// <summary>What it counted so far; also after its end, until it is disposed of.</summary>
    MachineFigures ReadFigures();

    /// <summary>How far each vCPU is; null where this kernel does not say.</summary>
    IReadOnlyList<VcpuProgress>? ReadProgress();
}

/// <summary>Whether a vCPU does something.</summary>
/// <param name="Exits">
/// Exits so far, those that the kernel handles included, and without those for interrupts of the host: a guest that does
/// nothing but spin has these only.
/// </param>
/// <param name="Waits">Halted, paused, or not started yet: it may stay so for ever.</param>
internal readonly record struct VcpuProgress(ulong Exits, bool Waits);
