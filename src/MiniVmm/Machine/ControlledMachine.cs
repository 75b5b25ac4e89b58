using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Virtio.Balloon;

namespace MiniVmm.Machine;

/// <summary>What a control socket sees of a machine.</summary>
internal sealed class ControlledMachine(VirtualMachine machine, MachineOptions options, VirtioBalloon? balloon)
    : IControlledMachine
{
    /// <summary>How long the guest may take to say how its memory is used.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    private readonly DateTimeOffset _startedAt = DateTimeOffset.UtcNow;

    public MachineInfo Info =>
        new(options.Kernel, Cpus.Present, options.Topology.MaxCpus, machine.Backing.Length, _startedAt);

    public MachineState State => machine.IsPaused ? MachineState.Paused : MachineState.Running;

    public IMachineHost? Host => null;

    public ulong MemoryBytes => machine.PluggableMemory?.ActualBytes ?? Info.MemoryBytes;

    public MemoryState? Memory => machine.PluggableMemory;

    public BalloonState? Balloon => machine.Balloon;

    public MachineStatistics ReadStatistics()
    {
        machine.KvmCounters.Open(machine.Vcpus);
        return new()
        {
            Vcpus =
            [
                .. machine.Vcpus.Select(vcpu => new VcpuCounts(
                    !vcpu.IsParked,
                    vcpu.Statistics.Total,
                    vcpu.Statistics.ByReason.ToDictionary(row => row.Reason.ToString(), row => row.Count),
                    vcpu.Statistics.Assisted.ToDictionary(row => row.Instruction, row => row.Count) is { Count: > 0 } some ? some : null,
                    machine.KvmCounters.Of(vcpu))),
            ],
            Backing = machine.Backing.Description,
            GuestMemory = machine.IsPaused ? null : balloon?.RequestStatistics(Patience)?.ByName(), // a paused guest has no answer
            Devices = machine.ReadDeviceCounters(),
            Kvm = machine.KvmCounters.OfMachine(),
        };
    }

    public void SetBalloon(ulong bytes) => balloon?.SetTarget(bytes);

    public void SetMemory(ulong bytes) => machine.SetMemory(bytes);

    public CpusState Cpus => machine.Cpus;

    public CpusState SetCpus(int count) => machine.SetCpus(count);

    public void Pause() => machine.Pause();

    public void Resume() => machine.Resume();

    public bool PressPowerButton() => machine.PowerButton();

    public byte[] Screenshot() => machine.Screenshot();

    public int WaitingKeys => machine.WaitingKeys;

    public void Type(string text) => machine.TypeText(text);

    public void PressKeys(string keys) => machine.PressKeys(keys);

    public TraceState Trace => machine.TraceState;

    public void StartTrace(string what, string? file) => machine.StartTrace(what, file);

    public void StopTrace() => machine.StopTrace();

    public void Stop() => machine.Stop(new(StopKind.Interrupted));
}
