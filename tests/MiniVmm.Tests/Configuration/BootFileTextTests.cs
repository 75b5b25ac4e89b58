using MiniVmm.Boot;
using MiniVmm.Configuration;

namespace MiniVmm.Tests.Configuration;

public sealed class BootFileTextTests
{
    private static readonly Func<string, bool> NoFile = _ => false;

    [Theory]
    [InlineData("a.img", "a.img|")]
    [InlineData("a.img words", "a.img|words")]
    [InlineData("a.img one two,b.img", "a.img|one two", "b.img|")]
    [InlineData("a,,b.img x,,y,c", "a,b.img|x,y", "c|")]
    [InlineData("a,,,b", "a,|", "b|")]
    [InlineData(",,", ",|")]
    [InlineData("a,", "a|", "|")]
    public void A_list_is_read_as_qemu_reads_it(string text, params string[] expected) =>
        Assert.Equal(expected, BootFileText.ParseList(text, NoFile).Select(module => $"{module.Path}|{module.Words}"));

    [Fact]
    public void The_string_of_a_module_is_the_whole_text() =>
        Assert.Equal(["a,b  words", "c"], BootFileText.ParseList("a,,b  words,c", NoFile).Select(module => module.Text));

    [Theory]
    [InlineData("my initrd.img")]
    [InlineData("a,b.img")]
    public void A_text_that_is_the_name_of_a_file_is_that_file(string name) =>
        Assert.Equal([new BootFile(name)], BootFileText.ParseList(name, file => file == name));

    [Fact]
    public void A_single_module_may_have_commas() =>
        Assert.Equal(new BootFile("a,b", "c,d"), BootFileText.Parse("a,b c,d", NoFile));
}
