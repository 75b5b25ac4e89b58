using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Machine;

public sealed class AddressSpaceTests
{
    private const ulong GiB = MemoryLayout.GiB;
    private readonly Dictionary<uint, GuestRange> _slots = [];
    private readonly AddressSpace _space;

    public AddressSpaceTests() => _space = new(Set);

    [Fact]
    public void Ram_comes_and_goes_and_its_slot_numbers_are_used_again()
    {
        RamSlot low = new(new(0, GiB), 0x1000);
        RamSlot high = new(new(4 * GiB, GiB), 0x2000);
        _space.Map(low);
        _space.Map(high);

        _space.Unmap(low);

        Assert.Equal([high], _space.Ram.Slots);
        Assert.Equal([1u], _slots.Keys);
        _space.Map(new(new(8 * GiB, GiB), 0x3000));
        Assert.Equal(new(8 * GiB, GiB), _slots[0]);
    }

    [Fact]
    public void Ram_of_several_slots_goes_with_all_of_them()
    {
        RamSlot ram = new(new(4 * GiB, AddressSpace.MaxSlotBytes + GiB), 0x1000);
        _space.Map(ram);
        Assert.Equal(2, _slots.Count);

        _space.Unmap(ram);

        Assert.Empty(_slots);
    }

    [Fact]
    public void What_overlaps_is_refused_before_KVM_hears_of_it()
    {
        _space.Map(new(new(0, GiB), 0x1000));

        Assert.Throws<ArgumentException>(() => _space.Map(new(new(GiB - 4096, GiB), 0x2000)));
        Assert.Throws<ArgumentException>(() => _space.Map(new(new(2 * GiB, 0), 0x2000)));
        Assert.Throws<ArgumentException>(() => _space.Unmap(new(new(2 * GiB, GiB), 0x2000)));
        Assert.Single(_slots);
    }

    [Fact]
    public void What_KVM_refuses_is_no_RAM()
    {
        AddressSpace space = new((_, _, _) => throw new KvmException("KVM_SET_USER_MEMORY_REGION", Errno.EINVAL, "slot 0"));

        HostLimitException refusal =
            Assert.Throws<HostLimitException>(() => space.Map(new(new(0, GiB), 0x1000)));

        Assert.Contains("1 GiB of RAM at 0x0", refusal.Message, StringComparison.Ordinal);
        Assert.Empty(space.Ram.Slots);
    }

    [Fact]
    public void Of_RAM_that_KVM_refuses_in_part_nothing_is_left()
    {
        AddressSpace space = new((slot, range, host) =>
        {
            if (slot == 1 && range.Length != 0)
                throw new KvmException("KVM_SET_USER_MEMORY_REGION", Errno.ENOMEM, "slot 1");
            Set(slot, range, host);
        });

        Assert.Throws<HostLimitException>(() => space.Map(new(new(4 * GiB, 2 * AddressSpace.MaxSlotBytes), 0x1000)));

        Assert.Empty(_slots);
        Assert.Empty(space.Ram.Slots);
        space.Map(new(new(0, GiB), 0x1000));
        Assert.Equal([0u], _slots.Keys);
    }

    [Fact]
    public void A_listener_hears_of_what_is_there_what_comes_and_what_goes_while_it_is_still_there()
    {
        RamSlot low = new(new(0, GiB), 0x1000);
        RamSlot high = new(new(4 * GiB, GiB), 0x2000);
        _space.Map(low);
        Listener listener = new(_space);

        _space.AddListener(listener);
        _space.Map(high);
        _space.Unmap(low);

        Assert.Equal([("mapped", low, true), ("mapped", high, true), ("unmapping", low, true)], listener.Events);
    }

    private void Set(uint slot, GuestRange range, nint host)
    {
        if (range.Length == 0)
            Assert.True(_slots.Remove(slot));
        else
            _slots.Add(slot, range);
    }

    private sealed class Listener(AddressSpace space) : IAddressSpaceListener
    {
        public List<(string What, RamSlot Ram, bool IsThere)> Events { get; } = [];

        public void Mapped(RamSlot ram) => Events.Add(("mapped", ram, space.Ram.Slots.Contains(ram)));

        public void Unmapping(RamSlot ram) => Events.Add(("unmapping", ram, space.Ram.Slots.Contains(ram)));
    }
}
