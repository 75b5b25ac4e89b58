using MiniVmm.Memory;

namespace MiniVmm.Devices;

/// <summary>
/// Port or memory addresses, each claimed by at most one device. Built before the first vCPU runs and
/// unchanged from then on, so that look-ups need no lock.
/// </summary>
/// <param name="name">For errors: "port" or "memory".</param>
/// <param name="limit">Highest address on this bus: 0xffff for ports.</param>
public sealed class Bus(string name, ulong limit)
{
    private static readonly Window None = new(0, 0, NoDevice.Instance, "");
    private Window[] _windows = [];

    // Most accesses go where the one before went: a console's port, a queue's doorbell. A reference is read and written
    // whole, so that vCPUs can share it without a lock.
    private Window _last = None;

    /// <summary>The windows and who claims them, ascending, for people.</summary>
    public IEnumerable<(GuestRange Range, string Device)> Windows =>
        _windows.Select(window => (window.Range, window.Name));

    /// <summary>Gives a device its window.</summary>
    /// <param name="device">The device; sees offsets from <paramref name="start"/>.</param>
    /// <param name="deviceName">For errors and listings.</param>
    /// <param name="start">First address.</param>
    /// <param name="length">Bytes, at least 1.</param>
    /// <exception cref="ArgumentException">The window is empty, runs past the bus, or overlaps another's.</exception>
    public void Add(IBusDevice device, string deviceName, ulong start, ulong length)
    {
        if (length == 0 || start > limit || length - 1 > limit - start)
            throw new ArgumentException($"{deviceName}: {length} bytes at 0x{start:x} do not fit the {name} bus");
        Window added = new(start, length, device, deviceName);
        int at = 0;
        foreach (Window other in _windows)
        {
            if (other.Range.Overlaps(added.Range))
                throw new ArgumentException($"{deviceName}: 0x{start:x} is in the {name} window of {other.Name}");
            if (other.Start < start)
                at++;
        }

        _windows = [.. _windows[..at], added, .. _windows[at..]];
    }

    /// <summary>
    /// Hands a read to the device that claims all of it; unclaimed bytes read as all ones, as on a PC.
    /// </summary>
    /// <returns>Whether a device claimed it.</returns>
    public bool Read(ulong address, Span<byte> data)
    {
        if (Find(address, (uint)data.Length) is not { } window)
        {
            data.Fill(0xff);
            return false;
        }

        window.Device.Read(address - window.Start, data);
        return true;
    }

    /// <summary>Hands a write to the device that claims all of it; an unclaimed one goes nowhere.</summary>
    /// <returns>Whether a device claimed it.</returns>
    public bool Write(ulong address, ReadOnlySpan<byte> data)
    {
        if (Find(address, (uint)data.Length) is not { } window)
            return false;
        window.Device.Write(address - window.Start, data);
        return true;
    }

    /// <summary>The window that holds all the bytes, or null.</summary>
    private Window? Find(ulong address, uint length)
    {
        Window last = _last;
        return last.Holds(address, length) ? last : Search(address, length);
    }

    private Window? Search(ulong address, uint length)
    {
        Window[] windows = _windows;
        int low = 0;
        int high = windows.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (windows[middle].Start <= address)
                low = middle + 1;
            else
                high = middle - 1;
        }

        if (high < 0 || !windows[high].Holds(address, length))
            return null;
        return _last = windows[high];
    }

    private sealed class Window(ulong start, ulong length, IBusDevice device, string name)
    {
        public readonly ulong Start = start;
        public readonly ulong Length = length;
        public readonly IBusDevice Device = device;
        public readonly string Name = name;

        public GuestRange Range => new(Start, Length);

        public bool Holds(ulong address, uint bytes)
        {
            ulong offset = address - Start;
            return offset < Length && bytes <= Length - offset;
        }
    }

    /// <summary>Of the window that holds nothing.</summary>
    private sealed class NoDevice : IBusDevice
    {
        public static readonly NoDevice Instance = new();

        public void Read(ulong offset, Span<byte> data) => data.Fill(0xff);

        public void Write(ulong offset, ReadOnlySpan<byte> data)
        {
        }
    }
}
