using MiniVmm.Devices;
using MiniVmm.Kvm;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>
/// A machine's virtio devices, each wired to KVM: doorbells by ioeventfd, so that a notification costs no exit to user
/// space, and the interrupt by irqfd, so that it needs no vCPU to come out.
/// </summary>
/// <param name="core">Where registers, doorbells and interrupts go.</param>
/// <param name="warn">Takes a line where a device fails.</param>
internal sealed class VirtioWiring(MachineCore core, Action<OptionMessage> warn) : IDisposable
{
    private readonly List<WiredDevice> _wired = [];

    /// <summary>Puts a device into its slot; it is the wiring's from here on, also where this fails.</summary>
    /// <exception cref="KvmException">No more files, or KVM refuses a doorbell.</exception>
    public void Add(VirtioSlot slot, IVirtioDevice device)
    {
        WiredDevice wired = new(device);
        _wired.Add(wired);
        wired.Threads = new DeviceThreads($"virtio {slot.Name}", device);
        wired.Interrupt = new IrqFdTrigger(core.Vm, slot.Gsi);
        wired.Transport = new VirtioTransport(device, wired.Threads, core.Memory.Ram, new SharedLine(wired.Interrupt));
        wired.Threads.Failed = failure =>
        {
            warn($"{slot.Name} stopped, and waits for its driver to reset it: {failure.Message}");
            wired.Transport.NeedsReset();
        };
        device.Attach(wired.Transport, wired.Threads.Loops);
        wired.Registers = new VirtioMmio(wired.Transport);
        core.Mmio.Add(wired.Registers, slot.Name, slot.Address, VirtioMmio.Length);

        // One address for all queues: the value written is the queue's number (virtio 1.2, 4.2.2).
        for (int queue = 0; queue < device.QueueSizes.Count; queue++)
        {
            core.Vm.AssignIoEventFd(
                slot.Address + VirtioMmio.QueueNotify,
                sizeof(uint),
                wired.Threads.Doorbell(queue).Fd,
                pio: false,
                dataMatch: (ulong)queue);
        }
    }

    /// <summary>The devices behind their registers, in the order of their slots.</summary>
    public IEnumerable<ISuspendable> Suspendable => _wired.Select(wired => wired.Registers).OfType<ISuspendable>();

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
            wired.Transport?.Park();
    }

    public void Resume()
    {
        foreach (WiredDevice wired in _wired)
            wired.Transport?.Resume();
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

        public IrqFdTrigger? Interrupt { get; set; }

        public VirtioTransport? Transport { get; set; }

        public VirtioMmio? Registers { get; set; }

        public void Dispose()
        {
            Transport?.Reset();
            Threads?.Dispose();
            device.Dispose();
            Interrupt?.Dispose();
        }
    }
}
