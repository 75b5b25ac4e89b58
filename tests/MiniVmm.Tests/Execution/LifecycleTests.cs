using MiniVmm.Execution;
using MiniVmm.Host;

namespace MiniVmm.Tests.Execution;

public sealed class LifecycleTests
{
    [Fact]
    public void A_machine_runs_until_it_is_given_a_reason()
    {
        using Lifecycle lifecycle = new();

        Assert.False(lifecycle.IsStopping);
        Assert.Equal(StopKind.None, lifecycle.Reason.Kind);
        lifecycle.PowerOff();

        Assert.True(lifecycle.IsStopping);
        Assert.Equal(new StopReason(StopKind.PowerOff), lifecycle.Reason);
        Assert.Equal(lifecycle.Reason, lifecycle.Wait(null));
    }

    [Fact]
    public void The_first_reason_is_kept()
    {
        using Lifecycle lifecycle = new();

        lifecycle.DebugExit(uint.MaxValue);
        lifecycle.Reset();
        lifecycle.Stop(new(StopKind.Crash, 3));

        Assert.Equal(new StopReason(StopKind.DebugExit, uint.MaxValue), lifecycle.Wait(TimeSpan.Zero));
    }

    [Theory]
    [InlineData(StopKind.PowerOff, Errno.EFBIG, StopKind.OutputClosed)]
    [InlineData(StopKind.Reset, Errno.ENOSPC, StopKind.OutputClosed)]
    [InlineData(StopKind.PowerOff, Errno.EPIPE, StopKind.PowerOff)]
    [InlineData(StopKind.DebugExit, Errno.EFBIG, StopKind.DebugExit)]
    [InlineData(StopKind.Crash, Errno.EFBIG, StopKind.Crash)]
    public void Text_that_is_lost_after_a_good_end_makes_it_a_bad_one(StopKind first, int error, StopKind kept)
    {
        using Lifecycle lifecycle = new();

        lifecycle.Stop(new(first));
        lifecycle.Stop(new(StopKind.OutputClosed, (uint)error));

        Assert.Equal(kept, lifecycle.Reason.Kind);
    }

    [Fact]
    public void Of_many_threads_that_stop_at_once_one_wins_and_all_agree_on_it()
    {
        for (int round = 0; round < 50; round++)
        {
            using Lifecycle lifecycle = new();
            using Barrier start = new(4);
            StopReason[] seen = new StopReason[4];
            Thread[] threads = [.. Enumerable.Range(0, 4).Select(i => new Thread(() =>
            {
                start.SignalAndWait();
                lifecycle.Stop(new(StopKind.Crash, (uint)i + 1));
                seen[i] = lifecycle.Reason;
            }))];
            foreach (Thread thread in threads)
                thread.Start();
            StopReason reason = lifecycle.Wait(null);
            foreach (Thread thread in threads)
                thread.Join();

            Assert.InRange(reason.Value, 1u, 4u);
            Assert.All(seen, other => Assert.Equal(reason, other));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void When_the_timeout_runs_out_that_is_the_reason(int milliseconds)
    {
        using Lifecycle lifecycle = new();

        Assert.Equal(StopKind.Timeout, lifecycle.Wait(TimeSpan.FromMilliseconds(milliseconds)).Kind);
        Assert.True(lifecycle.IsStopping);
        lifecycle.PowerOff();
        Assert.Equal(StopKind.Timeout, lifecycle.Reason.Kind);
    }

    [Fact]
    public void A_stop_from_another_thread_ends_a_wait_with_or_without_a_timeout()
    {
        TimeSpan?[] timeouts = [null, TimeSpan.FromDays(1), TimeSpan.FromDays(10_000), TimeSpan.MaxValue];
        foreach (TimeSpan? timeout in timeouts)
        {
            using Lifecycle lifecycle = new();
            Thread thread = new(lifecycle.Reset);
            thread.Start();

            Assert.Equal(StopKind.Reset, lifecycle.Wait(timeout).Kind);
            thread.Join();
        }
    }

    [Fact]
    public async Task A_run_ends_with_what_it_gives_or_throws_and_there_is_one()
    {
        using Lifecycle lifecycle = new();
        using Lifecycle failing = new();
        using CancellationTokenSource cancel = new();

        Task<StopReason> run = lifecycle.RunAsync(() => lifecycle.Wait(null), cancel.Token);
        Assert.Throws<InvalidOperationException>(() => { _ = lifecycle.RunAsync(() => default, default); });
        await cancel.CancelAsync();

        Assert.Equal(StopKind.Interrupted, (await run).Kind);
        lifecycle.JoinRun();
        await Assert.ThrowsAsync<HostLimitException>(
            () => failing.RunAsync(() => throw new HostLimitException("no thread"), default));
    }

    [Fact]
    public void A_loop_that_is_watched_is_asked_to_come_out_at_the_end_also_where_that_was_before()
    {
        using Lifecycle lifecycle = new();
        Attention before = new();
        Attention after = new();
        lifecycle.Watch(before);
        Assert.False(before.IsWanted);

        lifecycle.PowerOff();
        lifecycle.Watch(after);

        Assert.True(before.IsWanted);
        Assert.True(after.IsWanted);
    }
}
