using MiniVmm.Configuration;
using MiniVmm.Tests.Cli;

namespace MiniVmm.Tests.Configuration;

/// <summary>Each text that has a switch in it understands the same words.</summary>
public sealed class SwitchTextTests
{
    [Theory]
    [InlineData("on", true)]
    [InlineData("yes", true)]
    [InlineData("true", true)]
    [InlineData("y", true)]
    [InlineData("ON", true)]
    [InlineData("off", false)]
    [InlineData("no", false)]
    [InlineData("false", false)]
    [InlineData("n", false)]
    [InlineData("Off", false)]
    public void Everywhere_a_word_means_the_same(string word, bool on)
    {
        Assert.Equal(on, SwitchText.Parse(word, OptionName.Rng));
        Assert.Equal(on, NetText.Parse($"user,restrict={word}").User.Restrict);
        Assert.Equal(on, BalloonText.Parse($"reporting={word}").Reporting);
        Assert.Equal(on, Assert.Single(CpuText.Parse($"host,avx={word}").Changes).On);
        Assert.Equal(on, CommandLines.Parse("run", $"--rng={word}", "k").GetValue<bool>("--rng"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("on1")]
    [InlineData("maybe")]
    public void No_other_word_is_a_switch(string word)
    {
        Assert.False(SwitchText.TryParse(word, out _));
        Assert.Throws<BadInputException>(() => SwitchText.Parse(word, OptionName.Rng));
        Assert.Throws<BadInputException>(() => NetText.Parse($"user,restrict={word}"));
        Assert.Throws<BadInputException>(() => BalloonText.Parse($"reporting={word}"));
        Assert.Throws<BadInputException>(() => CpuText.Parse($"host,avx={word}"));
        Assert.Throws<BadInputException>(() => CommandLines.Parse("run", $"--rng={word}", "k"));
    }
}
