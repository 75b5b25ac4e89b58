using CsCheck;
using MiniVmm.Measurement;

namespace MiniVmm.Tests.Measurement;

public sealed class StatisticsTests
{
    [Theory]
    [InlineData(0, 10)]
    [InlineData(0.25, 17.5)]
    [InlineData(0.5, 25)]
    [InlineData(0.75, 32.5)]
    [InlineData(1, 40)]
    public void A_quantile_between_two_values_is_interpolated(double share, double expected) =>
        Assert.Equal(expected, Statistics.Quantile([40, 10, 30, 20], share), 1e-9);

    [Theory]
    [InlineData(0)]
    [InlineData(0.3)]
    [InlineData(1)]
    public void Of_one_value_each_quantile_is_that(double share) => Assert.Equal(7, Statistics.Quantile([7], share));

    [Fact]
    public void Of_no_value_there_is_none() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Statistics.Quantile([], 0.5));

    [Fact]
    public void A_quantile_lies_among_the_values_and_grows_with_the_share() =>
        Gen.Select(Gen.Double[0, 1e6].Array[1, 20], Gen.Double[0, 1], Gen.Double[0, 1]).Sample(
            (values, one, other) =>
            {
                double low = Statistics.Quantile(values, Math.Min(one, other));
                double high = Statistics.Quantile(values, Math.Max(one, other));
                const double rounding = 1e-6;
                Assert.InRange(low, values.Min() - rounding, high + rounding);
                Assert.InRange(high, low - rounding, values.Max() + rounding);
            },
            iter: 500, threads: 1);

    [Fact]
    public void The_spread_is_the_quartiles_distance_as_a_share_of_the_median()
    {
        Assert.Equal(15.0 / 25, Statistics.QuartileSpread([40, 10, 30, 20]), 1e-9);
        Assert.Equal(0, Statistics.QuartileSpread([5, 5, 5]));
    }

    [Theory]
    [InlineData]
    [InlineData(3.0)]
    [InlineData(0.0, 0.0, 0.0)]
    public void Of_fewer_than_two_values_or_of_nothing_but_zeros_it_is_zero(params double[] values) =>
        Assert.Equal(0, Statistics.QuartileSpread(values));
}
