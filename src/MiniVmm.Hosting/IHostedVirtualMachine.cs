using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Machine;

namespace MiniVmm.Hosting;

/// <summary>
/// A machine of the host, for the application's own services:
/// <c>services.GetRequiredKeyedService&lt;IHostedVirtualMachine&gt;("web")</c>. Safe from any thread.
/// </summary>
public interface IHostedVirtualMachine
{
    /// <summary>The service's name.</summary>
    string Name { get; }

    MachineState State { get; }

    /// <summary>The machine that runs now; null between two runs. Each restart makes another.</summary>
    VirtualMachine? Machine { get; }

    /// <summary>Why the last run ended; null before.</summary>
    StopReason? LastEnd { get; }

    /// <summary>How often the policy, or <see cref="RestartAsync"/>, started it again.</summary>
    long Restarts { get; }

    /// <summary>Follows each change of <see cref="State"/>, on the thread that made it; handlers must be short.</summary>
    event Action<IHostedVirtualMachine, MachineState>? StateChanged;

    /// <summary>Starts the machine, at once where it waits for a restart; without effect on one that runs.</summary>
    /// <exception cref="VmmException">It cannot be started.</exception>
    /// <exception cref="InvalidOperationException">It is shutting down, or its host is.</exception>
    /// <exception cref="Host.SystemCallException">The host refused something.</exception>
    Task StartAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Presses the power button, waits for the guest for <see cref="VirtualMachineOptions.Patience"/>, then stops it. A
    /// guest that does not listen to the button is stopped at once. Completes when the machine has ended; it is not
    /// restarted.
    /// </summary>
    /// <param name="cancellationToken">Ends the patience, not the stop.</param>
    Task StopAsync(CancellationToken cancellationToken = default);

    /// <summary><see cref="StopAsync"/>, then <see cref="StartAsync"/>, with their errors.</summary>
    Task RestartAsync(CancellationToken cancellationToken = default);

    /// <summary>
    /// Presses the power button, and returns at once; a paused guest goes on. A machine whose guest listens is not
    /// restarted after its end.
    /// </summary>
    /// <returns>Whether the guest listens.</returns>
    /// <exception cref="InvalidOperationException">The machine does not run.</exception>
    bool PowerDown();

    /// <summary>Stops the guest's time; returns when no vCPU is in the guest any more.</summary>
    /// <exception cref="InvalidOperationException">The machine does not run, or is shutting down.</exception>
    /// <exception cref="HostLimitException">A device has held up a vCPU for seconds; the machine runs on.</exception>
    Task PauseAsync();

    /// <summary>Lets a paused guest go on.</summary>
    /// <exception cref="InvalidOperationException">The machine does not run, or is shutting down.</exception>
    Task ResumeAsync();
}
