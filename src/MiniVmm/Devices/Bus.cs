using System.Runtime.CompilerServices;
using MiniVmm.Memory;

namespace MiniVmm.Devices;

/// <summary>
/// Port or memory addresses, each claimed by at most one device. Devices may come, move and go while vCPUs run: the
/// table of windows is exchanged as a whole, so that look-ups need no lock. A vCPU that is in a device when it goes may
/// still be there afterwards.
/// </summary>
public sealed class Bus
{
    /// <summary>For an access that lies in no one window.</summary>
    private static readonly Window Nothing = new(0, 1, NoDevice.Instance, "");

    private readonly string _name;
    private readonly ulong _limit;
    private readonly Lock _changes = new();

    // Devices' windows and the gaps between them: together all addresses up to the limit, ascending.
    private Window[] _windows;

    // Most accesses go where the one before went: a console's port, a queue's doorbell. A reference is read and written
    // whole, so that vCPUs can share it without a lock.
    private Window _last;

    /// <param name="name">For errors: "port" or "memory".</param>
    /// <param name="limit">
    /// Highest address on this bus: 0xffff for ports. The very last of 64 bits is on none, so that a window's size fits.
    /// </param>
    public Bus(string name, ulong limit)
    {
        _name = name;
        _limit = Math.Min(limit, ulong.MaxValue - 1);
        _windows = [Gap(0, _limit)];
        _last = _windows[0];
    }

    /// <summary>The windows and who claims them, ascending, for people.</summary>
    public IEnumerable<(GuestRange Range, string Device)> Windows =>
        Volatile.Read(ref _windows).Where(window => window.IsClaimed).Select(window => (window.Range, window.Name));

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
        lock (_changes)
        {
            if (Array.Find(_windows, window => window.IsClaimed && window.Range.Overlaps(range)) is { } other)
                throw new ArgumentException($"{deviceName}: 0x{start:x} is in the {_name} window of {other.Name}");

            int at = Array.FindLastIndex(_windows, window => window.Start <= start);
            Window gap = _windows[at];
            List<Window> windows = [.. _windows[..at]];
            if (gap.Start < start)
                windows.Add(Gap(gap.Start, start - 1));
            windows.Add(new Window(start, length, device, deviceName));
            if (start + (length - 1) < gap.Last)
                windows.Add(Gap(start + length, gap.Last));
            Exchange([.. windows, .. _windows[(at + 1)..]], gap);
        }
    }

    /// <summary>Takes a device's window away; its addresses are nobody's then.</summary>
    /// <param name="start">First address of the window.</param>
    /// <exception cref="ArgumentException">No device's window begins there.</exception>
    public void Remove(ulong start)
    {
        lock (_changes)
        {
            int at = Array.FindIndex(_windows, window => window.IsClaimed && window.Start == start);
            if (at < 0)
                throw new ArgumentException($"no device's {_name} window begins at 0x{start:x}", nameof(start));
            bool joinsBefore = at > 0 && !_windows[at - 1].IsClaimed;
            bool joinsAfter = at + 1 < _windows.Length && !_windows[at + 1].IsClaimed;
            int first = joinsBefore ? at - 1 : at;
            int last = joinsAfter ? at + 1 : at;
            Window gap = Gap(_windows[first].Start, _windows[last].Last);
            Exchange([.. _windows[..first], gap, .. _windows[(last + 1)..]], _windows.AsSpan(first..(last + 1)));
        }
    }

    /// <summary>Moves a device's window, as a guest does that programs a base address.</summary>
    /// <param name="from">Where it begins.</param>
    /// <param name="to">Where it is to begin.</param>
    /// <exception cref="ArgumentException">
    /// None begins there, or it does not fit at its new place; it stays where it was then.
    /// </exception>
    public void Move(ulong from, ulong to)
    {
        lock (_changes)
        {
            Window window = Array.Find(_windows, each => each.IsClaimed && each.Start == from)
                ?? throw new ArgumentException($"no device's {_name} window begins at 0x{from:x}", nameof(from));
            Remove(from);
            try
            {
                Add(window.Device, window.Name, to, window.Length);
            }
            catch
            {
                Add(window.Device, window.Name, from, window.Length);
                throw;
            }
        }
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

    /// <summary>Who claims all of an access, for whoever looks on: look-ups of vCPUs are not disturbed.</summary>
    /// <returns>False where nobody does.</returns>
    internal bool TryFind(ulong address, int length, out string name, out IBusDevice device, out ulong start)
    {
        Window window = At(Volatile.Read(ref _windows), address);
        (name, device, start) = (window.Name, window.Device, window.Start);
        return window.IsClaimed && window.Holds(address, (uint)length);
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
        Window window = At(Volatile.Read(ref _windows), address);
        if (!window.Holds(address, length))
            return Nothing;
        return _last = window;
    }

    private static Window At(Window[] windows, ulong address)
    {
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

        return windows[low];
    }

    /// <summary>The windows that are gone hold nothing more, whoever still remembers them.</summary>
    private void Exchange(Window[] windows, params ReadOnlySpan<Window> gone)
    {
        Volatile.Write(ref _windows, windows);
        foreach (Window window in gone)
            window.Retire();
        _last = windows[0];
    }

    private static Window Gap(ulong start, ulong last) => new(start, last - start + 1, NoDevice.Instance, "");

    private sealed class Window(ulong start, ulong length, IBusDevice device, string name)
    {
        public readonly ulong Start = start;
        public readonly ulong Length = length;
        public readonly IBusDevice Device = device;
        public readonly string Name = name;
        public readonly bool IsClaimed = device is not NoDevice;
        private ulong _held = length; // 0 when it is gone

        public ulong Last => Start + (Length - 1);

        public GuestRange Range => new(Start, Length);

        public bool Holds(ulong address, uint bytes)
        {
            ulong offset = address - Start;
            ulong held = _held;
            return offset < held && bytes <= held - offset;
        }

        public void Retire() => Volatile.Write(ref _held, 0);
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
