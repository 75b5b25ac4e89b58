using CsCheck;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

public sealed class TokenBucketTests
{
    private const long Second = 1_000_000_000;

    [Fact]
    public void A_burst_is_there_at_once_and_then_the_rate()
    {
        TokenBucket bucket = new(rate: 100, burst: 10);
        bucket.Spend(0, 10);
        TimeSpan delay = bucket.Delay(0);
        Assert.Equal(TimeSpan.FromMilliseconds(10), delay);
        Assert.NotEqual(TimeSpan.Zero, bucket.Delay(0));
        Assert.Equal(TimeSpan.Zero, bucket.Delay(Second / 100));
    }

    [Fact]
    public void No_more_gathers_than_a_burst()
    {
        TokenBucket bucket = new(rate: 100, burst: 10);
        bucket.Spend(1000 * Second, 10);
        Assert.NotEqual(TimeSpan.Zero, bucket.Delay(1000 * Second));
    }

    [Fact]
    public void A_request_larger_than_the_burst_is_paid_for_afterwards()
    {
        TokenBucket bucket = new(rate: 100, burst: 10);
        bucket.Spend(0, 510);
        Assert.Equal(TimeSpan.FromSeconds(5.01), bucket.Delay(0));
        Assert.NotEqual(TimeSpan.Zero, bucket.Delay(5 * Second));
        Assert.Equal(TimeSpan.Zero, bucket.Delay((5 * Second) + (Second / 100)));
    }

    [Fact]
    public void A_debt_of_ages_is_asked_about_again_after_a_day()
    {
        TokenBucket bucket = new(rate: 1, burst: 1);
        bucket.Spend(0, 1e30);
        Assert.Equal(TimeSpan.FromDays(1), bucket.Delay(0));
    }

    [Fact]
    public void Time_that_runs_backwards_earns_nothing()
    {
        TokenBucket bucket = new(rate: 10, burst: 1);
        bucket.Spend(Second, 1);
        TimeSpan delay = bucket.Delay(Second);
        Assert.Equal(delay, bucket.Delay(0));
        Assert.Equal(delay, bucket.Delay(Second));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(-1, 1)]
    [InlineData(1, 0)]
    [InlineData(double.NaN, 1)]
    [InlineData(1, double.NaN)]
    [InlineData(double.PositiveInfinity, 1)]
    [InlineData(1, double.PositiveInfinity)]
    public void A_rate_and_a_burst_are_numbers_above_nothing(double rate, double burst) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new TokenBucket(rate, burst));

    [Fact]
    public void Whoever_waits_as_told_spends_no_more_than_rate_and_burst_allow_and_is_never_sent_away_twice() =>
        Gen.Select(Gen.Double[0.1, 1e9], Gen.Double[0.5, 1e6], Gen.Select(Gen.Double[0, 1e4], Gen.Long[0, Second])
            .Array[1, 50]).Sample(
            (rate, burst, requests) =>
            {
                TokenBucket bucket = new(rate, burst);
                long now = 5;
                double spent = 0;
                foreach ((double tokens, long pause) in requests)
                {
                    now += pause;
                    for (int tries = 0; bucket.Delay(now) is var delay && delay > TimeSpan.Zero; tries++)
                    {
                        // A day at most at a time, and what the rounding of a sum leaves.
                        if (delay < TimeSpan.FromDays(1) && tries > 10)
                            return false;
                        now += delay.Ticks * TimeSpan.NanosecondsPerTick;
                    }

                    if (spent > (burst + (rate * (now - 5) * 1e-9)) * (1 + 1e-6))
                        return false;
                    bucket.Spend(now, tokens);
                    spent += tokens;
                }

                return true;
            },
            iter: 2000, threads: 1);
}
