using MiniVmm.Storage;

namespace MiniVmm.Tests.Storage;

/// <summary>What sysfs says of a disk and of its partitions; here in a directory of the test's own.</summary>
public sealed class BlockQueueTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("minivmm-sysfs").FullName;

    public BlockQueueTests()
    {
        Directory.CreateDirectory($"{_root}/devices/pci/sda/sda1");
        Directory.CreateDirectory($"{_root}/devices/pci/sda/queue");
        Directory.CreateDirectory($"{_root}/dev/block");
        File.CreateSymbolicLink($"{_root}/dev/block/8:0", "../../devices/pci/sda");
        File.CreateSymbolicLink($"{_root}/dev/block/8:1", "../../devices/pci/sda/sda1");
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_partition_discards_as_its_disk_does(uint minor)
    {
        File.WriteAllText($"{_root}/devices/pci/sda/queue/discard_granularity", "4096\n");

        Assert.Equal(4096u, BlockQueue.DiscardGranularity(8, minor, _root));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void A_disk_of_which_nothing_is_said_cannot_discard(uint minor) =>
        Assert.Equal(0u, BlockQueue.DiscardGranularity(8, minor, _root));
}
