using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Machine;

/// <summary>Follows what the guest-physical addresses hold: whoever maps guest RAM elsewhere too, as for DMA.</summary>
public interface IAddressSpaceListener
{
    /// <summary>The RAM is there, for KVM already.</summary>
    void Mapped(RamSlot ram);

    /// <summary>The RAM is about to go.</summary>
    void Unmapping(RamSlot ram);
}

/// <summary>
/// The guest-physical addresses that hold RAM, for KVM (its memory slots), for devices (<see cref="Ram"/>) and for
/// listeners. Changes come from one thread at a time; look-ups in <see cref="Ram"/> go on meanwhile.
/// </summary>
public sealed class AddressSpace
{
    /// <summary>
    /// Most bytes of one slot. KVM takes 2^31 - 1 pages (KVM_MEM_MAX_NR_PAGES), just under 8 TiB; half of that keeps the
    /// parts aligned to any huge page.
    /// </summary>
    public const ulong MaxSlotBytes = 4096 * MemoryLayout.GiB;

    private readonly SetSlot _setSlot;
    private readonly List<RamSlot?> _slots = []; // by KVM's number
    private readonly List<IAddressSpaceListener> _listeners = [];

    /// <summary>The address space of a VM that has no memory slot yet.</summary>
    public AddressSpace(KvmVm vm)
        : this((slot, range, host) => vm.SetUserMemoryRegion(slot, range.Start, range.Length, host))
    {
    }

    internal AddressSpace(SetSlot setSlot) => _setSlot = setSlot;

    /// <summary>Sets one of KVM's memory slots; a length of 0 takes it away (api.rst, KVM_SET_USER_MEMORY_REGION).</summary>
    internal delegate void SetSlot(uint slot, GuestRange range, nint host);

    /// <summary>All RAM that is mapped now.</summary>
    public GuestMemory Ram { get; } = new([]);

    /// <summary>Maps RAM, in as many slots as it takes.</summary>
    /// <exception cref="ArgumentException">It overlaps what is there, is empty, or wraps.</exception>
    /// <exception cref="HostLimitException">KVM does not take it; none of it is mapped.</exception>
    public void Map(RamSlot ram)
    {
        Ram.CheckFits(ram);
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

                Set(number, part);
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

        Ram.Add(ram);
        foreach (IAddressSpaceListener listener in _listeners)
            listener.Mapped(ram);
    }

    /// <summary>Takes RAM away that <see cref="Map"/> was given. No device may hold an address of it any more.</summary>
    /// <exception cref="ArgumentException">It is not mapped.</exception>
    /// <exception cref="KvmException">KVM refused.</exception>
    public void Unmap(RamSlot ram)
    {
        if (!Ram.Slots.Contains(ram))
            throw new ArgumentException($"no RAM is mapped at {ram.Range}", nameof(ram));
        foreach (IAddressSpaceListener listener in _listeners)
            listener.Unmapping(ram);
        Ram.Remove(ram);
        foreach (RamSlot part in Split(ram))
            Clear(_slots.IndexOf(part));
    }

    /// <summary>Tells a listener of all RAM that is there and of all that comes and goes.</summary>
    public void AddListener(IAddressSpaceListener listener)
    {
        ArgumentNullException.ThrowIfNull(listener);
        _listeners.Add(listener);
        foreach (RamSlot ram in Ram.Slots)
            listener.Mapped(ram);
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

    private void Clear(int number)
    {
        if (_slots[number] is { } part)
            _setSlot((uint)number, new(part.Range.Start, 0), part.Host);
        _slots[number] = null;
    }

    private void Set(int number, RamSlot part)
    {
        try
        {
            _setSlot((uint)number, part.Range, part.Host);
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
