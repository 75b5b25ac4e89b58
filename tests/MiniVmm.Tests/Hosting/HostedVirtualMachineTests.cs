using Microsoft.Extensions.Logging;
using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Hosting;
using MiniVmm.Terminal;

namespace MiniVmm.Tests.Hosting;

public sealed class HostedVirtualMachineTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task A_machine_starts_runs_and_powers_off_with_a_line_for_each()
    {
        await using HostedMachine web = new(new() { Timeout = 60 * Second });
        FakeRun run = await web.StartAsync();

        Assert.Equal(60 * Second, run.Timeout);
        Task stopped = web.NextAsync(MachineState.Stopped);
        run.End(StopKind.PowerOff);
        await stopped;

        Assert.True(run.IsDisposed);
        Assert.Equal(StopKind.PowerOff, web.Service.LastEnd?.Kind);
        Assert.Equal(["web: started", "web: stopped: PowerOff"], web.Log.Texts);
        Assert.Equal([MachineState.Starting, MachineState.Running, MachineState.Stopped], web.States);
    }

    [Fact]
    public async Task A_crash_is_logged_with_its_report_and_stays_without_a_policy()
    {
        await using HostedMachine web = new();
        FakeRun run = await web.StartAsync();
        run.Report = (OptionMessage)$"vCPU 1 crashed; look at {OptionName.Mem}\n  on its screen: \u001b[2J\n";

        Task failed = web.NextAsync(MachineState.Failed);
        run.End(StopKind.Crash, 1);
        await failed;

        Assert.Contains(web.Log.Entries, entry => entry is
        {
            Level: LogLevel.Error,
            Text: "web: failed: Crash 1",
        });
        Assert.Contains(web.Log.Entries, entry => entry is
        {
            Level: LogLevel.Error,
            Text: "web: vCPU 1 crashed; look at VirtualMachines:web:Mem",
        });
        Assert.Contains("web:   on its screen: \ufffd[2J", web.Log.Texts);
        Assert.False(web.Machines.TryNext());
    }

    [Fact]
    public async Task Restarts_wait_twice_as_long_each_time_and_a_stable_run_forgives_all()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.OnFailure, StableAfter = 100 * Second });
        FakeRun run = await web.StartAsync();

        foreach (int seconds in new[] { 1, 2, 4 })
            run = await CrashAndWaitAsync(seconds);
        web.Time.Advance(100 * Second);
        await CrashAndWaitAsync(1);

        Assert.Equal(4, web.Service.Restarts);

        async Task<FakeRun> CrashAndWaitAsync(int seconds)
        {
            Task waiting = web.NextAsync(MachineState.Restarting);
            run.End(StopKind.Crash);
            await waiting;
            Assert.Equal($"web: restarts in {seconds} s", web.Log.Texts.Last());

            Task running = web.NextAsync(MachineState.Running);
            web.Time.Advance(seconds * Second - TimeSpan.FromMilliseconds(1));
            Assert.Equal(MachineState.Restarting, web.Service.State);
            web.Time.Advance(TimeSpan.FromMilliseconds(1));
            await running;
            return await web.Machines.NextAsync();
        }
    }

    [Fact]
    public async Task A_machine_that_cannot_be_built_again_is_tried_again()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.OnFailure });
        FakeRun run = await web.StartAsync();
        web.Machines.Problems.Enqueue(new HostLimitException($"{OptionName.Mem.With("4G")}: no huge pages"));

        Task waiting = web.NextAsync(MachineState.Restarting);
        run.End(StopKind.Crash);
        await waiting;
        waiting = web.NextAsync(MachineState.Restarting);
        web.Time.Advance(Second);
        await waiting;
        Task running = web.NextAsync(MachineState.Running);
        web.Time.Advance(2 * Second);
        await running;

        Assert.Contains("web: cannot be started: VirtualMachines:web:Mem 4G: no huge pages", web.Log.Texts);
        Assert.Equal(1, web.Service.Restarts);
    }

    [Fact]
    public async Task The_first_start_fails_whoever_starts_it_in_the_words_of_the_configuration()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.Always });
        web.Machines.Problems.Enqueue(new BadInputException($"{OptionName.Disk.With("a.img")}: is locked"));

        BadInputException e = await Assert.ThrowsAsync<BadInputException>(() =>
            web.Service.StartAsync(TestContext.Current.CancellationToken));

        Assert.Equal("VirtualMachines:web:Disk a.img: is locked", e.Message);
        Assert.Equal(MachineState.Failed, web.Service.State);
    }

    [Fact]
    public async Task A_machine_is_paused_and_resumed()
    {
        await using HostedMachine web = new();
        FakeRun run = await web.StartAsync();

        await web.Service.PauseAsync();
        Assert.True(run.IsPaused);
        await web.Service.ResumeAsync();

        Assert.False(run.IsPaused);
        Assert.Equal(["web: started", "web: paused", "web: resumed"], web.Log.Texts);
    }

    [Fact]
    public async Task A_machine_that_does_not_run_can_be_neither_paused_nor_powered_down()
    {
        await using HostedMachine web = new();

        await Assert.ThrowsAsync<InvalidOperationException>(web.Service.PauseAsync);
        Assert.Throws<InvalidOperationException>(() => web.Service.PowerDown());
    }

    [Fact]
    public async Task A_start_does_not_wait_for_the_next_restart()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.Always });
        FakeRun run = await web.StartAsync();
        Task waiting = web.NextAsync(MachineState.Restarting);
        run.End(StopKind.PowerOff);
        await waiting;

        Assert.NotSame(run, await web.StartAsync());
    }

    [Fact]
    public async Task A_stop_ends_the_wait_for_a_restart()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.Always });
        FakeRun run = await web.StartAsync();
        Task waiting = web.NextAsync(MachineState.Restarting);
        run.End(StopKind.PowerOff);
        await waiting;

        await web.Service.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(MachineState.Stopped, web.Service.State);
        Assert.False(web.Machines.TryNext());
    }

    [Fact]
    public async Task A_restart_on_request_is_a_shutdown_and_a_start()
    {
        await using HostedMachine web = new();
        FakeRun run = await web.StartAsync();
        run.OnPress = pressed => pressed.End(StopKind.PowerOff);

        Task running = web.NextAsync(MachineState.Running);
        await web.Service.RestartAsync(TestContext.Current.CancellationToken);
        await running;

        Assert.Equal(1, web.Service.Restarts);
        Assert.Equal(1, run.Presses);
    }

    [Fact]
    public async Task The_console_is_logged_in_a_category_of_the_machine()
    {
        await using HostedMachine web = new();
        FakeRun run = await web.StartAsync();

        run.Console?.Invoke("Linux version 6.12");

        Assert.Contains(("MiniVmm.web.Console", LogLevel.Information, "Linux version 6.12"), web.Log.Entries);
    }

    [Fact]
    public async Task A_console_of_its_own_is_not_logged()
    {
        VirtualMachineOptions options = new();
        options.Set(OptionName.Console, "/dev/null");
        await using HostedMachine web = new(options);

        FakeRun run = await web.StartAsync();

        Assert.Null(run.Console);
        Assert.Equal(ConsoleKind.File, run.Options.Console);
    }

    [Fact]
    public async Task A_machine_is_disposed_of_as_often_as_the_container_likes()
    {
        HostedMachine web = new();
        FakeRun run = await web.StartAsync();

        await web.Service.DisposeAsync();
        await web.Service.DisposeAsync();

        Assert.True(run.IsDisposed);
    }

    [Fact]
    public async Task An_application_that_fails_when_the_state_changes_does_not_end_the_machine()
    {
        await using HostedMachine web = new();
        web.Service.StateChanged += (_, _) => throw new InvalidTimeZoneException();
        FakeRun run = await web.StartAsync();

        Task stopped = web.NextAsync(MachineState.Stopped);
        run.End(StopKind.PowerOff);
        await stopped;

        Assert.Contains("web: the application failed when the state changed", web.Log.Texts);
    }

    [Fact]
    public async Task A_run_that_fails_before_its_guest_starts_is_tried_again_whatever_was_wrong()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.OnFailure });
        FakeRun run = await web.StartAsync();
        web.Machines.Problems.Enqueue(new IOException("disk full"));

        Task waiting = web.NextAsync(MachineState.Restarting);
        run.Fail(new IOException("no space"));
        await waiting;
        waiting = web.NextAsync(MachineState.Restarting);
        web.Time.Advance(Second);
        await waiting;

        Assert.Contains("web: cannot be started: no space", web.Log.Texts);
        Assert.Contains("web: cannot be started: disk full", web.Log.Texts);
    }
}
