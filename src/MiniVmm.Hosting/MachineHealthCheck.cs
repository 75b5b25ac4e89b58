using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using MiniVmm.Control;

namespace MiniVmm.Hosting;

/// <summary>
/// Healthy while the machine runs or is paused; degraded while it starts, waits for a restart or has been shut down;
/// unhealthy once it has failed, or where a vCPU has neither exited nor halted for
/// <see cref="VirtualMachineOptions.HungAfter"/>: a guest that spins with its interrupts off.
/// </summary>
/// <remarks>A vCPU is seen only when the check runs: it takes two, so far apart, to find one hung.</remarks>
internal sealed class MachineHealthCheck(
    HostedVirtualMachine machine, IOptionsMonitor<VirtualMachineOptions> options, TimeProvider time) : IHealthCheck
{
    private readonly Lock _lock = new();
    private List<(VcpuProgress Progress, long Since)> _seen = [];
    private long? _run; // of which they were seen, by its start

    public Task<HealthCheckResult> CheckHealthAsync(
        HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(context);
        return Task.FromResult(Check(context.Registration.FailureStatus));
    }

    private HealthCheckResult Check(HealthStatus failure)
    {
        switch (machine.State)
        {
            case MachineState.Running:
                return Hung() is (int vcpu, TimeSpan time)
                    ? new(failure, $"hung: vCPU {vcpu} has neither exited nor halted for {time.TotalSeconds:0} s")
                    : HealthCheckResult.Healthy("running");
            case MachineState.Paused:
                Forget();
                return HealthCheckResult.Healthy("paused");
            case MachineState.Failed:
                return new(failure, machine.Record.Problem ?? "failed");
            case MachineState.Restarting:
                Forget();
                return HealthCheckResult.Degraded("ended, and restarts soon");
            case MachineState.Starting:
                return HealthCheckResult.Degraded("starting");
            case MachineState.Stopping:
                return HealthCheckResult.Degraded("shutting down");
            default:
                return HealthCheckResult.Degraded("stopped");
        }
    }

    private (int Vcpu, TimeSpan Time)? Hung()
    {
        TimeSpan limit = options.Get(machine.Name).HungAfter;
        long now = time.GetTimestamp();
        lock (_lock)
        {
            IReadOnlyList<VcpuProgress> progress = machine.Record.ReadProgress() ?? [];
            if (machine.Record.StartedAt is var run && run != _run)
                (_seen, _run) = ([], run);
            _seen =
            [
                .. progress.Select((vcpu, i) =>
                    !vcpu.Waits && i < _seen.Count && _seen[i].Progress == vcpu ? _seen[i] : (vcpu, now)),
            ];
            int longest = _seen.FindIndex(vcpu => time.GetElapsedTime(vcpu.Since, now) >= limit);
            return longest < 0 ? null : (longest, time.GetElapsedTime(_seen[longest].Since, now));
        }
    }

    private void Forget()
    {
        lock (_lock)
            _seen = [];
    }
}
