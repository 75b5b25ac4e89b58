using CsCheck;
using MiniVmm.Measurement;

namespace MiniVmm.Tests.Measurement;

public sealed class CpuListTests
{
    [Theory]
    [InlineData("", 0)]
    [InlineData("0", 1)]
    [InlineData("0-1", 2)]
    [InlineData("0-3,8,10-11", 7)]
    [InlineData("0-2147483646", int.MaxValue)]
    public void A_list_is_counted(string text, int count) => Assert.Equal(count, CpuList.Count(text));

    [Theory]
    [InlineData(null)]
    [InlineData("none")]
    [InlineData("-1")]
    [InlineData("3-0")]
    [InlineData("0-")]
    [InlineData("0-1-2")]
    [InlineData("0 1")]
    [InlineData("2147483648")]
    [InlineData("0-2147483647")]
    [InlineData("0-2147483646,0-2147483646,0-2147483646")]
    public void What_is_no_list_has_no_count(string? text) => Assert.Null(CpuList.Count(text));

    [Theory]
    [InlineData(new int[0], "")]
    [InlineData(new[] { 5 }, "5")]
    [InlineData(new[] { 3, 0, 1, 2, 8, 0 }, "0-3,8")]
    [InlineData(new[] { int.MaxValue, int.MinValue }, "-2147483648,2147483647")]
    public void CPUs_are_written_as_ranges(int[] cpus, string text) => Assert.Equal(text, CpuList.Format(cpus));

    [Fact]
    public void What_is_written_counts_as_many() =>
        Gen.Int[0, 50].Array[0, 40].Sample(
            cpus => CpuList.Count(CpuList.Format(cpus)) == cpus.Distinct().Count(), iter: 500);
}
