using MiniVmm.Devices;
using MiniVmm.Firmware;
using MiniVmm.Kvm;
using MiniVmm.Pci;
using MiniVmm.Virtio;

namespace MiniVmm.Machine;

/// <summary>A virtio device on the PCI bus, wired to KVM: a doorbell for each queue, a message for each vector.</summary>
internal sealed class VirtioPciWiring : IVirtioAdapter
{
    private readonly SharedLevelLine _line;
    private readonly VirtioPciFunction _function;

    /// <exception cref="KvmException">No more files.</exception>
    public VirtioPciWiring(
        MachineCore core, PciHost pci, VirtioPciSlot slot, IVirtioDevice device, DeviceThreads threads, Action<OptionMessage> warn)
    {
        int vectors = device.QueueSizes.Count + 1;
        int line = InterruptWiring.PciLineIndex(slot.Slot.Device, pin: 0);
        _line = new SharedLevelLine(core.Vm, InterruptWiring.PciLines[line], core.Tracing);
        _function = new VirtioPciFunction(slot.Name, device, threads, new()
        {
            Decoding = pci.Bus.Decoding,
            Memory = core.Mmio,
            Ram = core.Memory.Ram,
            Messages = [.. Enumerable.Range(0, vectors).Select(_ => new MessageLine(core.Vm, core.Interrupts, core.Tracing))],
            Line = _line,
            IsaLine = InterruptWiring.PciIsaLines[line],
            Doorbells = new Doorbells(core.Vm, threads, device.QueueSizes.Count, slot.Name, warn),
        });
        pci.Add(slot.Slot, _function.Endpoint, _function.Endpoint);
        threads.Loops[0].Watch(_line.Ended.Fd, Readiness.Read, _ =>
        {
            _line.Ended.Read();
            _function.LineEnded();
        });
    }

    public VirtioTransport Transport => _function.Transport;

    public IEnumerable<ISuspendable> Suspendable => _function.Suspendable;

    public void Dispose()
    {
        _line.Dispose();
        _function.Dispose();
    }

    /// <summary>KVM's doorbells, one address a queue.</summary>
    private sealed class Doorbells(KvmVm vm, DeviceThreads threads, int queues, string name, Action<OptionMessage> warn)
        : IPciBarTarget
    {
        private int _assigned;

        public void Map(ulong address)
        {
            try
            {
                for (; _assigned < queues; _assigned++)
                    vm.AssignIoEventFd(At(address), VirtioPci.NotifyLength, threads.Doorbell(_assigned).Fd, pio: false);
            }
            catch (KvmException e)
            {
                warn($"{name}: queue {_assigned} and those after it are served by exits to user space: {e.Message}");
            }
        }

        public void Unmap(ulong address)
        {
            while (_assigned > 0)
            {
                _assigned--;
                vm.DeassignIoEventFd(At(address), VirtioPci.NotifyLength, threads.Doorbell(_assigned).Fd, pio: false);
            }
        }

        private ulong At(ulong address) => address + VirtioPci.Notify + ((ulong)_assigned * VirtioPci.NotifyMultiplier);
    }
}
