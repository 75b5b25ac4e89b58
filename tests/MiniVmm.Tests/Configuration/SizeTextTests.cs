using CsCheck;
using MiniVmm.Configuration;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Configuration;

public sealed class SizeTextTests
{
    [Theory]
    [InlineData("1", 1UL << 20)]
    [InlineData("0", 0)]
    [InlineData("64K", 64UL << 10)]
    [InlineData("64k", 64UL << 10)]
    [InlineData("256M", 256UL << 20)]
    [InlineData("5G", 5UL << 30)]
    [InlineData("2t", 2UL << 40)]
    [InlineData(" 128M ", 128UL << 20)]
    [InlineData("007", 7UL << 20)]
    [InlineData("16777215T", 16777215UL << 40)]
    [InlineData("18014398509481983K", 18014398509481983UL << 10)]
    public void A_number_counts_in_its_unit_and_a_bare_one_in_mebibytes(string text, ulong bytes) =>
        Assert.Equal(bytes, SizeText.Parse(text, OptionName.Mem));

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("M")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("1.5G")]
    [InlineData("1,024")]
    [InlineData("0x100")]
    [InlineData("256MB")]
    [InlineData("256 M")]
    [InlineData("1GG")]
    [InlineData("1P")]
    [InlineData("١M")]
    [InlineData("99999999999999999999")]
    public void What_is_no_size_is_refused_with_its_option_and_text(string text)
    {
        string message = Assert.Throws<BadInputException>(() => SizeText.Parse(text, OptionName.Mem)).OnCommandLine();
        Assert.StartsWith($"--mem {text}: not a size", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("16777216T")]
    [InlineData("17179869184G")]
    [InlineData("17592186044416")]
    [InlineData("18446744073709551615K")]
    public void What_is_more_than_64_bits_of_bytes_is_refused(string text)
    {
        string message = Assert.Throws<BadInputException>(() => SizeText.Parse(text, OptionName.Mem)).OnCommandLine();
        Assert.Equal($"--mem {text}: too large to count in bytes", message);
    }

    [Fact]
    public void What_is_written_is_read_back_as_the_same_size() =>
        Gen.Select(Gen.ULong, Gen.Int[10, 54]).Sample(
            (number, shift) =>
            {
                ulong bytes = number >> shift << 10;
                string text = ByteSize.Format(bytes)
                    .Replace(" ", "", StringComparison.Ordinal)
                    .Replace("iB", "", StringComparison.Ordinal);
                Assert.Equal(bytes, bytes == 0 ? 0 : SizeText.Parse(text, OptionName.Mem));
            },
            iter: 500, threads: 1);
}
