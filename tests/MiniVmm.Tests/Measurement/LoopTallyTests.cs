using MiniVmm.Measurement;

namespace MiniVmm.Tests.Measurement;

public sealed class LoopTallyTests
{
    private const int Turns = 100;

    [Fact]
    public void Counts_that_agree_leave_nothing_to_remark()
    {
        LoopResult result = Counted("hlt-irqfd", returns: 101, Kernel(101, Turns));

        Assert.Equal([new("fpu_reload", 101, 101), new("halt_exits", Turns, Turns, AtMost: true)], result.Checks);
        Assert.All(result.Checks, check => Assert.True(check.Agrees));
        Assert.Empty(result.Remarks);
        Assert.Equal(Turns, result.Turns);
    }

    [Fact]
    public void The_OUT_at_the_end_is_one_more_where_the_kernel_counts_port_exits()
    {
        LoopResult result = Counted("pio-out", returns: 101, Kernel(101, 101));

        Assert.Equal(new("io_exits", 101, 101), result.Checks[1]);
    }

    [Theory]
    [InlineData(102, 100, "the kernel counted 102 fpu_reload, and the loop 101: do not use these figures")]
    [InlineData(101, 99, "the kernel counted 99 mmio_exits, and the loop 100: do not use these figures")]
    public void Counts_that_disagree_are_remarked(long returns, long own, string remark)
    {
        LoopResult result = Counted("mmio-write", returns: 101, Kernel(returns, own));

        KernelCheck check = Assert.Single(result.Checks, check => check.Agrees == false);
        Assert.NotEqual(check.Expected, check.Counted);
        Assert.Equal(remark, Assert.Single(result.Remarks));
    }

    [Fact]
    public void A_counter_that_never_moved_is_not_kept_and_proves_nothing()
    {
        LoopResult result = Counted("pio-in", returns: 101, Kernel(101, 0));

        Assert.Equal(new("io_exits", 101, null), result.Checks[1]);
        Assert.Null(result.Checks[1].Agrees);
        Assert.Empty(result.Remarks);
    }

    [Theory]
    [InlineData(100, true)]
    [InlineData(97, true)]
    [InlineData(101, false)]
    public void Halts_may_be_fewer_than_interrupts_since_one_can_come_before_the_halt(long halts, bool agrees) =>
        Assert.Equal(agrees, Counted("hlt-irqfd", returns: 101, Kernel(101, halts)).Checks[1].Agrees);

    [Fact]
    public void A_loop_that_failed_later_shows_nothing_of_what_it_had()
    {
        LoopTally tally = Tally("cpuid");
        tally.BeginRound();
        tally.Record(10);
        tally.EndRound();
        tally.Missing = "it failed";

        LoopResult result = tally.Result();

        Assert.Equal(0, result.Latency.Count);
        Assert.Equal("it failed", result.Missing);
    }

    [Fact]
    public void Returns_that_the_kernel_did_not_count_at_all_disagree()
    {
        LoopResult result = Counted("cpuid", returns: 1, Kernel(0, null));

        Assert.False(Assert.Single(result.Checks).Agrees);
    }

    [Fact]
    public void Without_statistics_nothing_is_checked()
    {
        LoopResult result = Counted("kick", returns: 100, Kernel(null, null));

        Assert.Equal([new("fpu_reload", 100, null), new("signal_exits", Turns, null)], result.Checks);
        Assert.All(result.Checks, check => Assert.Null(check.Agrees));
        Assert.Empty(result.Remarks);
    }

    [Fact]
    public void Runs_add_up()
    {
        LoopTally tally = Tally("mmio-read");

        tally.Count(new(11, Kernel(11, 10), 24, 11), 10);
        tally.Count(new(21, Kernel(21, 20), 8, 21), 20);

        LoopResult result = tally.Result();
        Assert.Equal([new("fpu_reload", 32, 32), new("mmio_exits", 30, 30)], result.Checks);
        Assert.Equal(30, result.Turns);
        Assert.Equal(32, result.AllocatedBytes);
    }

    [Fact]
    public void Of_halts_it_is_told_how_many_were_polled_through()
    {
        LoopResult halted = Counted("hlt-irqfd", returns: 101, Kernel(101, Turns, polled: 90, slept: 10));
        LoopResult other = Counted("cpuid", returns: 1, Kernel(1, null, polled: 90, slept: 10));

        Assert.Equal(
            "KVM was still polling when 90 of the interrupts came (halt_poll_ns), and slept when 10 did",
            Assert.Single(halted.Remarks));
        Assert.Empty(other.Remarks);
    }

    [Fact]
    public void Allocated_bytes_are_remarked()
    {
        LoopTally tally = Tally("cpuid");
        tally.Count(new(1, Kernel(1, null), 24, 1), Turns);

        LoopResult result = tally.Result();

        Assert.Equal(24, result.AllocatedBytes);
        Assert.Equal("24 bytes were allocated inside the loop", Assert.Single(result.Remarks));
    }

    [Fact]
    public void Each_round_gives_a_median_and_all_samples_count_for_the_distribution()
    {
        LoopTally tally = Tally("cpuid", nanosecondsPerTick: 0.5);
        foreach (long[] round in (long[][])[[100, 200, 900], [], [400]])
        {
            tally.BeginRound();
            foreach (long ticks in round)
                tally.Record(ticks);
            tally.EndRound();
        }

        LoopResult result = tally.Result();

        Assert.Equal([100, 200], result.RoundMedians);
        Assert.Equal(4, result.Latency.Count);
        Assert.Equal((50, 450), (result.Latency.Min, result.Latency.Max));
        Assert.Empty(result.Checks); // nothing was counted
    }

    [Theory]
    [InlineData("")]
    [InlineData("", 100L)]
    [InlineData("", 100L, 105L, 110L)]
    [InlineData("17 %", 100L, 120L, 140L)]
    public void Rounds_far_apart_are_remarked(string spread, params long[] rounds)
    {
        LoopTally tally = Tally("cpuid");
        foreach (long median in rounds)
        {
            tally.BeginRound();
            tally.Record(median);
            tally.EndRound();
        }

        string[] expected = spread.Length == 0 ? [] :
        [
            $"the medians of the rounds differ by {spread} from quartile to quartile: "
                + "the machine was not quiet, and the figure means little",
        ];
        Assert.Equal(expected, tally.Result().Remarks);
    }

    [Fact]
    public void A_split_is_there_only_where_exits_were_split()
    {
        LoopTally tally = Tally("pio-out");
        Assert.Null(tally.Result().Split);

        tally.RecordSplit(new ExitTimes { In = 1000, Out = 1500, Decoded = 1520, Served = 1560 }, next: 1590);

        ExitSplit? split = tally.Result().Split;
        Assert.NotNull(split);
        Assert.Equal(
            [500, 20, 40, 30, 90],
            new[] { split.KvmRun, split.Decode, split.Serve, split.Loop, split.Own }.Select(part => part.Max));
    }

    [Theory]
    [InlineData("pio-out", true)]
    [InlineData("cpuid", false)]
    public void The_guests_clock_is_beside_the_hosts_alone(string loop, bool there)
    {
        LoopTally tally = Tally(loop);
        tally.RecordGuest(70);

        Assert.Equal(there, tally.Result().Guest is { Count: 1, Max: 70 });
    }

    [Fact]
    public void Of_a_loop_that_is_missing_only_that_is_said()
    {
        LoopTally tally = Tally("mmio-write");
        tally.Count(new(101, Kernel(102, 99), 24, 101), Turns);
        tally.Missing = "this KVM has none";

        LoopResult result = tally.Result();

        Assert.Equal("this KVM has none", result.Missing);
        Assert.Equal("not measured: this KVM has none", Assert.Single(result.Remarks));
    }

    private static LoopTally Tally(string loop, double nanosecondsPerTick = 1) =>
        new(ExitLoop.All.Single(each => each.Name == loop), nanosecondsPerTick);

    private static KernelCounts Kernel(long? returns, long? own, long? polled = null, long? slept = null) =>
        new(returns, own, polled, slept);

    private static LoopResult Counted(string loop, long returns, KernelCounts kernel)
    {
        LoopTally tally = Tally(loop);
        tally.Count(new((int)returns, kernel, 0, returns), Turns);
        return tally.Result();
    }
}
