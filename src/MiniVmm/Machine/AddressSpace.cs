using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Machine;

/// <summary>
/// Follows what the guest-physical addresses hold: whoever maps guest RAM elsewhere too, as for DMA. RAM goes in the pieces
/// in which it came: memory that is plugged while the guest runs is told of block by block, and only while it is plugged.
/// Called by whoever changes the address space, one call at a time; must not change it.
/// </summary>
public interface IAddressSpaceListener
{
    /// <summary>The RAM is there, for KVM already.</summary>
    /// <exception cref="VmmException">It cannot be followed: RAM that was being plugged is not plugged then.</exception>
    void Mapped(RamSlot ram);

    /// <summary>The RAM is about to go.</summary>
    void Unmapping(RamSlot ram);
}

/// <summary>
/// The guest-physical addresses that hold RAM, for KVM (its memory slots), for devices (<see cref="Ram"/>) and for
/// listeners. Changes come from any thread, one at a time; look-ups in <see cref="Ram"/> go on meanwhile.
/// </summary>
public sealed class AddressSpace
{
    /// <summary>
    /// Most bytes of one slot. KVM takes 2^31 - 1 pages (KVM_MEM_MAX_NR_PAGES), just under 8 TiB; half of that keeps the
    /// parts aligned to any huge page.
    /// </summary>
    public const ulong MaxSlotBytes = 4096 * MemoryLayout.GiB;

    private readonly Lock _changing = new();
    private readonly SetSlot _setSlot;
    private readonly SetSlot _setRom;
    private readonly List<RamSlot?> _slots = []; // by KVM's number
    private readonly List<IAddressSpaceListener> _listeners = [];

    /// <summary>The address space of a VM that has no memory slot yet.</summary>
    public AddressSpace(KvmVm vm)
        : this(
            (slot, range, host) => vm.SetUserMemoryRegion(slot, range.Start, range.Length, host),
            (slot, range, host) => vm.SetUserMemoryRegion(
                slot, range.Start, range.Length, host, KvmConstants.KVM_MEM_READONLY))
    {
    }

    /// <param name="setSlot">Sets a slot of memory.</param>
    /// <param name="setRom">Sets one that is only read; writes to it are a device's. The same, if left out.</param>
    internal AddressSpace(SetSlot setSlot, SetSlot? setRom = null) => (_setSlot, _setRom) = (setSlot, setRom ?? setSlot);

    /// <summary>Sets one of KVM's memory slots; a length of 0 takes it away (api.rst, KVM_SET_USER_MEMORY_REGION).</summary>
    internal delegate void SetSlot(uint slot, GuestRange range, nint host);

    /// <summary>All RAM that is mapped now.</summary>
    public GuestMemory Ram { get; } = new([]);

    /// <summary>Where RAM comes and goes in blocks; set before the first is plugged.</summary>
    internal PluggableRegion? Pluggable { get; set; }

    /// <summary>Maps RAM, in as many slots as it takes.</summary>
    /// <exception cref="ArgumentException">It overlaps what is there, is empty, or wraps.</exception>
    /// <exception cref="HostLimitException">KVM does not take it; none of it is mapped.</exception>
    public void Map(RamSlot ram)
    {
        lock (_changing)
        {
            Ram.CheckFits(ram);
            Create(ram, _setSlot);
            Ram.Add(ram);
            foreach (IAddressSpaceListener listener in _listeners)
                listener.Mapped(ram);
        }
    }

    /// <summary>Takes RAM away that <see cref="Map"/> was given. No device may hold an address of it any more.</summary>
    /// <exception cref="ArgumentException">It is not mapped.</exception>
    /// <exception cref="KvmException">KVM refused.</exception>
    public void Unmap(RamSlot ram)
    {
        lock (_changing)
        {
            if (!Ram.Slots.Contains(ram))
                throw new ArgumentException($"no RAM is mapped at {ram.Range}", nameof(ram));
            foreach (IAddressSpaceListener listener in _listeners)
                listener.Unmapping(ram);
            Ram.Remove(ram);
            Delete(ram);
        }
    }

    /// <summary>
    /// Gives KVM a slot of what is no RAM: memory of a host's device, or of the pluggable region before <see cref="Plug"/>.
    /// </summary>
    /// <exception cref="HostLimitException">KVM does not take it.</exception>
    internal void CreateSlot(RamSlot slot)
    {
        lock (_changing)
            Create(slot, _setSlot);
    }

    /// <summary>Gives KVM a slot of read-only memory; what the guest writes there goes to the memory bus.</summary>
    /// <inheritdoc cref="CreateSlot"/>
    internal void CreateRom(RamSlot slot)
    {
        lock (_changing)
            Create(slot, _setRom);
    }

    /// <summary>Takes such a slot away, in which nothing is plugged any more.</summary>
    /// <exception cref="KvmException">KVM refused.</exception>
    internal void DeleteSlot(RamSlot slot)
    {
        lock (_changing)
            Delete(slot);
    }

    /// <summary>Makes blocks RAM, which KVM has a slot for.</summary>
    /// <exception cref="ArgumentException">Some of it is RAM.</exception>
    /// <exception cref="VmmException">A listener cannot follow: nothing is plugged.</exception>
    internal void Plug(RamSlot blocks)
    {
        lock (_changing)
        {
            Ram.Extend(blocks, Pluggable!.Range);
            int told = 0;
            try
            {
                foreach (RamSlot piece in Pieces(blocks))
                {
                    foreach (IAddressSpaceListener listener in _listeners)
                    {
                        listener.Mapped(piece);
                        told++;
                    }
                }
            }
            catch
            {
                foreach (RamSlot piece in Pieces(blocks))
                {
                    foreach (IAddressSpaceListener listener in _listeners)
                    {
                        if (told-- > 0)
                            listener.Unmapping(piece);
                    }
                }

                Ram.Cut(blocks.Range);
                throw;
            }
        }
    }

    /// <summary>
    /// Makes blocks cease to be RAM. Who has an address of them may still use it: the host's memory stays mapped.
    /// </summary>
    /// <exception cref="ArgumentException">Some of it is no RAM.</exception>
    internal void Unplug(RamSlot blocks)
    {
        lock (_changing)
        {
            Ram.Cut(blocks.Range);
            foreach (RamSlot piece in Pieces(blocks))
            {
                foreach (IAddressSpaceListener listener in _listeners)
                    listener.Unmapping(piece);
            }
        }
    }

    /// <summary>Tells a listener of all RAM that is there and of all that comes and goes.</summary>
    public void AddListener(IAddressSpaceListener listener)
    {
        ArgumentNullException.ThrowIfNull(listener);
        lock (_changing)
        {
            _listeners.Add(listener);
            foreach (RamSlot ram in Ram.Slots.SelectMany(Pieces))
                listener.Mapped(ram);
        }
    }

    /// <summary>The same RAM in parts that fit into a slot each.</summary>
    internal static IEnumerable<RamSlot> Split(RamSlot ram)
    {
        for (ulong done = 0; done < ram.Range.Length; done += MaxSlotBytes)
        {
            ulong length = Math.Min(MaxSlotBytes, ram.Range.Length - done);
            yield return new(new(ram.Range.Start + done, length), ram.Host + (nint)done);
        }
    }

    /// <summary>RAM in the parts in which it can go.</summary>
    private IEnumerable<RamSlot> Pieces(RamSlot ram)
    {
        ulong piece = Pluggable is { } region && region.Range.Contains(ram.Range.Start, ram.Range.Length)
            ? region.BlockSize
            : ram.Range.Length;
        for (ulong at = 0; at < ram.Range.Length; at += piece)
            yield return new(new(ram.Range.Start + at, piece), ram.Host + (nint)at);
    }

    private void Create(RamSlot ram, SetSlot setSlot)
    {
        List<int> numbers = [];
        try
        {
            foreach (RamSlot part in Split(ram))
            {
                int number = _slots.IndexOf(null);
                if (number < 0)
                {
                    number = _slots.Count;
                    _slots.Add(null);
                }

                Set(setSlot, number, part);
                _slots[number] = part;
                numbers.Add(number);
            }
        }
        catch
        {
            foreach (int number in numbers)
                Clear(number);
            throw;
        }
    }

    private void Delete(RamSlot ram)
    {
        foreach (RamSlot part in Split(ram))
            Clear(_slots.IndexOf(part));
    }

    private void Clear(int number)
    {
        if (_slots[number] is { } part)
            _setSlot((uint)number, new(part.Range.Start, 0), part.Host);
        _slots[number] = null;
    }

    private static void Set(SetSlot setSlot, int number, RamSlot part)
    {
        try
        {
            setSlot((uint)number, part.Range, part.Host);
        }
        catch (KvmException refused)
        {
            string? why = refused.Errno switch
            {
                Errno.ENOMEM => "the host's kernel lacks the memory for its own tables of these pages",
                Errno.EINVAL => "this KVM has no such guest addresses, or no such large slot",
                _ => null,
            };
            OptionMessage remedy = "";
            if (why is not null)
                remedy = $"; {why}; give less {OptionName.Mem}";
            throw new HostLimitException(
                $"{OptionName.Mem}: KVM does not take {ByteSize.Format(part.Range.Length)} of RAM at 0x{part.Range.Start:x}: "
                + $"{Errno.Explain(refused.Errno)}{remedy}",
                refused);
        }
    }
}
