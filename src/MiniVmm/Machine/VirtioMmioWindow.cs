using MiniVmm.Devices;
using MiniVmm.Kvm;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>A virtio device behind registers in memory, with one interrupt line.</summary>
internal sealed class VirtioMmioWindow : IVirtioAdapter
{
    private readonly IrqFdTrigger _line;
    private readonly VirtioMmio _registers;

    /// <exception cref="KvmException">No more files, or KVM refuses a doorbell.</exception>
    public VirtioMmioWindow(MachineCore core, VirtioMmioSlot slot, IVirtioDevice device, DeviceThreads threads)
    {
        _line = new IrqFdTrigger(core.Vm, slot.Gsi, core.Tracing);
        try
        {
            Transport = new VirtioTransport(device, threads, core.Memory.Ram, new SharedLine(_line));
            _registers = new VirtioMmio(Transport);
            core.Mmio.Add(_registers, slot.Name, slot.Address, VirtioMmio.Length);

            // One address for all queues: the value written is the queue's number (virtio 1.2, 4.2.2).
            for (int queue = 0; queue < device.QueueSizes.Count; queue++)
            {
                core.Vm.AssignIoEventFd(
                    slot.Address + VirtioMmio.QueueNotify,
                    sizeof(uint),
                    threads.Doorbell(queue).Fd,
                    pio: false,
                    dataMatch: (ulong)queue);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public VirtioTransport Transport { get; }

    public IEnumerable<ISuspendable> Suspendable => [_registers];

    public void Dispose() => _line.Dispose();
}
