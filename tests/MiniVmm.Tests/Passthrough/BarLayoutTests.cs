using MiniVmm.Passthrough;

namespace MiniVmm.Tests.Passthrough;

public sealed class BarLayoutTests
{
    [Fact]
    public void A_BAR_without_MSI_X_is_mapped_whole() =>
        Assert.Equal([new(0, 0x4000)], BarLayout.Mapped(Bar(0x4000, new RegionArea(0, 0x4000)), []));

    [Fact]
    public void Pages_with_the_table_and_the_pending_bits_are_left_out()
    {
        // QEMU's NVMe: the table at 8 KiB, the pending bits behind it in the same page.
        MsixLayout msix = new(65, 0, 0x2000, 0, 0x2410);

        Assert.Equal(
            [new(0, 0x2000), new(0x3000, 0x1000)],
            BarLayout.Mapped(Bar(0x4000, new RegionArea(0, 0x4000)), BarLayout.Trapped(0, msix)));
        Assert.Empty(BarLayout.Trapped(1, msix));
    }

    [Fact]
    public void A_table_of_several_pages_is_left_out_whole() => Assert.Equal(
        [new(0, 0x1000), new(0xa000, 0x6000)],
        BarLayout.Mapped(Bar(0x10000, new RegionArea(0, 0x10000)), [new(0x1800, 0x8000), new(0x9c00, 0x100)]));

    [Fact]
    public void Sparse_areas_are_honoured_to_the_page() => Assert.Equal(
        [new(0x1000, 0x1000), new(0x8000, 0x4000), new(0xd000, 0x1000)],
        BarLayout.Mapped(
            Bar(0x10000, new(0x800, 0x1900), new(0x3000, 0x10), new RegionArea(0x8000, 0x6000)), [new(0xc010, 0x20)]));

    [Fact]
    public void A_BAR_of_less_than_a_page_is_not_mapped() =>
        Assert.Empty(BarLayout.Mapped(Bar(0x800, new RegionArea(0, 0x800)), []));

    [Fact]
    public void A_BAR_that_cannot_be_mapped_is_not() => Assert.Empty(BarLayout.Mapped(Bar(0x4000), []));

    private static VfioRegion Bar(ulong size, params RegionArea[] mappable) => new(0, size, 0, IsWritable: true, mappable);
}
