using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Hosting;
using MiniVmm.Kvm;

namespace MiniVmm.Tests.Hosting;

public sealed class HostedShutdownTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task A_stop_presses_the_power_button_and_no_restart_follows()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.Always });
        FakeRun run = await web.StartAsync();
        run.OnPress = pressed => pressed.End(StopKind.PowerOff);

        await web.Service.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(1, run.Presses);
        Assert.Equal(MachineState.Stopped, web.Service.State);
        Assert.Contains(MachineState.Stopping, web.States);
        Assert.Equal(StopKind.PowerOff, web.Service.LastEnd?.Kind);
        Assert.False(web.Machines.TryNext());
    }

    [Fact]
    public async Task Out_of_patience_a_guest_is_stopped()
    {
        await using HostedMachine web = new(new() { Patience = 30 * Second });
        FakeRun run = await web.StartAsync();

        Task stop = web.Service.StopAsync(TestContext.Current.CancellationToken);
        web.Time.Advance(29 * Second);
        Assert.False(stop.IsCompleted);
        web.Time.Advance(Second);
        await stop;

        Assert.Equal(1, run.Presses);
        Assert.Equal(StopKind.Interrupted, web.Service.LastEnd?.Kind);
        Assert.Contains("web: the guest did not shut down within 30 s and is stopped", web.Log.Texts);
    }

    [Fact]
    public async Task A_guest_that_does_not_listen_is_stopped_at_once()
    {
        await using HostedMachine web = new();
        web.Machines.Listens = false;
        await web.StartAsync();

        await web.Service.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(StopKind.Interrupted, web.Service.LastEnd?.Kind);
        Assert.Contains("web: the guest does not listen to the power button and is stopped", web.Log.Texts);
    }

    [Fact]
    public async Task The_patience_counts_from_when_the_host_began_to_stop()
    {
        await using HostedMachine web = new(new() { Patience = 30 * Second });
        FakeRun run = await web.StartAsync();

        await web.Service.StoppingAsync(TestContext.Current.CancellationToken);
        web.Time.Advance(30 * Second);
        await web.Service.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(1, run.Presses);
        Assert.Equal(MachineState.Stopped, web.Service.State);
    }

    [Fact]
    public async Task A_host_that_cannot_wait_ends_the_patience()
    {
        await using HostedMachine web = new();
        FakeRun run = await web.StartAsync();

        await web.Service.StopAsync(new CancellationToken(canceled: true));

        Assert.Equal(0, run.Presses);
        Assert.Equal(StopKind.Interrupted, web.Service.LastEnd?.Kind);
    }

    [Fact]
    public async Task A_paused_guest_goes_on_to_hear_its_power_button()
    {
        await using HostedMachine web = new();
        FakeRun run = await web.StartAsync();
        await web.Service.PauseAsync();
        Assert.Equal(MachineState.Paused, web.Service.State);
        run.OnPress = pressed =>
        {
            Assert.False(pressed.IsPaused);
            pressed.End(StopKind.PowerOff);
        };

        await web.Service.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(1, run.Presses);
        Assert.Equal(StopKind.PowerOff, web.Service.LastEnd?.Kind);
    }

    [Fact]
    public async Task A_power_button_that_the_guest_does_not_hear_changes_nothing()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.OnFailure });
        web.Machines.Listens = false;
        FakeRun run = await web.StartAsync();

        Assert.False(web.Service.PowerDown());
        Assert.Equal(MachineState.Running, web.Service.State);
        Task waiting = web.NextAsync(MachineState.Restarting);
        run.End(StopKind.Crash);
        await waiting;
    }

    [Fact]
    public async Task A_machine_that_waits_for_its_restart_has_no_power_button_and_restarts()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.Always });
        FakeRun run = await web.StartAsync();
        Task waiting = web.NextAsync(MachineState.Restarting);
        run.End(StopKind.PowerOff);
        await waiting;

        Assert.Throws<InvalidOperationException>(() => web.Service.PowerDown());
        Task running = web.NextAsync(MachineState.Running);
        web.Time.Advance(Second);
        await running;
    }

    [Fact]
    public async Task A_power_button_that_is_pressed_while_the_guest_is_being_paused_is_heard()
    {
        await using HostedMachine web = new();
        FakeRun run = await web.StartAsync();
        run.OnPause = _ => web.Service.PowerDown();

        await web.Service.PauseAsync();

        Assert.False(run.IsPaused);
        Assert.Equal(MachineState.Stopping, web.Service.State);
        await Assert.ThrowsAsync<InvalidOperationException>(web.Service.PauseAsync);
    }

    [Fact]
    public async Task A_shutdown_goes_on_where_a_paused_guest_cannot_be_resumed()
    {
        await using HostedMachine web = new();
        FakeRun run = await web.StartAsync();
        await web.Service.PauseAsync();
        run.OnResume = _ => throw new KvmException("KVM_SET_CLOCK", 22);

        await web.Service.StoppingAsync(TestContext.Current.CancellationToken);
        await web.Service.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal((0, MachineState.Stopped), (run.Presses, web.Service.State));
        Assert.Contains(web.Log.Texts, text =>
            text.StartsWith("web: the power button cannot be pressed, and the guest is stopped: KVM_SET_CLOCK", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Powered_down_it_is_not_restarted_but_can_be_started()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.Always });
        FakeRun run = await web.StartAsync();

        Task stopped = web.NextAsync(MachineState.Stopped);
        Assert.True(web.Service.PowerDown());
        run.End(StopKind.PowerOff);
        await stopped;

        Assert.False(web.Machines.TryNext());
        Assert.NotSame(run, await web.StartAsync());
    }

    [Fact]
    public async Task A_restart_that_the_hosts_end_overtakes_starts_nothing()
    {
        await using HostedMachine web = new();
        FakeRun run = await web.StartAsync();
        Task restart = web.Service.RestartAsync(TestContext.Current.CancellationToken);

        await web.Service.StoppingAsync(TestContext.Current.CancellationToken);
        Task stop = web.Service.StopAsync(TestContext.Current.CancellationToken);
        run.End(StopKind.PowerOff);

        Assert.Equal(
            "web cannot be started: its host is stopping",
            (await Assert.ThrowsAsync<InvalidOperationException>(() => restart)).Message);
        await stop;
        Assert.Equal(MachineState.Stopped, web.Service.State);
        Assert.False(web.Machines.TryNext());
    }

    [Fact]
    public async Task A_host_that_stops_starts_nothing_until_it_starts_again()
    {
        await using HostedMachine web = new();
        await web.Service.StoppingAsync(TestContext.Current.CancellationToken);
        await web.Service.StopAsync(TestContext.Current.CancellationToken);

        await Assert.ThrowsAsync<InvalidOperationException>(() => web.Service.StartAsync(TestContext.Current.CancellationToken));
        await web.Service.StartingAsync(TestContext.Current.CancellationToken);
        await web.StartAsync();
    }

    [Fact]
    public async Task A_machine_that_is_shutting_down_is_not_started()
    {
        await using HostedMachine web = new();
        await web.StartAsync();
        web.Service.PowerDown();

        Assert.Equal(
            "web is shutting down; start it when it has stopped",
            (await Assert.ThrowsAsync<InvalidOperationException>(() =>
                web.Service.StartAsync(TestContext.Current.CancellationToken))).Message);
    }

    [Fact]
    public async Task A_host_that_cannot_wait_ends_the_patience_of_a_stop_that_goes_on_already()
    {
        await using HostedMachine web = new();
        FakeRun run = await web.StartAsync();
        Task patient = web.Service.StopAsync(TestContext.Current.CancellationToken);

        await web.Service.StopAsync(new CancellationToken(canceled: true));

        await patient;
        Assert.Equal((1, StopKind.Interrupted), (run.Presses, web.Service.LastEnd?.Kind));
    }

    [Fact]
    public async Task The_hosts_end_is_the_end_of_a_wait_for_a_restart()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.Always });
        FakeRun run = await web.StartAsync();
        Task waiting = web.NextAsync(MachineState.Restarting);
        run.End(StopKind.PowerOff);
        await waiting;

        Task stopped = web.NextAsync(MachineState.Stopped);
        await web.Service.StoppingAsync(TestContext.Current.CancellationToken);

        await stopped;
    }

    [Fact]
    public async Task A_crash_during_the_shutdown_is_reported()
    {
        await using HostedMachine web = new();
        FakeRun run = await web.StartAsync();
        run.OnPress = pressed => pressed.End(StopKind.Crash);

        await web.Service.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(MachineState.Stopped, web.Service.State);
        Assert.Contains("web: failed: Crash 0", web.Log.Texts);
    }
}
