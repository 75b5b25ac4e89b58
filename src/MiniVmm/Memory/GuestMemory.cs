using System.Runtime.CompilerServices;

namespace MiniVmm.Memory;

/// <summary>A stretch of guest RAM and where it lies in this process.</summary>
/// <param name="Range">Guest-physical addresses.</param>
/// <param name="Host">Host virtual address of the first byte.</param>
public readonly record struct RamSlot(GuestRange Range, nint Host);

/// <summary>
/// Guest RAM, and the one place where an address that a guest made becomes a pointer. An access is good only
/// if all of it lies in one slot: it never crosses a hole or the end of a slot, and never wraps.
/// </summary>
public sealed unsafe class GuestMemory
{
    private RamSlot[] _slots = [];

    /// <param name="slots">The slots, in any order; none empty, no two overlapping.</param>
    /// <exception cref="ArgumentException">A slot is empty, wraps, or overlaps another.</exception>
    public GuestMemory(IEnumerable<RamSlot> slots)
    {
        ArgumentNullException.ThrowIfNull(slots);
        foreach (RamSlot slot in slots)
            Add(slot);
    }

    /// <summary>The slots, ascending.</summary>
    public IReadOnlyList<RamSlot> Slots => Volatile.Read(ref _slots);

    /// <summary>Host pointer of <paramref name="length"/> guest bytes at <paramref name="address"/>.</summary>
    /// <returns>False, with a null pointer, if any of the bytes is not RAM.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryResolve(ulong address, ulong length, out byte* host)
    {
        foreach (ref readonly RamSlot slot in Volatile.Read(ref _slots).AsSpan())
        {
            if (slot.Range.Contains(address, length))
            {
                host = (byte*)slot.Host + (address - slot.Range.Start);
                return true;
            }
        }

        host = null;
        return false;
    }

    /// <summary>The guest bytes as a span; false if any of them is not RAM, or the length is negative.</summary>
    public bool TryGetSpan(ulong address, int length, out Span<byte> span)
    {
        if (length >= 0 && TryResolve(address, (ulong)length, out byte* host))
        {
            span = new Span<byte>(host, length);
            return true;
        }

        span = default;
        return false;
    }

    /// <summary>Reads a little-endian value of any alignment.</summary>
    public bool TryRead<T>(ulong address, out T value)
        where T : unmanaged
    {
        if (TryResolve(address, (ulong)sizeof(T), out byte* host))
        {
            value = Unsafe.ReadUnaligned<T>(host);
            return true;
        }

        value = default;
        return false;
    }

    /// <summary>Writes a little-endian value of any alignment.</summary>
    public bool TryWrite<T>(ulong address, T value)
        where T : unmanaged
    {
        if (!TryResolve(address, (ulong)sizeof(T), out byte* host))
            return false;
        Unsafe.WriteUnaligned(host, value);
        return true;
    }

    /// <summary>
    /// Puts a segment in place. What lies between its data and its memory size is already zero: RAM is fresh
    /// from the kernel, and a loader's segments never overlap.
    /// </summary>
    /// <exception cref="BadInputException">The segment does not lie in RAM.</exception>
    public void Load(in LoadSegment segment)
    {
        ulong size = Math.Max(segment.MemorySize, (ulong)segment.Data.Length);
        if (!TryResolve(segment.Address, size, out byte* host))
            throw new BadInputException($"{segment.Name}: {size} bytes at 0x{segment.Address:x} are not in guest RAM");
        segment.Data.Span.CopyTo(new Span<byte>(host, segment.Data.Length));
    }

    /// <summary>Throws where a slot cannot be added.</summary>
    /// <exception cref="ArgumentException">It is empty, wraps, or overlaps another.</exception>
    internal void CheckFits(RamSlot slot)
    {
        GuestRange range = slot.Range;
        if (range.Length == 0 || range.Start > ulong.MaxValue - range.Length)
            throw new ArgumentException($"RAM slot at 0x{range.Start:x} is empty or wraps", nameof(slot));
        if (Array.Find(_slots, other => other.Range.Overlaps(range)) is { Range.Length: > 0 } other)
            throw new ArgumentException($"RAM slots {other.Range} and {range} overlap", nameof(slot));
    }

    /// <summary>
    /// Adds a slot, or takes one away: the list is exchanged as a whole, so that look-ups go on. Changes come from one
    /// thread at a time.
    /// </summary>
    /// <exception cref="ArgumentException">It is empty, wraps, or overlaps another.</exception>
    internal void Add(RamSlot slot)
    {
        CheckFits(slot);
        int at = Array.FindLastIndex(_slots, before => before.Range.Start < slot.Range.Start) + 1;
        Volatile.Write(ref _slots, [.. _slots[..at], slot, .. _slots[at..]]);
    }

    /// <summary>
    /// Adds RAM that may go again in parts: one slot with the neighbours in the region that adjoin it on the host too, so
    /// that accesses can cross from one to the other.
    /// </summary>
    /// <inheritdoc cref="Add"/>
    internal void Extend(RamSlot slot, GuestRange region)
    {
        CheckFits(slot);
        RamSlot whole = slot;
        foreach (RamSlot other in _slots)
        {
            if (!region.Contains(other.Range.Start, other.Range.Length))
                continue;
            if (Adjoin(other, whole))
                whole = new(new(other.Range.Start, other.Range.Length + whole.Range.Length), other.Host);
            else if (Adjoin(whole, other))
                whole = whole with { Range = new(whole.Range.Start, whole.Range.Length + other.Range.Length) };
        }

        Exchange(whole.Range, whole);
    }

    /// <summary>Takes part of a slot away.</summary>
    /// <exception cref="ArgumentException">It is not in one slot.</exception>
    internal void Cut(GuestRange range)
    {
        if (Array.Find(_slots, slot => slot.Range.Contains(range.Start, range.Length)) is not { Range.Length: > 0 } slot)
            throw new ArgumentException($"no RAM slot has all of {range}", nameof(range));
        ulong before = range.Start - slot.Range.Start;
        ulong after = slot.Range.End - range.End;
        RamSlot first = new(new(slot.Range.Start, before), slot.Host);
        RamSlot last = new(new(range.End, after), slot.Host + (nint)(before + range.Length));
        Exchange(slot.Range, first, last);
    }

    private static bool Adjoin(RamSlot one, RamSlot next) =>
        one.Range.End == next.Range.Start && one.Host + (nint)one.Range.Length == next.Host;

    /// <summary>Puts slots in the place of those in a range, all at once; empty ones are left out.</summary>
    private void Exchange(GuestRange range, params ReadOnlySpan<RamSlot> slots)
    {
        List<RamSlot> all = [.. _slots.Where(slot => !range.Contains(slot.Range.Start, slot.Range.Length))];
        int at = all.FindLastIndex(before => before.Range.Start < range.Start) + 1;
        for (int i = slots.Length - 1; i >= 0; i--)
        {
            if (slots[i].Range.Length != 0)
                all.Insert(at, slots[i]);
        }

        Volatile.Write(ref _slots, [.. all]);
    }

    /// <inheritdoc cref="Add"/>
    internal void Remove(RamSlot slot) => Volatile.Write(ref _slots, Array.FindAll(_slots, each => each != slot));
}
