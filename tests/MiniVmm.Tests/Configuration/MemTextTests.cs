using MiniVmm.Configuration;
using MiniVmm.Memory;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Configuration;

public sealed class MemTextTests
{
    private const ulong MiB = MemoryLayout.MiB;
    private static readonly MemoryOptions Before = new(7 * MiB, "/dev/hugepages", Prealloc: true, Max: 9 * MiB);

    [Theory]
    [InlineData("256M", 256, null)]
    [InlineData("256M,max=2G", 256, 2048)]
    [InlineData("256,max=2048", 256, 2048)]
    [InlineData("256M,maxmem=2G", 256, 2048)]
    [InlineData("256M,slots=3,maxmem=2G", 256, 2048)]
    [InlineData("size=256M,maxmem=2G,slots=0", 256, 2048)]
    [InlineData("maxmem=2G,size=256M", 256, 2048)]
    public void A_most_may_follow_the_size_as_in_qemu(string text, int size, int? max) => Assert.Equal(
        Before with { Size = (ulong)size * MiB, Max = max is { } most ? (ulong)most * MiB : null },
        MemText.Parse(Before, text));

    [Theory]
    [InlineData("much", "--mem much: not a size; use")]
    [InlineData("", "--mem : not a size; use")]
    [InlineData("1G,max=much", "--mem 1G,max=much: 'max=much': not a size; use")]
    [InlineData("1G,max", "'max': not a size")]
    [InlineData("1G,2G", "unknown '2G'; --mem takes SIZE[,max=SIZE]")]
    [InlineData("1G,", "unknown ''")]
    [InlineData("1G,max=2G,maxmem=3G", "max is given twice")]
    [InlineData("1G,size=2G", "size is given twice")]
    [InlineData("1G,slots=many", "unknown 'slots=many'")]
    [InlineData("max=2G", "no size; --mem takes SIZE[,max=SIZE]")]
    [InlineData("1G,Max=2G", "unknown 'Max=2G'")]
    public void What_is_wrong_is_said(string text, string problem) => Assert.Contains(
        problem,
        Assert.Throws<BadInputException>(() => MemText.Parse(Before, text)).OnCommandLine(),
        StringComparison.Ordinal);
}
