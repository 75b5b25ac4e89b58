namespace MiniVmm.Tests.Firmware;

public sealed class FirmwareCpusTests
{
    [Fact]
    public void The_boot_processor_comes_first_whatever_its_id() =>
        Assert.Equal(3u, Topologies.Present(3, 0, 1, 7).All[0].ApicId);

    [Theory]
    [InlineData(new uint[] { })]
    [InlineData(new uint[] { 255 })]
    [InlineData(new uint[] { 0, 2, 1 })]
    [InlineData(new uint[] { 0, 1, 1 })]
    [InlineData(new uint[] { 1, 0, 1 })]
    [InlineData(new uint[] { 0, 0 })]
    public void A_list_that_tables_cannot_tell_of_is_refused(uint[] apicIds) =>
        Assert.Throws<ArgumentException>(() => Topologies.Present(apicIds));

    [Fact]
    public void An_absent_boot_processor_is_refused() =>
        Assert.Throws<ArgumentException>(() => Topologies.Some(0, 2));
}
