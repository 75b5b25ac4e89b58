using System.Numerics;
using System.Runtime.CompilerServices;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Virtio;

/// <summary>
/// The device's end of a split virtqueue (virtio 1.2, 2.7), with indirect descriptors and event indices. The one place
/// where a driver's indices, lengths and addresses are looked at: whatever it writes, at whatever moment, no byte
/// outside of guest RAM is touched and nothing loops. Used by one thread at a time; allocates nothing.
/// </summary>
public sealed unsafe class Virtqueue(GuestMemory memory, ushort maxSize)
{
    private const int DescriptorSize = 16;
    private const int UsedElementSize = 8;
    private const int RingHeader = 4;

    // Linux makes indirect tables as long as it has pieces, whatever the queue's size; QEMU takes this many.
    private const int MostIndirect = 1024;

    private const ushort Next = 1;
    private const ushort Write = 2;
    private const ushort Indirect = 4;
    private const ushort NoInterrupt = 1;
    private const ushort NoNotify = 1;

    private byte* _descriptors;
    private byte* _available;
    private byte* _used;
    private ushort _mask;
    private ushort _nextAvailable;
    private ushort _nextUsed;
    private uint _unannounced;
    private bool _eventIndex;
    private bool _indirect;

    /// <summary>Most descriptors, a power of two.</summary>
    public ushort MaxSize { get; } = BitOperations.IsPow2(maxSize)
        ? maxSize
        : throw new ArgumentException($"a queue of {maxSize} descriptors", nameof(maxSize));

    /// <summary>Descriptors that the driver chose; 0 while the queue is not in use.</summary>
    public ushort Size { get; private set; }

    /// <summary>
    /// What the driver did wrong, if anything: the queue then gives nothing more until it is reset, and the device asks
    /// for that (DEVICE_NEEDS_RESET).
    /// </summary>
    public ChainError Error { get; private set; }

    /// <summary>
    /// Chains taken and not given back: never above <see cref="Size"/>, whatever the driver does, since each has a
    /// descriptor of its own. A device needs room for no more.
    /// </summary>
    public int InFlight { get; private set; }

    /// <summary>Pieces that a chain of this queue can have at most.</summary>
    public int LongestChain => Math.Max((int)MaxSize, MostIndirect);

    /// <summary>Takes the queue into use.</summary>
    /// <param name="size">Descriptors: a power of two up to <see cref="MaxSize"/>.</param>
    /// <param name="descriptors">Guest address of the descriptor table, a multiple of 16.</param>
    /// <param name="available">Of the available ring, a multiple of 2.</param>
    /// <param name="used">Of the used ring, a multiple of 4.</param>
    /// <param name="features">What was negotiated.</param>
    /// <returns>False where any of it cannot be: the queue stays out of use.</returns>
    public bool TryEnable(ushort size, ulong descriptors, ulong available, ulong used, VirtioFeatures features)
    {
        Disable();
        if (size == 0 || size > MaxSize || !BitOperations.IsPow2(size)
            || descriptors % DescriptorSize != 0 || available % 2 != 0 || used % 4 != 0
            || !memory.TryResolve(descriptors, (ulong)size * DescriptorSize, out _descriptors)
            || !memory.TryResolve(available, RingHeader + (size * 2UL) + 2, out _available)
            || !memory.TryResolve(used, RingHeader + ((ulong)size * UsedElementSize) + 2, out _used))
        {
            Disable();
            return false;
        }

        Size = size;
        _mask = (ushort)(size - 1);
        _eventIndex = features.HasFlag(VirtioFeatures.EventIndex);
        _indirect = features.HasFlag(VirtioFeatures.IndirectDescriptors);
        return true;
    }

    /// <summary>Takes it out of use; its rings are not touched any more.</summary>
    public void Disable()
    {
        Size = 0;
        InFlight = 0;
        Error = ChainError.None;
        _descriptors = _available = _used = null;
        _nextAvailable = _nextUsed = 0;
        _unannounced = 0;
    }

    /// <summary>Takes the next chain that the driver made available.</summary>
    /// <returns>False where there is none, or where the driver broke the rules: see <see cref="Error"/>.</returns>
    public bool TryTake(DescriptorChain chain)
    {
        ArgumentNullException.ThrowIfNull(chain);
        if (Size == 0 || Error != ChainError.None)
            return false;

        // Acquire: the ring's entries and the descriptors were written before the index (2.7.13.3).
        ushort waiting = (ushort)(Volatile.Read(ref *AvailableIndex) - _nextAvailable);
        if (waiting == 0)
            return false;
        if (waiting > Size - InFlight)
            return Fail(ChainError.TooManyAvailable);
        ushort head = Volatile.Read(ref *AvailableEntry(_nextAvailable));
        if (head >= Size)
            return Fail(ChainError.HeadOutOfRange);
        chain.Begin(head);
        if (!Walk(chain, head, out ChainError error))
            return Fail(error);
        _nextAvailable++;
        InFlight++;
        return true;
    }

    /// <summary>Gives a chain back. The driver sees it at once. Goes nowhere if none is in flight: a reset came first.</summary>
    /// <param name="head">The chain's <see cref="DescriptorChain.Head"/>.</param>
    /// <param name="written">Bytes written, from the first writable one on.</param>
    public void Complete(ushort head, uint written)
    {
        CompleteLater(head, written);
        Publish();
    }

    /// <summary>Gives a chain back, for the driver to see with others: see <see cref="Publish"/>.</summary>
    public void CompleteLater(ushort head, uint written)
    {
        if (InFlight == 0)
            return;
        InFlight--;
        byte* element = _used + RingHeader + ((_nextUsed & _mask) * UsedElementSize);
        Volatile.Write(ref *(uint*)element, head);
        Volatile.Write(ref *(uint*)(element + 4), written);
        _nextUsed++;
        _unannounced++;
    }

    /// <summary>Shows the driver all that <see cref="CompleteLater"/> gave back.</summary>
    public void Publish()
    {
        // Release: whoever sees the index sees the elements and the data (2.7.8.2).
        if (Size != 0)
            Volatile.Write(ref *UsedIndex, _nextUsed);
    }

    /// <summary>Whether the driver wants an interrupt for what was completed since this was last asked.</summary>
    public bool ShouldInterrupt()
    {
        uint completed = _unannounced;
        if (completed == 0)
            return false;
        _unannounced = 0;

        // The used index must be visible before the driver's request is read, or both may wait (2.7.7.2): the one order
        // that x86 does not keep by itself.
        Interlocked.MemoryBarrier();
        if (!_eventIndex)
            return (Volatile.Read(ref *(ushort*)_available) & NoInterrupt) == 0;

        // Whether the index asked for is among those completed; after 65536 of them it always is.
        ushort asked = (ushort)(_nextUsed - Volatile.Read(ref *UsedEvent) - 1);
        return asked < completed;
    }

    /// <summary>Tells the driver that the device looks by itself for now: no notifications, no exits.</summary>
    public void SuppressNotifications()
    {
        // With event indices there is nothing to write: the index asked for stays behind, and is not reached again.
        if (Size != 0 && !_eventIndex)
            Volatile.Write(ref *(ushort*)_used, NoNotify);
    }

    /// <summary>Asks for a notification of the next chain.</summary>
    /// <returns>True where one came in the meantime: take it first, nobody will notify.</returns>
    public bool ResumeNotifications()
    {
        if (Size == 0 || Error != ChainError.None)
            return false;
        if (_eventIndex)
            Volatile.Write(ref *AvailableEvent, _nextAvailable);
        else
            Volatile.Write(ref *(ushort*)_used, (ushort)0);

        // The request must be visible before the index is read again (2.7.10).
        Interlocked.MemoryBarrier();
        return Volatile.Read(ref *AvailableIndex) != _nextAvailable;
    }

    /// <summary>
    /// Writes what cannot be read off the rings. Chains in flight are written as not taken: whoever has them takes them
    /// again after <see cref="Restore"/>, and they must be given back in the order of the ring.
    /// </summary>
    internal void Save(StateWriter writer)
    {
        // With nothing in flight as many were taken as were given back, and one index says both.
        writer.WriteUInt16(_nextUsed);
        writer.WriteUInt32(_unannounced);
        writer.WriteByte((byte)Error);
    }

    /// <summary>Goes on where a queue was that lay in the same place; behind <see cref="TryEnable"/>.</summary>
    /// <exception cref="StateException">No queue was ever like that.</exception>
    internal void Restore(StateReader reader)
    {
        _nextAvailable = _nextUsed = reader.ReadUInt16();
        _unannounced = reader.ReadUInt32();
        Error = (ChainError)reader.ReadByte();
        reader.Check(Error <= ChainError.BadIndirect, $"mistake number {(int)Error} of a driver");
    }

    private ushort* AvailableIndex => (ushort*)(_available + 2);

    private ushort* UsedIndex => (ushort*)(_used + 2);

    private ushort* UsedEvent => (ushort*)(_available + RingHeader + (Size * 2));

    private ushort* AvailableEvent => (ushort*)(_used + RingHeader + (Size * UsedElementSize));

    private ushort* AvailableEntry(ushort index) => (ushort*)(_available + RingHeader + ((index & _mask) * 2));

    /// <summary>Follows a chain. Each descriptor is read once: what the driver changes afterwards is not seen.</summary>
    private bool Walk(DescriptorChain chain, ushort head, out ChainError error)
    {
        byte* table = _descriptors;
        bool inTable = false; // not told by its address: a driver may name the queue's own as an indirect one
        int tableSize = Size;
        int left = Size;
        ushort index = head;
        while (true)
        {
            Descriptor descriptor = Unsafe.ReadUnaligned<Descriptor>(table + (index * DescriptorSize));
            if ((descriptor.Flags & Indirect) != 0)
            {
                if (!_indirect || inTable || (descriptor.Flags & Next) != 0
                    || descriptor.Length == 0 || descriptor.Length % DescriptorSize != 0
                    || descriptor.Length / DescriptorSize > MostIndirect)
                {
                    error = ChainError.BadIndirect;
                    return false;
                }

                if (!memory.TryResolve(descriptor.Address, descriptor.Length, out table))
                {
                    error = ChainError.NotInRam;
                    return false;
                }

                inTable = true;
                tableSize = left = (int)(descriptor.Length / DescriptorSize);
                index = 0;
                continue;
            }

            bool writable = (descriptor.Flags & Write) != 0;
            if (!chain.TryAdd(memory, descriptor.Address, descriptor.Length, writable, out error))
                return false;
            if ((descriptor.Flags & Next) == 0)
                return true;
            if (--left == 0)
            {
                error = ChainError.TooLong;
                return false;
            }

            index = descriptor.NextIndex;
            if (index >= tableSize)
            {
                error = ChainError.NextOutOfRange;
                return false;
            }
        }
    }

    private bool Fail(ChainError error)
    {
        Error = error;
        return false;
    }

    /// <summary>virtio 1.2, 2.7.5.</summary>
    private readonly record struct Descriptor(ulong Address, uint Length, ushort Flags, ushort NextIndex);
}
