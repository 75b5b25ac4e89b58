using MiniVmm.Control;
using MiniVmm.Diagnostics;
using MiniVmm.Execution;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Terminal;

namespace MiniVmm.Hosting;

/// <summary>Machines as they are.</summary>
internal sealed class KvmMachines : IMachineFactory
{
    public IMachineRun Create(MachineOptions options, Action<string>? console, Action<OptionMessage> warn)
    {
        if (console is not null)
            options = options with { Console = ConsoleKind.Stream };
        using MachinePlan plan = MachinePlan.Create(options);
        VirtualMachine machine = VirtualMachine.Create(plan, new Milestones(), warn);
        return new Run(machine, machine.AsControlled(options), console is null ? Task.CompletedTask : FollowAsync(machine.OpenConsole(), console));
    }

    public IDisposable Listen(string name, IControlledMachine machine) => ControlServer.Listen(name, machine);

    /// <summary>Opened before the start: KVM lets nobody open the statistics of a vCPU that is in the guest.</summary>
    /// <returns>None where this kernel has none, before Linux 5.14.</returns>
    private static List<KvmStats> OpenStats(VirtualMachine machine)
    {
        List<KvmStats> stats = [];
        try
        {
            foreach (VcpuThread vcpu in machine.Vcpus)
                stats.Add(vcpu.Vcpu.OpenStats());
            return stats;
        }
        catch (KvmException)
        {
            foreach (KvmStats vcpu in stats)
                vcpu.Dispose();
            return [];
        }
    }

    private static async Task FollowAsync(Stream stream, Action<string> console)
    {
        await using (stream.ConfigureAwait(false))
            await ConsoleLines.FollowAsync(stream, console).ConfigureAwait(false);
    }

    private sealed class Run(VirtualMachine machine, IControlledMachine control, Task console) : IMachineRun
    {
        private readonly List<KvmStats> _stats = OpenStats(machine);

        public VirtualMachine Machine => machine;

        public IControlledMachine Control => control;

        public Task<StopReason> RunAsync(TimeSpan? timeout) => machine.RunAsync(timeout);

        public void Pause() => machine.Pause();

        public void Resume() => machine.Resume();

        public bool PressPowerButton()
        {
            try
            {
                return machine.PowerButton();
            }
            catch (ObjectDisposedException)
            {
                return true; // it has ended since
            }
        }

        public void Stop() => machine.Stop(new(StopKind.Interrupted));

        public OptionMessage? ExplainEnd() => machine.ExplainEnd();

        public MachineFigures ReadFigures()
        {
            VcpuStatistics[] vcpus = [.. machine.Vcpus.Select(vcpu => vcpu.Statistics)];
            TimeSpan inGuest = Sum(vcpus.Select(vcpu => vcpu.InGuest));
            TimeSpan outside = Sum(vcpus.Select(vcpu => vcpu.Outside));
            bool timed = inGuest > TimeSpan.Zero;
            return new()
            {
                Exits = vcpus.SelectMany(vcpu => vcpu.ByReason).GroupBy(row => row.Reason)
                    .ToDictionary(rows => rows.Key.ToString(), rows => rows.Sum(row => row.Count)),
                InGuest = timed ? inGuest : null,
                Outside = timed ? outside : null,
                Devices = machine.ReadDeviceCounters()
                    .SelectMany(device => device.Counters.Select(row => (Key: (device.Name, row.Key), row.Value)))
                    .ToDictionary(row => row.Key, row => row.Value),
                MemoryBytes = machine.PluggableMemory?.ActualBytes ?? machine.Backing.Length,
                Balloon = machine.Balloon,
            };
        }

        public IReadOnlyList<VcpuProgress>? ReadProgress()
        {
            List<VcpuProgress> progress = [];
            bool paused = machine.IsPaused;
            foreach (KvmStats vcpu in _stats)
            {
                // "blocking" came with Linux 5.17; without it an idle guest looks like a hung one.
                if (!vcpu.TryRead("exits", out ulong exits) || !vcpu.TryRead("irq_exits", out ulong interrupts)
                    || !vcpu.TryRead("blocking", out ulong blocking))
                    return null;
                progress.Add(new(exits - interrupts, paused || blocking != 0));
            }

            return progress.Count > 0 ? progress : null;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (KvmStats vcpu in _stats)
                vcpu.Dispose();
            await machine.DisposeAsync().ConfigureAwait(false);
            await console.ConfigureAwait(false); // to the last line: the machine has closed its end
        }

        private static TimeSpan Sum(IEnumerable<TimeSpan> times) => times.Aggregate(TimeSpan.Zero, (sum, time) => sum + time);
    }
}
