using MiniVmm.Configuration;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Configuration;

public sealed class PinTextTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("0,2", 0, 2)]
    [InlineData("2,0", 2, 0)]
    [InlineData("0-3", 0, 1, 2, 3)]
    [InlineData("5-5,1023", 5, 1023)]
    [InlineData("3,0-1,3", 3, 0, 1, 3)]
    public void Numbers_and_ranges_name_a_CPU_for_each_vCPU_in_order(string text, params int[] cpus) =>
        Assert.Equal(cpus, PinText.Parse(text));

    [Theory]
    [InlineData("", "''")]
    [InlineData("0,", "''")]
    [InlineData(",0", "''")]
    [InlineData("x", "'x'")]
    [InlineData("-1", "'-1'")]
    [InlineData("1-", "'1-'")]
    [InlineData("3-0", "'3-0'")]
    [InlineData("0-1-2", "'0-1-2'")]
    [InlineData("0 ,1", "'0 '")]
    [InlineData("1024", "'1024'")]
    [InlineData("0-1024", "'0-1024'")]
    [InlineData("99999999999", "'99999999999'")]
    [InlineData("0x1", "'0x1'")]
    public void What_is_no_list_is_refused_with_the_part_that_is_wrong(string text, string part)
    {
        string message = Assert.Throws<BadInputException>(() => PinText.Parse(text)).OnCommandLine();

        Assert.StartsWith($"--pin {text}: {part} is not a host CPU", message, StringComparison.Ordinal);
    }
}
