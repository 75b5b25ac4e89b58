using MiniVmm.Configuration;
using MiniVmm.Devices;

namespace MiniVmm.Tests.Configuration;

public sealed class RtcTextTests
{
    [Fact]
    public void It_is_the_hosts_time_or_a_date()
    {
        Assert.Equal(RtcBase.Utc, RtcText.Parse("utc"));
        Assert.Equal(RtcBase.LocalTime, RtcText.Parse("localtime"));
        Assert.Equal(RtcBase.At(new(2026, 2, 28)), RtcText.Parse("2026-02-28"));
        Assert.Equal(RtcBase.At(new(2026, 2, 28, 23, 59, 50)), RtcText.Parse("2026-02-28T23:59:50"));
    }

    [Theory]
    [InlineData("", "Rtc : no time, such as utc, localtime, 2026-02-28 or 2026-02-28T23:59:50")]
    [InlineData("UTC", "Rtc UTC: no time")]
    [InlineData("2026-02-30", "Rtc 2026-02-30: no time")]
    [InlineData("2026-02-28 23:59", "Rtc 2026-02-28 23:59: no time")]
    [InlineData("0001-06-01", "Rtc 0001-06-01: the clock goes from year 2 to 9998")]
    [InlineData("9999-06-01", "Rtc 9999-06-01: the clock goes from year 2 to 9998")]
    public void What_is_no_time_is_named(string text, string complaint) =>
        Assert.StartsWith(complaint, Assert.Throws<BadInputException>(() => RtcText.Parse(text)).Message, StringComparison.Ordinal);
}
