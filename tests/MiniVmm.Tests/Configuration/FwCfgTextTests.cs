using MiniVmm.Configuration;
using MiniVmm.Machine;

namespace MiniVmm.Tests.Configuration;

public sealed class FwCfgTextTests
{
    [Theory]
    [InlineData("name=opt/a,string=words", null, "words")]
    [InlineData("opt/a,string=words,, and more", null, "words, and more")]
    [InlineData("name=opt/a,file=a.bin", "a.bin", null)]
    [InlineData("opt/a,string=", null, "")]
    public void A_file_has_a_name_and_bytes(string text, string? file, string? content) =>
        Assert.Equal(new FwCfgFile("opt/a", file, content), FwCfgText.Parse(text));

    [Theory]
    [InlineData("", "the name is missing; it takes name=NAME,file=FILE or name=NAME,string=TEXT")]
    [InlineData("file=a", "the name is missing")]
    [InlineData("opt/a,file=", "file= names no file")]
    [InlineData("opt/a", "give either file= or string=")]
    [InlineData("opt/a,file=a,string=b", "give either file= or string=")]
    [InlineData("opt/a,name=opt/b,string=c", "'name=opt/b' is one too many")]
    [InlineData("opt/a,string=c,gen_id=x", "unknown 'gen_id=x'")]
    [InlineData("opt a,string=c", "a name has up to 55 characters of ASCII, and no spaces")]
    [InlineData("opt/01234567890123456789012345678901234567890123456789012,string=c", "a name has up to 55")]
    public void What_is_wrong_is_said(string text, string complaint) => Assert.StartsWith(
        $"FwCfg {text}: {complaint}", Assert.Throws<BadInputException>(() => FwCfgText.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_name_that_the_machine_uses_itself_is_refused_by_the_plan()
    {
        MachineOptions options = new() { Kernel = "no-such-kernel", FwCfg = [new("etc/e820", null, "x")] };

        Assert.Equal(
            "FwCfg name=etc/e820: there is such a file already",
            Assert.Throws<BadInputException>(() => MachinePlan.Create(options)).Message);
    }
}
