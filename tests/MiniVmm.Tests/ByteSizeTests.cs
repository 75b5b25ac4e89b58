namespace MiniVmm.Tests;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData(0, "0 bytes")]
    [InlineData(1, "1 byte")]
    [InlineData(100, "100 bytes")]
    [InlineData(1025, "1025 bytes")]
    [InlineData(1024, "1 KiB")]
    [InlineData(1536UL << 10, "1536 KiB")]
    [InlineData(256UL << 20, "256 MiB")]
    [InlineData(5UL << 30, "5 GiB")]
    [InlineData(3UL << 40, "3 TiB")]
    [InlineData(1UL << 50, "1024 TiB")]
    public void A_size_is_written_with_the_largest_unit_that_divides_it(ulong bytes, string text) =>
        Assert.Equal(text, ByteSize.Format(bytes));
}
