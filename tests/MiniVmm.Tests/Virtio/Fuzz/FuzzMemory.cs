using System.Buffers;
using System.Runtime.InteropServices;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>
/// Guest RAM with a second copy that only the driver's own writes reach: what differs afterwards, the device wrote.
/// </summary>
public sealed unsafe class FuzzMemory : IDisposable
{
    /// <summary>Where the rings of a queue too long for the others' place may be.</summary>
    public const ulong LargeQueue = 0x10000;

    public const int LargeQueueRoom = 0x1000;

    private const byte Buffer = 1;
    private const byte Structure = 2;
    private const byte Ring = 4;
    private static readonly SearchValues<byte> Several = SearchValues.Create([3, 5, 6, 7]);
    private readonly Slot[] _slots;

    public FuzzMemory()
    {
        Ram = new TestMemory((0UL, 0x6000), (0x8000UL, 0x2000), (LargeQueue, LargeQueueRoom));
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

    /// <summary>Whether the device has no orders there.</summary>
    public bool IsPlain(ulong address, int length)
    {
        foreach (Slot slot in _slots)
        {
            if (slot.Range.Contains(address, (ulong)length))
            {
                int at = (int)(address - slot.Range.Start);
                return !slot.Marks.AsSpan(at, length).ContainsAnyInRange(Structure, byte.MaxValue);
            }
        }

        return false;
    }

    /// <summary>Guest address of what lies somewhere in this process; null where that is not RAM.</summary>
    public ulong? Find(nint host, ulong length)
    {
        foreach (RamSlot slot in Ram.Memory.Slots)
        {
            ulong address = (ulong)(host - slot.Host) + slot.Range.Start;
            if (host >= slot.Host && slot.Range.Contains(address, length))
                return address;
        }

        return null;
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
            Span<byte> marks = slot.Marks.AsSpan((int)(address - slot.Range.Start), (int)length);
            Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(marks);
            foreach (ref ulong word in words)
                word |= 0x0101_0101_0101_0101 * (ulong)mark;
            foreach (ref byte at in marks[(words.Length * sizeof(ulong))..])
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
