using System.Runtime.CompilerServices;
using MiniVmm.Memory;

namespace MiniVmm.Devices;

/// <summary>
/// Port or memory addresses, each claimed by at most one device. Built before the first vCPU runs and
/// unchanged from then on, so that look-ups need no lock.
/// </summary>
public sealed class Bus
{
    /// <summary>For an access that lies in no one window.</summary>
    private static readonly Window Nothing = new(0, 0, NoDevice.Instance, "");

    private readonly string _name;
    private readonly ulong _limit;

    // Devices' windows and the gaps between them: together all addresses up to the limit, ascending.
    private Window[] _windows;

    // Most accesses go where the one before went: a console's port, a queue's doorbell. A reference is read and written
    // whole, so that vCPUs can share it without a lock.
    private Window _last;

    /// <param name="name">For errors: "port" or "memory".</param>
    /// <param name="limit">Highest address on this bus: 0xffff for ports.</param>
    public Bus(string name, ulong limit)
    {
        _name = name;
        _limit = limit;
        _windows = [Gap(0, limit)];
        _last = _windows[0];
    }

    /// <summary>The windows and who claims them, ascending, for people.</summary>
    public IEnumerable<(GuestRange Range, string Device)> Windows =>
        _windows.Where(window => window.IsClaimed).Select(window => (window.Range, window.Name));

    /// <summary>Gives a device its window.</summary>
    /// <param name="device">The device; sees offsets from <paramref name="start"/>.</param>
    /// <param name="deviceName">For errors and listings.</param>
    /// <param name="start">First address.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <exception cref="ArgumentException">The window is empty, runs past the bus, or overlaps another's.</exception>
    public void Add(IBusDevice device, string deviceName, ulong start, ulong length)
    {
        if (length == 0 || start > _limit || length - 1 > _limit - start)
            throw new ArgumentException($"{deviceName}: {length} bytes at 0x{start:x} do not fit the {_name} bus");
        GuestRange range = new(start, length);
        if (Array.Find(_windows, window => window.IsClaimed && window.Range.Overlaps(range)) is { } other)
            throw new ArgumentException($"{deviceName}: 0x{start:x} is in the {_name} window of {other.Name}");

        int at = Array.FindLastIndex(_windows, window => window.Start <= start);
        Window gap = _windows[at];
        List<Window> windows = [.. _windows[..at]];
        if (gap.Start < start)
            windows.Add(Gap(gap.Start, start - 1));
        windows.Add(new Window(start, start + (length - 1), device, deviceName));
        if (start + (length - 1) < gap.Last)
            windows.Add(Gap(start + length, gap.Last));
        _windows = [.. windows, .. _windows[(at + 1)..]];
        _last = _windows[0];
    }

    /// <summary>
    /// Hands a read to the device that claims all of it; unclaimed bytes read as all ones, as on a PC.
    /// </summary>
    /// <returns>Whether a device claimed it.</returns>
    public bool Read(ulong address, Span<byte> data)
    {
        Window window = Find(address, (uint)data.Length);
        window.Device.Read(address - window.Start, data);
        return window.IsClaimed;
    }

    /// <summary>Hands a write to the device that claims all of it; an unclaimed one goes nowhere.</summary>
    /// <returns>Whether a device claimed it.</returns>
    public bool Write(ulong address, ReadOnlySpan<byte> data)
    {
        Window window = Find(address, (uint)data.Length);
        window.Device.Write(address - window.Start, data);
        return window.IsClaimed;
    }

    /// <summary>The window or gap that holds all the bytes; <see cref="Nothing"/> where they lie in several.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Window Find(ulong address, uint length)
    {
        Window last = _last;
        return last.Holds(address, length) ? last : Search(address, length);
    }

    private Window Search(ulong address, uint length)
    {
        Window[] windows = _windows;
        int low = 0;
        int high = windows.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) >>> 1;
            if (windows[middle].Start <= address)
                low = middle;
            else
                high = middle - 1;
        }

        if (!windows[low].Holds(address, length))
            return Nothing;
        return _last = windows[low];
    }

    private static Window Gap(ulong start, ulong last) => new(start, last, NoDevice.Instance, "");

    private sealed class Window(ulong start, ulong last, IBusDevice device, string name)
    {
        public readonly ulong Start = start;
        public readonly ulong Last = last;
        public readonly IBusDevice Device = device;
        public readonly string Name = name;
        public readonly bool IsClaimed = device is not NoDevice;

        /// <summary>Of a device's window; a gap may be too long for it.</summary>
        public GuestRange Range => new(Start, Last - Start + 1);

        public bool Holds(ulong address, uint bytes) =>
            address >= Start && address <= Last && bytes - 1UL <= Last - address;
    }

    /// <summary>Where nothing is.</summary>
    private sealed class NoDevice : IBusDevice
    {
        public static readonly NoDevice Instance = new();

        public void Read(ulong offset, Span<byte> data) => data.Fill(0xff);

        public void Write(ulong offset, ReadOnlySpan<byte> data)
        {
        }
    }
}
