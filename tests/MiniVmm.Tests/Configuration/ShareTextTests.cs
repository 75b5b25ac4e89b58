using MiniVmm.Configuration;
using MiniVmm.Sharing;

namespace MiniVmm.Tests.Configuration;

public sealed class ShareTextTests
{
    [Fact]
    public void A_folder_has_a_tag_and_may_be_read_only()
    {
        Assert.Equal(new ShareOptions { Folder = "src" }, ShareText.Parse("src"));
        Assert.Equal(new ShareOptions { Folder = "/a,b", Tag = "work", ReadOnly = true }, ShareText.Parse("/a,,b,tag=work,ro"));
    }

    [Theory]
    [InlineData("", "Share : no folder given; put it first, as in src,ro")]
    [InlineData(",ro", "Share ,ro: no folder given")]
    [InlineData("a,rw", "Share a,rw: unknown 'rw'; it takes tag=NAME and ro")]
    [InlineData("a,tag=", "Share a,tag=: tag= needs a name")]
    [InlineData("a,tag=b\n", "Share a,tag=b\n: tag= needs a name")]
    public void What_is_wrong_is_named(string text, string complaint) =>
        Assert.StartsWith(complaint, Assert.Throws<BadInputException>(() => ShareText.Parse(text)).Message, StringComparison.Ordinal);

    [Fact]
    public void A_tag_has_255_bytes_at_most() =>
        Assert.Contains("255 bytes at most", Assert.Throws<BadInputException>(() => ShareText.Parse($"a,tag={new string('ä', 128)}")).Message, StringComparison.Ordinal);
}
