using MiniVmm.Devices;
using MiniVmm.Kvm;
using MiniVmm.Tracing;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>
/// A machine's virtio devices, each wired to KVM: doorbells by ioeventfd, so that a notification costs no exit to user
/// space, and interrupts by irqfd, so that they need no vCPU to come out.
/// </summary>
/// <param name="core">Where registers, doorbells and interrupts go.</param>
/// <param name="pci">The PCI bus.</param>
/// <param name="warn">Takes a line where a device fails.</param>
internal sealed class VirtioWiring(MachineCore core, PciHost pci, Action<OptionMessage> warn) : IDisposable
{
    private readonly List<WiredDevice> _wired = [];

    /// <summary>Puts a device into its slot; it is the wiring's from here on, also where this fails.</summary>
    /// <exception cref="KvmException">No more files, or KVM refuses a doorbell.</exception>
    public void Add(VirtioSlot slot, IVirtioDevice device)
    {
        WiredDevice wired = new(device);
        _wired.Add(wired);
        DeviceThreads threads = wired.Threads = new DeviceThreads($"virtio {slot.Name}", device);
        IVirtioAdapter adapter = wired.Adapter = slot switch
        {
            VirtioPciSlot function => new VirtioPciWiring(core, pci, function, device, threads, warn),
            VirtioMmioSlot window => new VirtioMmioWindow(core, window, device, threads),
            _ => throw new ArgumentException($"{slot.Name}: no such slot", nameof(slot)),
        };
        threads.Failed = failure =>
        {
            warn($"{slot.Name} stopped, and waits for its driver to reset it: {failure.Message}");
            adapter.Transport.NeedsReset();
        };
        device.Attach(adapter.Transport, threads.Loops);
        threads.Trace = new DeviceTrace(core.Tracing, _wired.Count - 1);
        if (device is ITracedRequests traced)
            traced.Trace = threads.Trace;
    }

    /// <summary>The devices behind their registers, in the order of their slots.</summary>
    public IEnumerable<ISuspendable> Suspendable => _wired.SelectMany(wired => wired.Adapter?.Suspendable ?? []);

    /// <exception cref="HostLimitException">No more threads.</exception>
    public void Start()
    {
        foreach (WiredDevice wired in _wired)
            wired.Threads?.Start();
    }

    /// <summary>Waits until no device's thread is at work, and keeps it so until <see cref="Resume"/>.</summary>
    public void Park()
    {
        foreach (WiredDevice wired in _wired)
            wired.Adapter?.Transport.Park();
    }

    public void Resume()
    {
        foreach (WiredDevice wired in _wired)
            wired.Adapter?.Transport.Resume();
    }

    /// <summary>
    /// Stops and closes the devices, the last first; no vCPU may run any more. What was asked of them is done, or was
    /// never begun.
    /// </summary>
    public void Dispose()
    {
        for (int i = _wired.Count - 1; i >= 0; i--)
            _wired[i].Dispose();
        _wired.Clear();
    }

    private sealed class WiredDevice(IVirtioDevice device) : IDisposable
    {
        public DeviceThreads? Threads { get; set; }

        public IVirtioAdapter? Adapter { get; set; }

        public void Dispose()
        {
            Adapter?.Transport.Reset();
            Threads?.Dispose();
            device.Dispose();
            Adapter?.Dispose();
        }
    }
}
