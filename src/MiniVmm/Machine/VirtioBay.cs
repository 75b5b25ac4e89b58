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
internal sealed class VirtioBay(MachineCore core, Action<OptionMessage> warn) : IDisposable
{
    private readonly List<Bay> _bays = [];

    /// <summary>Puts a device into its slot; it is the bay's from here on, also where this fails.</summary>
    /// <exception cref="KvmException">No more files, or KVM refuses a doorbell.</exception>
    public void Add(VirtioSlot slot, IVirtioDevice device)
    {
        Bay bay = new(device);
        _bays.Add(bay);
        bay.Threads = new DeviceThreads($"virtio {slot.Name}", device);
        bay.Interrupt = new IrqFdTrigger(core.Vm, slot.Gsi);
        bay.Transport = new VirtioTransport(device, bay.Threads, core.Memory.Ram, new SharedLine(bay.Interrupt));
        bay.Threads.Failed = failure =>
        {
            warn($"{slot.Name} stopped, and waits for its driver to reset it: {failure.Message}");
            bay.Transport.NeedsReset();
        };
        device.Attach(bay.Transport, bay.Threads.Loops);
        bay.Registers = new VirtioMmio(bay.Transport);
        core.Mmio.Add(bay.Registers, slot.Name, slot.Address, VirtioMmio.Length);

        // One address for all queues: the value written is the queue's number (virtio 1.2, 4.2.2).
        for (int queue = 0; queue < device.QueueSizes.Count; queue++)
        {
            core.Vm.AssignIoEventFd(
                slot.Address + VirtioMmio.QueueNotify,
                sizeof(uint),
                bay.Threads.Doorbell(queue).Fd,
                pio: false,
                dataMatch: (ulong)queue);
        }
    }

    /// <summary>The devices behind their registers, in the order of their slots.</summary>
    public IEnumerable<ISuspendable> Suspendable => _bays.Select(bay => bay.Registers).OfType<ISuspendable>();

    /// <exception cref="HostLimitException">No more threads.</exception>
    public void Start()
    {
        foreach (Bay bay in _bays)
            bay.Threads?.Start();
    }

    /// <summary>Waits until no device's thread is at work, and keeps it so until <see cref="Resume"/>.</summary>
    public void Park()
    {
        foreach (Bay bay in _bays)
            bay.Transport?.Park();
    }

    public void Resume()
    {
        foreach (Bay bay in _bays)
            bay.Transport?.Resume();
    }

    /// <summary>
    /// Stops and closes the devices, the last first; no vCPU may run any more. What was asked of them is done, or was
    /// never begun.
    /// </summary>
    public void Dispose()
    {
        for (int i = _bays.Count - 1; i >= 0; i--)
            _bays[i].Dispose();
        _bays.Clear();
    }

    private sealed class Bay(IVirtioDevice device) : IDisposable
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
