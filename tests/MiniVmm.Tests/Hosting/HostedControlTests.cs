using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Hosting;

namespace MiniVmm.Tests.Hosting;

/// <summary>What the control socket of a hosted machine sees and does.</summary>
public sealed class HostedControlTests
{
    [Fact]
    public async Task A_machine_that_does_not_run_is_seen_and_says_how_to_start_it()
    {
        await using HostedMachine web = Hosted();
        IControlledMachine control = await ListenAsync(web);

        Assert.Equal(MachineState.Stopped, control.State);
        Assert.Equal(("vmlinuz", 1, (DateTimeOffset?)null), (control.Info.Kernel, control.Info.Vcpus, control.Info.StartedAt));
        foreach (Action ask in new Action[]
        {
            () => control.ReadStatistics(), () => _ = control.Balloon, control.Pause, control.Resume,
            () => control.PressPowerButton(),
        })
            Assert.Equal("it is stopped; start it with 'minivmm ctl web start'", Assert.Throws<BadInputException>(ask).Message);
    }

    [Fact]
    public async Task It_is_started_and_the_running_machine_is_asked()
    {
        await using HostedMachine web = Hosted();
        IControlledMachine control = await ListenAsync(web);

        control.Host!.Start();

        FakeRun run = await web.Machines.NextAsync();
        Assert.Equal(MachineState.Running, control.State);
        Assert.Same(run.Controlled.Info, control.Info);
        Assert.Same(run.Controlled.Statistics, control.ReadStatistics());
        control.SetBalloon(4096);
        Assert.Equal(4096u, control.Balloon?.TargetBytes);
        Assert.True(run.Options.HostListens);
        control.Host.Start();
        Assert.False(web.Machines.TryNext());
    }

    [Fact]
    public async Task What_a_start_fails_for_is_the_answer_and_in_the_log()
    {
        await using HostedMachine web = Hosted();
        IControlledMachine control = await ListenAsync(web);
        web.Machines.Problems.Enqueue(new BadInputException($"{OptionName.Disk.With("a.img")}: is locked"));

        Assert.Equal(
            "VirtualMachines:web:Disk a.img: is locked",
            Assert.Throws<BadInputException>(control.Host!.Start).Message);
        Assert.Contains("web: a command of minivmm ctl failed: VirtualMachines:web:Disk a.img: is locked", web.Log.Texts);
        Assert.Equal(MachineState.Failed, control.State);
    }

    [Fact]
    public async Task A_machine_that_waits_for_its_restart_is_seen_and_started_at_once()
    {
        await using HostedMachine web = Hosted(RestartPolicy.Always);
        IControlledMachine control = await ListenAsync(web);
        FakeRun run = await web.StartAsync();
        Task waiting = web.NextAsync(MachineState.Restarting);
        run.End(StopKind.PowerOff);
        await waiting;
        Assert.Equal(
            "it waits for its restart; 'minivmm ctl web start' starts it now",
            Assert.Throws<BadInputException>(() => control.ReadStatistics()).Message);

        Task running = web.NextAsync(MachineState.Running);
        control.Host!.Start();
        await running;
    }

    [Fact]
    public async Task It_is_paused_resumed_and_shut_down_as_by_the_application()
    {
        await using HostedMachine web = Hosted();
        IControlledMachine control = await ListenAsync(web);
        FakeRun run = await web.StartAsync();

        control.Pause();
        Assert.Equal((true, MachineState.Paused), (run.IsPaused, control.State));
        control.Resume();
        Assert.Equal((false, MachineState.Running), (run.IsPaused, control.State));
        Assert.True(control.PressPowerButton());
        Assert.Equal(MachineState.Stopping, control.State);
        Assert.Equal("it is shutting down", Assert.Throws<BadInputException>(control.Pause).Message);
    }

    [Fact]
    public async Task A_stop_has_begun_when_it_is_answered()
    {
        await using HostedMachine web = Hosted(RestartPolicy.Always);
        IControlledMachine control = await ListenAsync(web);
        FakeRun run = await web.StartAsync();

        control.Stop();

        Assert.Equal((1, MachineState.Stopping), (run.Presses, control.State));
        Task stopped = web.NextAsync(MachineState.Stopped);
        run.End(StopKind.PowerOff);
        await stopped;
    }

    [Fact]
    public async Task A_restart_is_never_seen_as_a_stop()
    {
        await using HostedMachine web = Hosted();
        IControlledMachine control = await ListenAsync(web);
        FakeRun run = await web.StartAsync();

        control.Host!.Restart();
        Assert.Equal((1, MachineState.Stopping), (run.Presses, control.State));
        Task running = web.NextAsync(MachineState.Running);
        run.End(StopKind.PowerOff);
        await running;

        Assert.DoesNotContain(MachineState.Stopped, web.States);
        while (control.Host.Restarts == 0)
            await Task.Delay(1, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task The_name_is_the_hosts_from_before_the_first_start_to_after_the_last_end()
    {
        await using HostedMachine web = Hosted();
        await ListenAsync(web);
        FakeRun run = await web.StartAsync();
        run.OnPress = pressed => pressed.End(StopKind.PowerOff);

        await web.Service.StoppingAsync(TestContext.Current.CancellationToken);
        await web.Service.StopAsync(TestContext.Current.CancellationToken);
        Assert.Contains("web", web.Machines.Sockets.Keys);
        await web.Service.StoppedAsync(TestContext.Current.CancellationToken);

        Assert.Empty(web.Machines.Sockets);
    }

    [Fact]
    public async Task A_name_that_another_machine_has_is_told_in_the_words_of_the_configuration()
    {
        await using HostedMachine web = Hosted();
        using IDisposable other = web.Machines.Listen("web", new Control.FakeMachine());

        Assert.Equal(
            "VirtualMachines:web:Name web: is taken",
            Assert.Throws<BadInputException>(() => { _ = web.Service.StartingAsync(TestContext.Current.CancellationToken); })
                .Message);
    }

    private static HostedMachine Hosted(RestartPolicy restart = RestartPolicy.Never) => new(new()
    {
        Machine = new() { Kernel = "vmlinuz", Name = "web" },
        Restart = restart,
    });

    private static async Task<IControlledMachine> ListenAsync(HostedMachine web)
    {
        await web.Service.StartingAsync(TestContext.Current.CancellationToken);
        return web.Machines.Sockets["web"];
    }
}
