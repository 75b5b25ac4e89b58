using MiniVmm.Devices;
using MiniVmm.Memory;
using MiniVmm.Passthrough;
using MiniVmm.Pci;

namespace MiniVmm.Machine;

/// <summary>
/// A BAR of a passed device where the guest has put it: what can be mapped is a memory slot of KVM's, which costs no exit;
/// the rest is served by its window.
/// </summary>
internal sealed class PassthroughBar : IPciBarTarget, IDisposable
{
    private readonly Bus _bus;
    private readonly AddressSpace _memory;
    private readonly string _name;
    private readonly VfioDevice _device;
    private readonly BarWindow _window;
    private readonly ulong _length;
    private readonly Action<OptionMessage> _warn;
    private readonly List<(RegionArea Area, nint Host)> _views = [];
    private readonly List<RamSlot> _slots = [];

    /// <param name="core">Where it is shown.</param>
    /// <param name="name">For people.</param>
    /// <param name="device">The device.</param>
    /// <param name="bar">What it is.</param>
    /// <param name="warn">Takes a line where KVM does not take the memory.</param>
    /// <exception cref="VfioException">What should be mapped cannot be.</exception>
    public PassthroughBar(MachineCore core, string name, VfioDevice device, ShownBar bar, Action<OptionMessage> warn)
    {
        _bus = bar.IsPorts ? core.Ports : core.Mmio;
        _memory = core.Memory;
        _name = name;
        _device = device;
        _window = bar.Window;
        _length = bar.Region.Size;
        _warn = warn;
        try
        {
            foreach (RegionArea area in bar.Mapped)
                _views.Add((area, device.Map(bar.Region, area)));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public void Map(ulong address)
    {
        _bus.Add(_window, _name, address, _length);
        try
        {
            foreach ((RegionArea area, nint host) in _views)
            {
                RamSlot slot = new(new(address + area.Offset, area.Length), host);
                _memory.CreateSlot(slot);
                _slots.Add(slot);
            }
        }
        catch (HostLimitException e)
        {
            _warn($"{_name}: registers at 0x{address:x} are served by exits to user space: {e.Text}");
        }
    }

    public void Unmap(ulong address)
    {
        foreach (RamSlot slot in _slots)
            _memory.DeleteSlot(slot);
        _slots.Clear();
        _bus.Remove(address);
    }

    /// <summary>Gives the mappings back, without which the device would stay open; no vCPU runs any more.</summary>
    public void Dispose()
    {
        foreach (RamSlot slot in _slots)
            _memory.DeleteSlot(slot);
        _slots.Clear();
        foreach ((RegionArea area, nint host) in _views)
            _device.Unmap(host, area);
        _views.Clear();
    }
}
