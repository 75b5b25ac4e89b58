using MiniVmm.Host;
using MiniVmm.Machine;
using MiniVmm.Memory;
using MiniVmm.Passthrough;
using MiniVmm.Passthrough.Abi;
using MiniVmm.Tests.Passthrough;

namespace MiniVmm.Tests.Machine;

public sealed class DmaMappingsTests : IDisposable
{
    private const ulong MiB = MemoryLayout.MiB;
    private static readonly NamedOption Subject = new(OptionName.Device, "vfio=0000:01:00.0");
    private readonly FakeVfio _kernel = new();
    private readonly VfioContainer _container;
    private readonly AddressSpace _space = new((_, _, _) => { });

    public DmaMappingsTests() => _container = new VfioContainer(_kernel);

    public void Dispose() => _container.Dispose();

    [Fact]
    public void Devices_reach_all_RAM_that_is_there_or_comes_and_none_that_has_gone()
    {
        RamSlot low = new(new(0, 64 * MiB), 0x1000_0000);
        RamSlot more = new(new(1024 * MiB, 64 * MiB), 0x2000_0000);
        _space.Map(low);
        _space.AddListener(Mappings());
        _space.Map(more);
        Assert.Equal([low, more], _kernel.Mapped);

        _space.Unmap(low);
        Assert.Equal([more], _kernel.Mapped);
    }

    [Fact]
    public void A_limit_that_is_too_small_is_told_with_what_is_missing_of_all_the_RAM()
    {
        _kernel.LockableMemory = 8 * MiB;
        _space.Map(new(new(0, 64 * MiB), 0x1000_0000));

        HostLimitException e = Assert.Throws<HostLimitException>(() => _space.AddListener(Mappings(ram: 128 * MiB)));

        Assert.Equal(
            "Device vfio=0000:01:00.0: all of guest RAM is locked in memory for its DMA, and this process may lock 8 MiB "
                + "(RLIMIT_MEMLOCK): 120 MiB too little; raise it (ulimit -l 131072, or LimitMEMLOCK= of a systemd unit)",
            e.Message);
    }

    [Fact]
    public void Memory_that_the_host_does_not_have_is_not_blamed_on_the_limit()
    {
        _kernel.LockableMemory = 1024 * MiB;
        _kernel.Errors[VfioConstants.VFIO_IOMMU_MAP_DMA] = Errno.ENOMEM;
        _space.Map(new(new(0, 64 * MiB), 0x1000_0000));

        HostLimitException e = Assert.Throws<HostLimitException>(() => _space.AddListener(Mappings()));

        Assert.Contains("guest RAM cannot be made reachable for it: VFIO_IOMMU_MAP_DMA(0x0-0x3ffffff): out of memory", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Addresses_that_the_IOMMU_does_not_have_are_told()
    {
        _kernel.UsableAddresses = [new(0, 0xfee0_0000), new(0xfef0_0000, 0x70_0000_0000)];
        _space.Map(new(new(0x7f_0000_0000, 0x2_0000_0000), 0x1000_0000));

        HostLimitException e = Assert.Throws<HostLimitException>(() => _space.AddListener(Mappings()));

        Assert.Contains("the host's IOMMU cannot give it guest RAM at 0x7f00000000-0x80ffffffff", e.Message, StringComparison.Ordinal);
        Assert.EndsWith("give less Mem", e.Message, StringComparison.Ordinal);
        Assert.Empty(_kernel.Mapped);
    }

    private DmaMappings Mappings(ulong ram = 64 * MiB) => new(_container, Subject, ram, _kernel.LockableMemory);
}
