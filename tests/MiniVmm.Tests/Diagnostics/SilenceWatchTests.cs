using MiniVmm.Diagnostics;

namespace MiniVmm.Tests.Diagnostics;

public sealed class SilenceWatchTests
{
    [Fact]
    public void Silence_is_told_once_and_again_after_the_guest_has_said_something()
    {
        SilenceWatch watch = new(TimeSpan.FromSeconds(2));

        bool[] told =
        [
            watch.Look(0, 10_000), watch.Look(0, 11_999), watch.Look(0, 12_000), watch.Look(0, 50_000),
            watch.Look(1, 50_001), watch.Look(1, 52_000), watch.Look(1, 52_001),
        ];

        Assert.Equal([false, false, true, false, false, false, true], told);
    }

    [Fact]
    public void A_guest_that_goes_on_talking_is_never_silent()
    {
        SilenceWatch watch = new(TimeSpan.FromSeconds(1));

        Assert.DoesNotContain(true, Enumerable.Range(0, 100).Select(i => watch.Look(i, i * 5000L)));
    }

    [Theory]
    [InlineData(0.1, 100)]
    [InlineData(60, 250)]
    public void It_is_looked_at_often_enough(double after, int pause) =>
        Assert.Equal(pause, new SilenceWatch(TimeSpan.FromSeconds(after)).Pause);
}
