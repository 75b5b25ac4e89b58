using MiniVmm.Firmware;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Passthrough;

namespace MiniVmm.Machine;

/// <summary>
/// The host's devices that a machine has: taken over and reset, given all of guest RAM for their DMA, put on the guest's
/// bus, and wired to KVM, so that neither their registers nor their interrupts need an exit to user space.
/// </summary>
internal sealed class PassthroughDevices : IDisposable
{
    private readonly PassthroughHost _host;
    private readonly List<IDisposable> _parts = [];

    /// <param name="core">What they are wired to, with its RAM and interrupt controllers.</param>
    /// <param name="pci">The guest's bus.</param>
    /// <param name="slots">At least one.</param>
    /// <param name="warn">Takes a line where a device does not get what the guest asks for.</param>
    /// <exception cref="BadInputException">The host has no such device.</exception>
    /// <exception cref="HostLimitException">One cannot be had.</exception>
    /// <exception cref="KvmException">No more files.</exception>
    public PassthroughDevices(
        MachineCore core, PciHost pci, IReadOnlyList<PassthroughSlot> slots, Action<OptionMessage> warn)
    {
        LinuxVfioCalls calls = LinuxVfioCalls.Instance;
        _host = new PassthroughHost(
            [.. slots.Select(slot => slot.Options)], new HostPciBus(new HostFiles()), calls, FileCalls.MayReadAndWrite);
        try
        {
            ulong ram = core.Memory.Ram.Slots.Aggregate(0ul, (sum, slot) => sum + slot.Range.Length);
            core.Memory.AddListener(new DmaMappings(_host.Container, slots[0].Options.Subject, ram, calls.LockableMemory));
            foreach ((PassthroughSlot slot, (PassthroughOptions Options, VfioDevice Device) device) in slots.Zip(_host.Devices))
                Add(core, pci, slot, device.Device, warn);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Stops the devices and gives them back; no vCPU runs any more.</summary>
    public void Dispose()
    {
        for (int i = _parts.Count - 1; i >= 0; i--)
            _parts[i].Dispose();
        _parts.Clear();
        _host.Dispose();
    }

    private void Add(MachineCore core, PciHost pci, PassthroughSlot slot, VfioDevice device, Action<OptionMessage> warn)
    {
        int index = InterruptWiring.PciLineIndex(slot.Slot.Device, pin: 0);
        SharedLevelLine line = Own(new SharedLevelLine(core.Vm, InterruptWiring.PciLines[index], core.Tracing));
        NamedOption subject = slot.Options.Subject;
        try
        {
            PassthroughFunction function = Own(new PassthroughFunction(slot.Name, device, new()
            {
                Decoding = pci.Bus.Decoding,
                ShowBar = bar => Own(new PassthroughBar(core, slot.Name, device, bar, warn)),
                MakeLine = () =>
                {
                    MessageLine message = new(core.Vm, core.Interrupts, core.Tracing);
                    return (message, message.Fd);
                },
                IntxAssert = line.Fd,
                IntxEnded = line.Ended.Fd,
                IsaLine = InterruptWiring.PciIsaLines[index],
                Warn = text => warn($"{subject}: {text}"),
            }));
            pci.Add(slot.Slot, function, function.Header);
        }
        catch (VfioException e)
        {
            throw new HostLimitException($"{subject}: {e.Message}", e);
        }
    }

    private T Own<T>(T part)
        where T : IDisposable
    {
        _parts.Add(part);
        return part;
    }
}
