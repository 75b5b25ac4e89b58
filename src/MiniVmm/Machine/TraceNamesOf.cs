using MiniVmm.Devices;
using MiniVmm.Diagnostics;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Tracing;

namespace MiniVmm.Machine;

/// <summary>Who is where in a machine, for one trace of it.</summary>
/// <param name="described">The devices on its buses.</param>
/// <param name="slots">Its virtio devices.</param>
/// <param name="openKernel">Opens what names addresses.</param>
/// <param name="core">Its buses.</param>
internal sealed class TraceNamesOf(
    IReadOnlyList<DeviceDescription> described, IReadOnlyList<VirtioSlot> slots, Func<KernelImage> openKernel, MachineCore core)
    : ITraceNames, IDisposable
{
    private const int MostKept = 256; // windows move: a guest must not make this grow
    private const string SerialPort = "serial port ";

    private readonly List<(IBusDevice Device, TracedDevice Traced)> _devices = [];
    private readonly List<TracedDevice?> _virtio = [];
    private KernelImage? _kernel;

    public bool PassesOut { get; } = EmulatedSupervisor.IsOn(new HostFiles());

    public TracedDevice? DeviceAt(bool isPort, ulong address, int size)
    {
        if (!(isPort ? core.Ports : core.Mmio).TryFind(address, size, out string name, out IBusDevice device, out ulong start))
            return null;
        foreach ((IBusDevice known, TracedDevice traced) in _devices)
        {
            if (known == device && traced.Start == start)
                return traced;
        }

        if (_devices.Count == MostKept)
            _devices.RemoveAt(0);
        if (name.StartsWith(SerialPort, StringComparison.Ordinal))
            name = name[SerialPort.Length..];
        TracedDevice made = new(name, start, (device as IDescribesAccesses)?.CreateWords());
        _devices.Add((device, made));
        return made;
    }

    public TracedDevice? Virtio(int number)
    {
        if (number < 0 || number >= slots.Count)
            return null;
        while (_virtio.Count <= number)
            _virtio.Add(null);
        return _virtio[number] ??= new(slots[number].Name, 0, null, TypeOf(slots[number].Name));
    }

    public string? Line(uint line)
    {
        foreach (VirtioSlot slot in slots)
        {
            if (slot is VirtioMmioSlot mmio && mmio.Gsi == line)
                return slot.Name;
        }

        foreach (DeviceDescription device in described)
        {
            if (device.Interrupt == line)
                return device.Name.StartsWith(SerialPort, StringComparison.Ordinal) ? device.Name[SerialPort.Length..] : device.Name;
        }

        return null;
    }

    public string? Symbol(ulong linear, ulong? physical)
    {
        _kernel ??= openKernel();
        return _kernel.Symbols?.Name(linear, physical);
    }

    /// <summary>Of those whose requests have words.</summary>
    private static uint TypeOf(string slot) => slot.StartsWith("disk", StringComparison.Ordinal) ? TracedDevice.Block
        : slot.StartsWith("net", StringComparison.Ordinal) ? TracedDevice.Net : 0;

    public void Dispose() => _kernel?.Dispose();
}
