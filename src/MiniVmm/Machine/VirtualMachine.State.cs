using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>What a paused machine has to remember: docs/state-format.md.</summary>
public sealed partial class VirtualMachine
{
    /// <summary>What the guest could tell by, but for its RAM: docs/state-format.md. The machine is paused.</summary>
    /// <exception cref="InvalidOperationException">It is not paused, or has ended.</exception>
    /// <exception cref="KvmException">KVM does not say.</exception>
    /// <exception cref="HostLimitException">The guest has state that cannot be saved.</exception>
    internal byte[] SaveState()
    {
        lock (_pausing)
        {
            CheckPaused();
            if (_passthrough is not null)
                throw new HostLimitException("the state of a device of the host's cannot be saved");
            if (_drives is not null)
                throw new HostLimitException("the state of a machine with IDE drives or firmware cannot be saved: its drives give none");
            if (_hasFirmware)
                throw new HostLimitException("the state of a machine with firmware cannot be saved: its chipset gives none");
            if (_options.Shares.Count > 0)
                throw new HostLimitException("the state of a machine with a shared folder cannot be saved: its files are open on the host");
            StateWriter writer = new();
            if (_blocks is not null)
                writer.WriteRecord(_blocks);
            foreach (ISuspendable part in Suspendable())
                writer.WriteRecord(part);
            return writer.ToArray();
        }
    }

    /// <summary>
    /// Takes on the state of a machine of the same plan; the machine is paused.
    /// </summary>
    /// <param name="state">Of that machine.</param>
    /// <param name="fillRam">Called when all RAM that there was is there again, to put in what it held.</param>
    /// <exception cref="InvalidOperationException">It is not paused, or has ended.</exception>
    /// <exception cref="StateException">It cannot: the machine is good for nothing but to be disposed of.</exception>
    internal void RestoreState(ReadOnlyMemory<byte> state, Action? fillRam = null)
    {
        lock (_pausing)
        {
            CheckPaused();
            StateReader reader = new(state);
            if (_blocks is not null)
                reader.ReadRecord(_blocks);
            fillRam?.Invoke();
            foreach (ISuspendable part in Suspendable())
                reader.ReadRecord(part);
            reader.End();
        }
    }

    /// <summary>
    /// All that has a state, looked up one by one: which vCPUs there are comes first. Controllers and local APICs before the
    /// devices, which raise interrupts anew.
    /// </summary>
    private IEnumerable<ISuspendable> Suspendable()
    {
        if (_processors.CanChange)
            yield return _processors;
        yield return new InterruptControllers(_core.Vm);
        foreach (VcpuThread vcpu in _processors.Present)
            yield return new VcpuRegisters(_kvm, _core.Vm, vcpu);
        yield return _time;
        foreach (ISuspendable device in _pcDevices.Suspendable.Concat(_devices?.Suspendable ?? []).Concat(_pciTestDevice)
            .Concat(_bochsDisplay).Concat(_video is not null ? [_video] : Array.Empty<ISuspendable>()))
            yield return device;
    }

    private void CheckPaused()
    {
        if (!IsPaused || Lifecycle.IsStopping)
            throw new InvalidOperationException("only a machine that is paused has a state");
    }
}
