using MiniVmm.Cpu;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Machine;

public sealed class MemoryLimitTests
{
    private const ulong GiB = MemoryLayout.GiB;

    [Theory]
    [InlineData(1023, 40u, 46u, null)]
    [InlineData(1024, 40u, 46u, "RAM would end at 0x10040000000")]
    [InlineData(1024, 40u, 46u, "--cpu m has 40 physical address bits, which end at 0x10000000000; give at most --mem 1023G, or")]
    [InlineData(512, 46u, 39u, "this host has 39 physical address bits, which end at 0x8000000000; give at most --mem 511G")]
    [InlineData(64, 0u, 46u, "--cpu m has 36 physical address bits")]
    public void Ram_ends_where_physical_addresses_do(int gib, uint guest, uint host, string? refusal)
    {
        GuestMemoryMap memory = new((ulong)gib * GiB);
        void Check() => PhysicalAddresses.Check(memory, "m", Sizes(guest), Sizes(host));
        if (refusal is null)
            Check();
        else
            Assert.Contains(refusal, Assert.ThrowsAny<VmmException>(Check).OnCommandLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_model_is_the_user_s_choice_and_a_host_is_not()
    {
        GuestMemoryMap memory = new(1024 * GiB);

        Assert.Throws<BadInputException>(() => PhysicalAddresses.Check(memory, "m", Sizes(40), Sizes(46)));
        Assert.Throws<HostLimitException>(() => PhysicalAddresses.Check(memory, "host", Sizes(40), Sizes(40)));
    }

    [Fact]
    public void Ram_larger_than_a_slot_is_set_in_parts_without_a_gap()
    {
        const ulong length = (2 * AddressSpace.MaxSlotBytes) + GiB;
        nint host = 0x1000_0000;

        RamSlot[] parts = [.. AddressSpace.Split(new(new(4 * GiB, length), host))];

        Assert.Equal([AddressSpace.MaxSlotBytes, AddressSpace.MaxSlotBytes, GiB], parts.Select(part => part.Range.Length));
        Assert.Equal(parts[0].Range.End, parts[1].Range.Start);
        Assert.Equal(4 * GiB + length, parts[2].Range.End);
        Assert.Equal((ulong)host + (2 * AddressSpace.MaxSlotBytes), (ulong)parts[2].Host);
        Assert.True(AddressSpace.MaxSlotBytes / 4096 <= int.MaxValue);
    }

    private static CpuidLeaf[] Sizes(uint bits) =>
        bits == 0 ? [] : [default(CpuidLeaf) with { Function = 0x80000008, Eax = 0x3000 | bits }];
}
