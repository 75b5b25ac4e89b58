using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Machine;

public sealed unsafe class PluggableRamTests : IDisposable
{
    private const ulong MiB = MemoryLayout.MiB;
    private const ulong Start = 4 * MemoryLayout.GiB;
    private static readonly PluggableRegion Region = GuestMemoryMap.Of(new(128 * MiB, Max: 384 * MiB)).Pluggable!;
    private readonly Dictionary<uint, GuestRange> _slots = [];
    private readonly AddressSpace _space;
    private readonly RamBacking _backing = RamBacking.Reserve(new(128 * MiB, Max: 384 * MiB), Region.Range.Length);
    private readonly PluggableRam _ram;
    private readonly List<string> _warnings = [];
    private bool _kvmRefuses;

    public PluggableRamTests()
    {
        _space = new(Set) { Pluggable = Region };
        _ram = new(_space, Region, _backing, line => _warnings.Add(line.OnCommandLine()));
    }

    public void Dispose() => _backing.Dispose();

    [Fact]
    public void Plugged_blocks_are_ram_to_devices_and_unplugged_ones_beside_them_are_not()
    {
        Assert.True(_ram.TryPlug(Blocks(1, 2)));
        Assert.True(_ram.TryPlug(Blocks(3, 1)));

        Assert.True(_space.Ram.TryResolve(Start + (2 * MiB), 6 * MiB, out byte* host)); // over both of them
        Assert.Equal(_backing.Address + (nint)(2 * MiB), (nint)host);
        Assert.False(_space.Ram.TryResolve(Start + (2 * MiB) - 1, 1, out _));
        Assert.False(_space.Ram.TryResolve(Start + (8 * MiB) - 1, 2, out _));

        _ram.Unplug(Blocks(2, 1));

        Assert.True(_space.Ram.TryResolve(Start + (2 * MiB), 2 * MiB, out _));
        Assert.False(_space.Ram.TryResolve(Start + (4 * MiB), 1, out _));
        Assert.False(_space.Ram.TryResolve(Start + (4 * MiB) - 1, 2, out _));
        Assert.True(_space.Ram.TryResolve(Start + (6 * MiB), 2 * MiB, out _));
        Assert.Empty(_warnings);
    }

    [Fact]
    public void KVM_has_a_slot_for_as_long_as_one_of_its_blocks_is_plugged()
    {
        Assert.True(_ram.TryPlug(Blocks(63, 2))); // in both slots
        Assert.Equal([Region.Slot(0), Region.Slot(1)], _slots.Values);
        Assert.True(_ram.TryPlug(Blocks(0, 1)));

        _ram.Unplug(Blocks(63, 2));

        Assert.Equal([Region.Slot(0)], _slots.Values);
        _ram.Unplug(Blocks(0, 1));
        Assert.Empty(_slots);
        Assert.Empty(_space.Ram.Slots);
    }

    [Fact]
    public void Pages_go_back_to_the_host_when_their_block_is_unplugged_and_no_others()
    {
        Assert.True(_ram.TryPlug(Blocks(0, 2)));
        byte* first = (byte*)_backing.Address;
        byte* second = first + (2 * MiB);
        byte* beyond = second + (2 * MiB);
        (*first, *second, *beyond) = (1, 2, 3); // the guest can reach the last one, too

        _ram.Unplug(Blocks(0, 1));
        Assert.Equal((0, 2, 3), (*first, *second, *beyond));

        _ram.Unplug(Blocks(1, 1));
        Assert.Equal((0, 0, 0), (*first, *second, *beyond));
    }

    [Fact]
    public void A_listener_sees_plugged_blocks_only_each_by_itself()
    {
        Assert.True(_ram.TryPlug(Blocks(5, 2)));
        Listener listener = new();
        _space.AddListener(listener);
        Assert.True(_ram.TryPlug(Blocks(7, 1)));
        _ram.Unplug(Blocks(6, 2));

        Assert.Equal(["+5", "+6", "+7", "-6", "-7"], listener.Events);
    }

    [Fact]
    public void Blocks_that_a_listener_cannot_follow_are_not_plugged()
    {
        Listener first = new();
        Listener second = new() { Most = 1 };
        _space.AddListener(first);
        _space.AddListener(second);

        Assert.False(_ram.TryPlug(Blocks(0, 3)));

        Assert.Equal(["+0", "+1", "-0", "-1"], first.Events);
        Assert.Equal(["+0", "-0"], second.Events);
        Assert.Empty(_space.Ram.Slots);
        Assert.Empty(_slots);
        Assert.Equal("no more", Assert.Single(_warnings));
        Assert.True(_ram.TryPlug(Blocks(0, 1)));
    }

    [Fact]
    public void Blocks_that_KVM_refuses_are_not_plugged_and_the_user_is_told_once()
    {
        _kvmRefuses = true;
        Assert.False(_ram.TryPlug(Blocks(0, 1)));
        Assert.False(_ram.TryPlug(Blocks(0, 1)));

        Assert.Contains("128 MiB of RAM at 0x100000000", Assert.Single(_warnings), StringComparison.Ordinal);
        _kvmRefuses = false;
        Assert.True(_ram.TryPlug(Blocks(0, 1)));
    }

    private static GuestRange Blocks(int first, int count) =>
        new(Start + ((ulong)first * Region.BlockSize), (ulong)count * Region.BlockSize);

    private void Set(uint slot, GuestRange range, nint host)
    {
        if (_kvmRefuses)
            throw new KvmException("KVM_SET_USER_MEMORY_REGION", Errno.ENOMEM, "a slot");
        if (range.Length == 0)
            Assert.True(_slots.Remove(slot));
        else
            _slots.Add(slot, range);
    }

    private sealed class Listener : IAddressSpaceListener
    {
        public List<string> Events { get; } = [];

        public int Most { get; init; } = int.MaxValue;

        public void Mapped(RamSlot ram)
        {
            if (Events.Count(line => line[0] == '+') - Events.Count(line => line[0] == '-') == Most)
                throw new HostLimitException("no more");
            Events.Add($"+{Number(ram)}");
        }

        public void Unmapping(RamSlot ram) => Events.Add($"-{Number(ram)}");

        private static ulong Number(RamSlot ram)
        {
            Assert.Equal(Region.BlockSize, ram.Range.Length);
            return (ram.Range.Start - Start) / Region.BlockSize;
        }
    }
}
