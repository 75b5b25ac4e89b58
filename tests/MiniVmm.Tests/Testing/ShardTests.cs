using CsCheck;
using MiniVmm.Testing;

namespace MiniVmm.Tests.Testing;

public sealed class ShardTests
{
    [Fact]
    public void Every_test_is_in_exactly_one_shard() =>
        Gen.Select(Gen.Int[0, 200], Gen.Int[1, 50]).Sample((tests, count) =>
        {
            TestCase[] all = [.. Enumerable.Range(0, tests).Select(i => new TestCase { Name = $"{i:d4}" })];
            TestCase[][] parts = [.. Enumerable.Range(1, count).Select(index => new Shard(index, count).Of(all).ToArray())];
            return parts.SelectMany(part => part).OrderBy(test => test.Name).SequenceEqual(all)
                && parts.Max(part => part.Length) - parts.Min(part => part.Length) <= 1;
        });

    [Theory]
    [InlineData("1/1", 1, 1)]
    [InlineData("2/4", 2, 4)]
    [InlineData("100000/100000", 100_000, 100_000)]
    public void I_of_N_is_read(string text, int index, int count)
    {
        Assert.True(Shard.TryParse(text, out Shard shard));
        Assert.Equal(new(index, count), shard);
        Assert.Equal(text, shard.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("0/4")]
    [InlineData("5/4")]
    [InlineData("1/0")]
    [InlineData("-1/4")]
    [InlineData("1/4/4")]
    [InlineData("a/b")]
    [InlineData("1/100001")]
    [InlineData("99999999999/99999999999")]
    [InlineData(" 1/4")]
    public void What_is_no_shard_is_refused(string text) => Assert.False(Shard.TryParse(text, out _));

    [Theory]
    [InlineData("SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=3 SLURM_ARRAY_TASK_STEP=1", "1/4")]
    [InlineData("SLURM_ARRAY_TASK_ID=3 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=3 SLURM_ARRAY_TASK_STEP=1", "4/4")]
    [InlineData("SLURM_ARRAY_TASK_ID=5 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=7 SLURM_ARRAY_TASK_STEP=2", "3/4")]
    [InlineData("SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=4", "3/4")]
    [InlineData("SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_COUNT=1 SLURM_ARRAY_TASK_MIN=7 SLURM_ARRAY_TASK_MAX=7", "1/1")]
    [InlineData("JOB_COMPLETION_INDEX=0 N=4", "1/4")]
    [InlineData("JOB_COMPLETION_INDEX=3 N=4", "4/4")]
    [InlineData("CI_NODE_INDEX=1 CI_NODE_TOTAL=3", "1/3")]
    [InlineData("CI_NODE_INDEX=3 CI_NODE_TOTAL=3", "3/3")]
    [InlineData("CI_NODE_TOTAL=1", null)]
    [InlineData("SLURM_JOB_ID=12", null)]
    [InlineData("", null)]
    public void The_environment_says_which_part_this_is(string variables, string? shard) =>
        Assert.Equal(shard, Find(variables)?.Shard.ToString());

    [Theory]
    [InlineData("SLURM_ARRAY_TASK_ID=4 SLURM_ARRAY_TASK_COUNT=4 SLURM_ARRAY_TASK_MIN=0", "SLURM_ARRAY_TASK_ID: it makes part 5 of 4")]
    [InlineData("SLURM_ARRAY_TASK_ID=5 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=9 SLURM_ARRAY_TASK_STEP=1", "not evenly spaced (3 from 1 to 9 by 1)")]
    [InlineData("SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=3 SLURM_ARRAY_TASK_STEP=0", "not evenly spaced")]
    [InlineData("SLURM_ARRAY_TASK_ID=0", "SLURM_ARRAY_TASK_COUNT is not set")]
    [InlineData("SLURM_ARRAY_TASK_ID=x SLURM_ARRAY_TASK_COUNT=4", "SLURM_ARRAY_TASK_ID x: not a number")]
    [InlineData("JOB_COMPLETION_INDEX=0", "give the number of shards")]
    [InlineData("JOB_COMPLETION_INDEX=4 N=4", "JOB_COMPLETION_INDEX: it makes part 5 of 4")]
    [InlineData("CI_NODE_INDEX=0 CI_NODE_TOTAL=3", "CI_NODE_INDEX: it makes part 0 of 3")]
    [InlineData("CI_NODE_INDEX=1", "CI_NODE_TOTAL is not set")]
    [InlineData("CI_NODE_INDEX=1 CI_NODE_TOTAL=3 JOB_COMPLETION_INDEX=0 N=4", "JOB_COMPLETION_INDEX and CI_NODE_INDEX are both set")]
    public void An_environment_that_makes_no_sense_is_an_error(string variables, string message) =>
        Assert.Contains(message, Assert.Throws<BadInputException>(() => Find(variables)).Message, StringComparison.Ordinal);

    private static NamedShard? Find(string variables)
    {
        Dictionary<string, string> set = variables.Split(' ', StringSplitOptions.RemoveEmptyEntries)
            .Select(word => word.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
        return ShardEnvironment.Find(set.GetValueOrDefault, set.TryGetValue("N", out string? count) ? int.Parse(count) : null);
    }
}
