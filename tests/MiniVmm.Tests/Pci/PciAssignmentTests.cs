using MiniVmm.Memory;
using MiniVmm.Pci;

namespace MiniVmm.Tests.Pci;

/// <summary>Where BARs are before the guest runs.</summary>
public sealed class PciAssignmentTests
{
    private static readonly PciWindows Windows = PciWindows.Above(MemoryLayout.GiB);
    private readonly PciDecoding _decoding = new(Windows);

    [Fact]
    public void Large_ones_come_first_and_small_ones_stay_below_4_GiB()
    {
        FakeTarget[] targets = [.. Enumerable.Range(0, 4).Select(_ => new FakeTarget())];
        PciEndpoint one = new(
            "one",
            default,
            _decoding,
            new PciBar(0, PciBarKind.Memory32, 0x1000, targets[0]),
            new PciBar(2, PciBarKind.Prefetchable64, 16 * MemoryLayout.GiB, targets[1]));
        PciEndpoint two = new(
            "two",
            default,
            _decoding,
            new PciBar(0, PciBarKind.Memory64, 64 * MemoryLayout.KiB, targets[2]),
            new PciBar(4, PciBarKind.Ports, 32, targets[3]));

        PciAssignment.Assign(Windows, [one, two]);

        Assert.Equal(
            [MemoryLayout.PciMemory + 0x1_0000, 32 * MemoryLayout.GiB, MemoryLayout.PciMemory, 0xc000],
            targets.Select(target => target.At!.Value));
        Assert.Equal((PciCommand.Memory, PciCommand.Memory | PciCommand.Ports), (one.Command, two.Command));
    }

    [Fact]
    public void What_does_not_fit_is_refused_by_name()
    {
        PciEndpoint large = new(
            "gpu0", default, _decoding, new PciBar(0, PciBarKind.Memory32, 512 * MemoryLayout.MiB, new FakeTarget()));
        Assert.Equal(
            "gpu0: no room on the PCI bus for 512 MiB; leave out a device",
            Assert.Throws<BadInputException>(() => PciAssignment.Assign(Windows, [large])).Message);
    }

    [Theory]
    [InlineData(2, 32)]
    [InlineData(32, 32)]
    [InlineData(33, 64)]
    public void The_upper_window_lies_above_all_RAM(int ram, int window) => Assert.Equal(
        new GuestRange((ulong)window * MemoryLayout.GiB, 32 * MemoryLayout.GiB),
        PciWindows.Above((ulong)ram * MemoryLayout.GiB).HighMemory);
}
