using System.Buffers;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>
/// Guest RAM with a second copy that only the driver's own writes reach: what differs afterwards, the device wrote.
/// </summary>
public sealed unsafe class FuzzMemory : IDisposable
{
    private const byte Buffer = 1;
    private const byte Structure = 2;
    private const byte Ring = 4;
    private static readonly SearchValues<byte> Several = SearchValues.Create([3, 5, 6, 7]);
    private readonly Slot[] _slots;

    public FuzzMemory()
    {
        Ram = new TestMemory((0UL, 0x6000), (0x8000UL, 0x2000));
        _slots = [.. Ram.Memory.Slots.Select(slot => new Slot(slot))];
    }

    public TestMemory Ram { get; }

    /// <summary>The driver writes; what is not RAM goes nowhere.</summary>
    public void Write(ulong address, ReadOnlySpan<byte> data)
    {
        foreach (Slot slot in _slots)
        {
            if (slot.Range.Contains(address, (ulong)data.Length))
            {
                int at = (int)(address - slot.Range.Start);
                data.CopyTo(slot.Bytes[at..]);
                data.CopyTo(slot.Shadow.AsSpan(at));
            }
        }
    }

    public bool TryRead(ulong address, out ushort value) => Ram.Memory.TryRead(address, out value);

    /// <summary>Nothing may be written from here on.</summary>
    public void Forbid()
    {
        foreach (Slot slot in _slots)
            Array.Clear(slot.Marks);
    }

    /// <summary>A buffer that the device may write to.</summary>
    public void AllowBuffer(ulong address, ulong length) => Mark(address, length, Buffer);

    /// <summary>A used ring.</summary>
    public void AllowRing(ulong address, ulong length) => Mark(address, length, Ring);

    /// <summary>Descriptors or an available ring: what the device reads its orders from.</summary>
    public void MarkStructure(ulong address, ulong length) => Mark(address, length, Structure);

    /// <summary>
    /// Whether a device that does as it is told might change its own orders: nobody can tell any more what it may do.
    /// </summary>
    public bool IsTangled()
    {
        foreach (Slot slot in _slots)
        {
            // More than one mark in a place.
            if (slot.Marks.AsSpan().IndexOfAny(Several) >= 0)
                return true;
        }

        return false;
    }

    /// <summary>Finds a byte that the device wrote and must not have, and takes over all that it wrote.</summary>
    public string? Compare(bool everythingAllowed)
    {
        string? wrong = null;
        foreach (Slot slot in _slots)
        {
            int at = 0;
            while (true)
            {
                at += slot.Bytes[at..].CommonPrefixLength(slot.Shadow.AsSpan(at));
                if (at == slot.Shadow.Length)
                    break;
                byte now = slot.Bytes[at];
                if (!everythingAllowed && (slot.Marks[at] & (Buffer | Ring)) == 0)
                    wrong ??= $"the device wrote 0x{now:x2} to 0x{slot.Range.Start + (ulong)at:x}";
                slot.Shadow[at++] = now;
            }
        }

        return wrong;
    }

    public void Dispose() => Ram.Dispose();

    private void Mark(ulong address, ulong length, byte mark)
    {
        foreach (Slot slot in _slots)
        {
            if (!slot.Range.Contains(address, length))
                continue;
            foreach (ref byte at in slot.Marks.AsSpan((int)(address - slot.Range.Start), (int)length))
                at |= mark;
        }
    }

    private sealed class Slot(RamSlot slot)
    {
        public GuestRange Range => slot.Range;

        public byte[] Shadow { get; } = new byte[slot.Range.Length];

        public byte[] Marks { get; } = new byte[slot.Range.Length];

        public Span<byte> Bytes => new((void*)slot.Host, (int)slot.Range.Length);
    }
}
