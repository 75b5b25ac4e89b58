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

    private static async Task FollowAsync(Stream stream, Action<string> console)
    {
        await using (stream.ConfigureAwait(false))
            await ConsoleLines.FollowAsync(stream, console).ConfigureAwait(false);
    }

    private sealed class Run : IMachineRun
    {
        private readonly VirtualMachine _machine;
        private readonly Task _console;
        private readonly Lock _lock = new();
        private readonly List<KvmStats> _stats = []; // by vCPU; none where this kernel has none, before Linux 5.14

        public Run(VirtualMachine machine, IControlledMachine control, Task console)
        {
            _machine = machine;
            Control = control;
            _console = console;
            foreach (VcpuThread vcpu in machine.Vcpus)
                OpenStats(vcpu);
            machine.VcpuMade = OpenStats;
        }

        public VirtualMachine Machine => _machine;

        public IControlledMachine Control { get; }

        public Task<StopReason> RunAsync(TimeSpan? timeout) => _machine.RunAsync(timeout);

        public void Pause() => _machine.Pause();

        public void Resume() => _machine.Resume();

        public bool PressPowerButton()
        {
            try
            {
                return _machine.PowerButton();
            }
            catch (ObjectDisposedException)
            {
                return true; // it has ended since
            }
        }

        public void Stop() => _machine.Stop(new(StopKind.Interrupted));

        public OptionMessage? ExplainEnd() => _machine.ExplainEnd();

        public MachineFigures ReadFigures()
        {
            VcpuStatistics[] vcpus = [.. _machine.Vcpus.Select(vcpu => vcpu.Statistics)];
            TimeSpan inGuest = Sum(vcpus.Select(vcpu => vcpu.InGuest));
            TimeSpan outside = Sum(vcpus.Select(vcpu => vcpu.Outside));
            bool timed = inGuest > TimeSpan.Zero;
            return new()
            {
                Exits = vcpus.SelectMany(vcpu => vcpu.ByReason).GroupBy(row => row.Reason)
                    .ToDictionary(rows => rows.Key.ToString(), rows => rows.Sum(row => row.Count)),
                InGuest = timed ? inGuest : null,
                Outside = timed ? outside : null,
                Devices = _machine.ReadDeviceCounters()
                    .SelectMany(device => device.Counters.Select(row => (Key: (device.Name, row.Key), row.Value)))
                    .ToDictionary(row => row.Key, row => row.Value),
                Vcpus = _machine.Cpus.Present,
                MemoryBytes = _machine.PluggableMemory?.ActualBytes ?? _machine.Backing.Length,
                Balloon = _machine.Balloon,
            };
        }

        public IReadOnlyList<VcpuProgress>? ReadProgress()
        {
            List<VcpuProgress> progress = [];
            bool paused = _machine.IsPaused;
            lock (_lock)
            {
                foreach ((KvmStats stats, VcpuThread vcpu) in _stats.Zip(_machine.Vcpus))
                {
                    // "blocking" came with Linux 5.17; without it an idle guest looks like a hung one.
                    if (!stats.TryRead("exits", out ulong exits) || !stats.TryRead("irq_exits", out ulong interrupts)
                        || !stats.TryRead("blocking", out ulong blocking))
                        return null;
                    progress.Add(new(exits - interrupts, paused || vcpu.IsParked || blocking != 0));
                }
            }

            return progress.Count > 0 ? progress : null;
        }

        public async ValueTask DisposeAsync()
        {
            CloseStats();
            await _machine.DisposeAsync().ConfigureAwait(false);
            await _console.ConfigureAwait(false); // to the last line: the machine has closed its end
        }

        /// <summary>Before the vCPU runs: KVM lets nobody open the statistics of one that is in the guest.</summary>
        private void OpenStats(VcpuThread vcpu)
        {
            lock (_lock)
            {
                if (_stats.Count != vcpu.Index)
                    return;
                try
                {
                    _stats.Add(vcpu.Vcpu.OpenStats());
                }
                catch (KvmException)
                {
                    CloseStats();
                }
            }
        }

        private void CloseStats()
        {
            lock (_lock)
            {
                foreach (KvmStats vcpu in _stats)
                    vcpu.Dispose();
                _stats.Clear();
            }
        }

        private static TimeSpan Sum(IEnumerable<TimeSpan> times) => times.Aggregate(TimeSpan.Zero, (sum, time) => sum + time);
    }
}
