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
    private ulong[] _starts = [];
    private ulong[] _lengths = [];
    private IBusDevice[] _devices = [];
    private string[] _names = [];

    /// <summary>The windows and who claims them, ascending, for people.</summary>
    public IEnumerable<(GuestRange Range, string Device)> Windows =>
        _starts.Select((start, i) => (new GuestRange(start, _lengths[i]), _names[i]));

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
        int at = ~Array.BinarySearch(_starts, start);
        if (at < 0)
            at = ~at;
        for (int i = Math.Max(0, at - 1); i < Math.Min(_starts.Length, at + 1); i++)
        {
            if (new GuestRange(_starts[i], _lengths[i]).Overlaps(new GuestRange(start, length)))
                throw new ArgumentException($"{deviceName}: 0x{start:x} is in the {name} window of {_names[i]}");
        }

        _starts = [.. _starts[..at], start, .. _starts[at..]];
        _lengths = [.. _lengths[..at], length, .. _lengths[at..]];
        _devices = [.. _devices[..at], device, .. _devices[at..]];
        _names = [.. _names[..at], deviceName, .. _names[at..]];
    }

    /// <summary>
    /// Hands a read to the device that claims all of it; unclaimed bytes read as all ones, as on a PC.
    /// </summary>
    /// <returns>Whether a device claimed it.</returns>
    public bool Read(ulong address, Span<byte> data)
    {
        int i = Find(address, (uint)data.Length);
        if (i < 0)
        {
            data.Fill(0xff);
            return false;
        }

        _devices[i].Read(address - _starts[i], data);
        return true;
    }

    /// <summary>Hands a write to the device that claims all of it; an unclaimed one goes nowhere.</summary>
    /// <returns>Whether a device claimed it.</returns>
    public bool Write(ulong address, ReadOnlySpan<byte> data)
    {
        int i = Find(address, (uint)data.Length);
        if (i < 0)
            return false;
        _devices[i].Write(address - _starts[i], data);
        return true;
    }

    /// <summary>Index of the window that holds all the bytes, or -1.</summary>
    private int Find(ulong address, uint length)
    {
        ulong[] starts = _starts;
        int low = 0;
        int high = starts.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (starts[middle] <= address)
                low = middle + 1;
            else
                high = middle - 1;
        }

        if (high < 0)
            return -1;
        ulong offset = address - starts[high];
        ulong window = _lengths[high];
        return offset < window && length <= window - offset ? high : -1;
    }
}
