using MiniVmm.Virtio;
using MiniVmm.Virtio.Rng;

namespace MiniVmm.Machine;

/// <summary>The virtio devices that a machine's options ask for, each opened on the host and put into its slot.</summary>
internal sealed class VirtioDevices : IDisposable
{
    private readonly VirtioBay _bay;
    private readonly Queue<VirtioSlot> _slots;

    /// <exception cref="VmmException">The host has not what an option names.</exception>
    /// <exception cref="Kvm.KvmException">No more files.</exception>
    public VirtioDevices(MachinePlan plan, VirtioBay bay)
    {
        _bay = bay;
        _slots = new(plan.Virtio);
        MachineOptions options = plan.Options;
        try
        {
            if (options.Rng)
                Add(new VirtioRng());
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Starts the devices' threads.</summary>
    public void Start() => _bay.Start();

    public void Dispose() => _bay.Dispose();

    /// <summary>In the order of <see cref="MachineOptions.VirtioDevices"/>.</summary>
    private void Add(IVirtioDevice device) => _bay.Add(_slots.Dequeue(), device);
}
