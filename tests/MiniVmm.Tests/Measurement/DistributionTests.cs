using CsCheck;
using MiniVmm.Measurement;

namespace MiniVmm.Tests.Measurement;

public sealed class DistributionTests
{
    private const double Tick = 0.5;
    private const long Longest = (1L << 41) - 1;

    private static readonly double[] UsualPercents = [0, 50, 90, 99, 99.9, 100];

    private static readonly Gen<long[]> Samples = Gen.OneOf(
        Gen.Long[0, 100],
        Gen.Long[1_000, 50_000],
        Gen.Int[0, 40].Select(bit => 1L << bit),
        Gen.Long[0, Longest]).Array[1, 300];

    [Fact]
    public void A_percentile_is_the_sample_of_the_nearest_rank_to_three_digits() => Gen.Select(
        Samples, Gen.OneOf(Gen.Double[0, 100], Gen.Int[0, 5].Select(i => UsualPercents[i]))).Sample(
        (samples, percent) =>
        {
            double exact = NearestRank(samples, percent) * Tick;
            double percentile = Of(samples).Percentile(percent);
            return percentile >= exact && percentile <= exact * 1.001;
        },
        iter: 200);

    [Theory]
    [InlineData(26, 90, 24)]
    [InlineData(1600, 99.9, 1599)]
    [InlineData(1000, 99.9, 999)]
    [InlineData(3, 50, 2)]
    [InlineData(2, 50, 1)]
    public void A_rank_that_is_not_whole_is_the_next_whole_one(int samples, double percent, int rank) =>
        Assert.Equal(rank * Tick, Of(Enumerable.Range(1, samples).Select(i => (long)i)).Percentile(percent));

    [Fact]
    public void Percentiles_rise_from_the_shortest_to_the_longest() => Samples.Sample(
        samples =>
        {
            Distribution all = Of(samples);
            double[] values = [all.Min, .. UsualPercents.Select(all.Percentile), all.Max];
            return values.SequenceEqual(values.Order())
                && all.Min == samples.Min() * Tick
                && all.Max == samples.Max() * Tick
                && all.Percentile(100) == all.Max
                && Math.Abs(all.Mean - (samples.Average(sample => (double)sample) * Tick)) <= all.Mean * 1e-9;
        },
        iter: 100);

    [Fact]
    public void Adding_is_recording_all() => Gen.Select(Samples, Samples).Sample(
        (some, others) =>
        {
            Distribution sum = Of(some);
            sum.Add(Of(others));
            sum.Add(Of());
            Distribution all = Of(some.Concat(others));
            return sum.Count == all.Count
                && (sum.Min, sum.Max) == (all.Min, all.Max)
                && Math.Abs(sum.Mean - all.Mean) <= all.Mean * 1e-9
                && Enumerable.Range(0, 21).All(i => sum.Percentile(5 * i) == all.Percentile(5 * i));
        },
        iter: 50);

    [Fact]
    public void Buckets_hold_every_sample_once_and_have_no_gaps() => Gen.Select(Samples, Gen.Double[1.02, 4]).Sample(
        (samples, factor) =>
        {
            Distribution all = Of(samples);
            IReadOnlyList<(double From, double To, long Count)> buckets = all.Buckets(factor);
            return buckets.Sum(bucket => bucket.Count) == all.Count
                && buckets.Zip(buckets.Skip(1)).All(pair => Near(pair.First.To, pair.Second.From))
                && buckets.All(bucket => Near(bucket.To, bucket.From * factor))
                && Near(buckets[0].From, Math.Max(all.Min, Tick))
                && buckets[^1].To >= all.Max * (1 - 1e-9)
                && buckets[^1].From <= Math.Max(all.Max, Tick) * (1 + 1e-9)
                && buckets[0].Count > 0
                && buckets[^1].Count > 0;
        },
        iter: 100);

    [Fact]
    public void A_bucket_counts_what_lies_in_it()
    {
        Distribution few = Of(100, 100, 150, 250, 790);

        Assert.Equal([(50, 100, 3), (100, 200, 1), (200, 400, 1)], few.Buckets(2));
    }

    [Fact]
    public void Without_samples_all_is_zero()
    {
        Distribution none = Of();

        Assert.Equal((0, 0, 0, 0, 0), (none.Count, none.Min, none.Max, none.Mean, none.Percentile(99)));
        Assert.Empty(none.Buckets(2));
    }

    [Fact]
    public void Samples_below_zero_count_as_none_at_all_and_those_that_never_end_as_the_longest()
    {
        Distribution odd = Of(long.MinValue, -1, 0, Longest + 1, long.MaxValue);

        Assert.Equal((5, 0, Longest * Tick), (odd.Count, odd.Min, odd.Max));
        Assert.Equal((0, Longest * Tick), (odd.Percentile(60), odd.Percentile(61)));
        Assert.Equal(5, odd.Buckets(1.1).Sum(bucket => bucket.Count));
        Assert.Equal([(Tick, 2 * Tick, 1)], Of(0).Buckets(2));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(0.5)]
    [InlineData(-2)]
    public void Buckets_that_do_not_grow_are_refused(double factor) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Of(1).Buckets(factor));

    private static Distribution Of(params IEnumerable<long> ticks)
    {
        Distribution distribution = new(Tick);
        foreach (long tick in ticks)
            distribution.Record(tick);
        return distribution;
    }

    private static long NearestRank(long[] samples, double percent)
    {
        int rank = (int)Math.Ceiling((decimal)percent * samples.Length / 100);
        return samples.Order().ElementAt(Math.Max(rank, 1) - 1);
    }

    private static bool Near(double a, double b) => Math.Abs(a - b) <= 1e-9 * Math.Max(a, b);
}
