using CsCheck;
using MiniVmm.Measurement;

namespace MiniVmm.Tests.Measurement;

public sealed class SvgPlotTests
{
    [Fact]
    public void A_decade_has_the_same_length_everywhere_on_an_axis()
    {
        LogScale scale = new(10, 1000, 50, 250);

        Assert.Equal(50, scale.Position(10), 9);
        Assert.Equal(150, scale.Position(100), 9);
        Assert.Equal(250, scale.Position(1000), 9);
        Assert.Equal((50, 250), (scale.Position(0), scale.Position(double.MaxValue)));
    }

    [Fact]
    public void Ticks_are_as_many_as_there_is_room_for()
    {
        LogScale scale = new(10, 1000, 50, 250);

        Assert.Equal([10, 100, 1000], scale.Ticks(40));
        Assert.Equal([10, 20, 50, 100, 200, 500, 1000], scale.Ticks(30));
        Assert.Equal(15, scale.Ticks(9).Count());
    }

    [Fact]
    public void Any_values_get_an_axis_with_ticks_on_it()
    {
        Gen<double> value = Gen.Double[-2, 10].Select(exponent => Math.Pow(10, exponent));
        Gen.Select(value, value).Sample(
            (a, b) =>
            {
                LogScale scale = LogScale.Around(Math.Min(a, b), Math.Max(a, b), 1, 0, 430);
                double[] ticks = [.. scale.Ticks(40)];
                return ticks.Length >= 3
                    && ticks.All(tick => tick >= scale.From && tick <= scale.To)
                    && ticks.Zip(ticks.Skip(1), (i, j) => scale.Position(j) - scale.Position(i)).All(gap => gap >= 40)
                    && scale.Position(a) is >= 0 and <= 430
                    && scale.From > 0;
            },
            iter: 1000);
    }

    [Theory]
    [InlineData(0, "0 ns")]
    [InlineData(9.994, "9.99 ns")]
    [InlineData(42.25, "42.3 ns")]
    [InlineData(999.4, "999 ns")]
    [InlineData(999.6, "1 µs")]
    [InlineData(1_234_567, "1.23 ms")]
    [InlineData(2_000_000_000_000, "2000 s")]
    public void A_duration_has_three_digits_and_its_unit(double nanoseconds, string text) =>
        Assert.Equal(text, ExitHtmlMarkup.Duration(nanoseconds));
}
