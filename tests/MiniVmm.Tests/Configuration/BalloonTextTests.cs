using MiniVmm.Configuration;
using MiniVmm.Tests.Cli;
using MiniVmm.Virtio.Balloon;

namespace MiniVmm.Tests.Configuration;

public sealed class BalloonTextTests
{
    [Theory]
    [InlineData("", 0, true, true)]
    [InlineData("96M", 96, true, true)]
    [InlineData("64", 64, true, true)]
    [InlineData("1G,deflate-on-oom=off", 1024, false, true)]
    [InlineData("reporting=off", 0, true, false)]
    [InlineData("32M,reporting=off,deflate-on-oom=on", 32, true, false)]
    [InlineData("reporting=no,deflate-on-oom=FALSE", 0, false, false)]
    public void Size_and_switches_may_each_be_left_out(string text, int mib, bool deflateOnOom, bool reporting)
    {
        Assert.Equal(new BalloonOptions((ulong)mib << 20, deflateOnOom, reporting), BalloonText.Parse(text));
    }

    [Theory]
    [InlineData("lots", "lots")]
    [InlineData(",", "not a size")]
    [InlineData("64M,32M", "unknown '32M'")]
    [InlineData("64M,", "unknown ''")]
    [InlineData("64M,polling=on", "unknown 'polling=on'")]
    [InlineData("reporting", "reporting")]
    [InlineData("64M,reporting", "'reporting' is neither on nor off")]
    [InlineData("reporting=maybe", "'reporting=maybe' is neither on nor off")]
    [InlineData("reporting=", "'reporting=' is neither on nor off")]
    [InlineData("=", "unknown '='")]
    [InlineData("64M,reporting=on,reporting=off", "reporting is given twice")]
    public void Anything_else_is_refused_by_name(string text, string named)
    {
        BadInputException error = Assert.Throws<BadInputException>(() => BalloonText.Parse(text));

        Assert.StartsWith("--balloon", error.OnCommandLine(), StringComparison.Ordinal);
        Assert.Contains(named, error.OnCommandLine(), StringComparison.Ordinal);
    }
}
