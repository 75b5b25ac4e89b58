using MiniVmm.Measurement;

namespace MiniVmm.Tests.Measurement;

/// <summary>Exactly as many samples as were asked for, whatever the rounds.</summary>
public sealed class MeasurementSettingsTests
{
    [Theory]
    [InlineData("pio-out", 500, 3, 500)]
    [InlineData("rep-outs", 500, 3, 500)]
    [InlineData("immediate-exit", 11, 4, 11)]
    [InlineData("kick", 500, 3, 50)]
    [InlineData("hlt-irqfd", 21, 10, 3)]
    public void The_rounds_samples_are_those_asked_for(string name, int count, int rounds, int samples)
    {
        ExitLoop loop = ExitLoop.All.Single(loop => loop.Name == name);
        MeasurementSettings settings = new() { Loops = [loop], Count = count, Rounds = rounds };
        int[] each = [.. Enumerable.Range(0, rounds).Select(round => settings.Samples(loop, round))];

        Assert.Equal(samples, each.Sum());
        Assert.True(each.Max() - each.Min() <= 1);
        Assert.All(
            Enumerable.Range(0, rounds),
            round => Assert.True(settings.SampleTurns(loop, round) * loop.MostExits >= each[round]));
    }
}
