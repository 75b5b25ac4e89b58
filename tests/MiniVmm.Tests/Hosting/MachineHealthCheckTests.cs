using Microsoft.Extensions.Diagnostics.HealthChecks;
using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Hosting;

namespace MiniVmm.Tests.Hosting;

public sealed class MachineHealthCheckTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task A_vcpu_that_neither_exits_nor_halts_for_so_long_is_hung()
    {
        await using HostedMachine web = new(new() { HungAfter = Minute });
        FakeRun run = await web.StartAsync();
        MachineHealthCheck check = new(web.Service, web, web.Time);

        run.Progress = [new(10, Waits: true), new(20, Waits: false)];
        Assert.Equal((HealthStatus.Healthy, "running"), await AskAsync(check));
        web.Time.Advance(Minute / 2);
        Assert.Equal((HealthStatus.Healthy, "running"), await AskAsync(check));
        web.Time.Advance(Minute / 2);

        Assert.Equal(
            (HealthStatus.Unhealthy, "hung: vCPU 1 has neither exited nor halted for 60 s"), await AskAsync(check));
    }

    [Fact]
    public async Task An_exit_or_a_halt_is_a_sign_of_life()
    {
        await using HostedMachine web = new(new() { HungAfter = Minute });
        FakeRun run = await web.StartAsync();
        MachineHealthCheck check = new(web.Service, web, web.Time);

        foreach (VcpuProgress progress in new VcpuProgress[] { new(1, false), new(2, false), new(2, true), new(2, false) })
        {
            run.Progress = [progress];
            Assert.Equal((HealthStatus.Healthy, "running"), await AskAsync(check));
            web.Time.Advance(Minute);
        }
    }

    [Fact]
    public async Task The_time_of_a_pause_does_not_count()
    {
        await using HostedMachine web = new(new() { HungAfter = Minute });
        FakeRun run = await web.StartAsync();
        run.Progress = [new(1, false)];
        MachineHealthCheck check = new(web.Service, web, web.Time);
        await AskAsync(check);

        await web.Service.PauseAsync();
        web.Time.Advance(10 * Minute);
        Assert.Equal((HealthStatus.Healthy, "paused"), await AskAsync(check));
        await web.Service.ResumeAsync();

        Assert.Equal((HealthStatus.Healthy, "running"), await AskAsync(check));
    }

    [Fact]
    public async Task Without_the_kernel_s_figures_nothing_is_called_hung()
    {
        await using HostedMachine web = new(new() { HungAfter = Minute });
        await web.StartAsync();
        MachineHealthCheck check = new(web.Service, web, web.Time);
        await AskAsync(check);
        web.Time.Advance(10 * Minute);

        Assert.Equal((HealthStatus.Healthy, "running"), await AskAsync(check));
    }

    [Fact]
    public async Task A_crash_is_unhealthy_and_a_shutdown_is_not()
    {
        await using HostedMachine web = new();
        MachineHealthCheck check = new(web.Service, web, web.Time);
        Assert.Equal((HealthStatus.Degraded, "stopped"), await AskAsync(check));

        FakeRun run = await web.StartAsync();
        Task failed = web.NextAsync(MachineState.Failed);
        run.End(StopKind.Crash);
        await failed;

        Assert.Equal((HealthStatus.Unhealthy, "failed: Crash"), await AskAsync(check));
    }

    [Fact]
    public async Task A_machine_between_two_runs_is_degraded()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.OnFailure });
        FakeRun run = await web.StartAsync();
        Task waiting = web.NextAsync(MachineState.Restarting);
        run.End(StopKind.Crash);
        await waiting;

        Assert.Equal(
            (HealthStatus.Degraded, "ended, and restarts soon"),
            await AskAsync(new(web.Service, web, web.Time)));
    }

    [Fact]
    public async Task What_the_last_run_did_is_not_held_against_the_next()
    {
        await using HostedMachine web = new(new() { HungAfter = Minute, Restart = RestartPolicy.Always });
        MachineHealthCheck check = new(web.Service, web, web.Time);
        FakeRun run = await web.StartAsync();
        run.Progress = [new(1, false)];
        await AskAsync(check);
        web.Time.Advance(Minute);
        Task waiting = web.NextAsync(MachineState.Restarting);
        run.End(StopKind.PowerOff);
        await waiting;
        Task running = web.NextAsync(MachineState.Running);
        web.Time.Advance(Minute);
        await running;
        (await web.Machines.NextAsync()).Progress = [new(1, false)];

        Assert.Equal((HealthStatus.Healthy, "running"), await AskAsync(check));
    }

    [Fact]
    public async Task A_machine_that_cannot_be_started_says_why_and_not_how_it_ended_before()
    {
        await using HostedMachine web = new();
        MachineHealthCheck check = new(web.Service, web, web.Time);
        FakeRun run = await web.StartAsync();
        Task stopped = web.NextAsync(MachineState.Stopped);
        run.End(StopKind.PowerOff);
        await stopped;
        web.Machines.Problems.Enqueue(new BadInputException($"{OptionName.Disk.With("a.img")}: is locked"));

        await Assert.ThrowsAsync<BadInputException>(() => web.Service.StartAsync(TestContext.Current.CancellationToken));

        Assert.Equal(
            (HealthStatus.Unhealthy, "could not be started: VirtualMachines:web:Disk a.img: is locked"),
            await AskAsync(check));
    }

    private static async Task<(HealthStatus Status, string? Text)> AskAsync(MachineHealthCheck check)
    {
        HealthCheckResult result = await check.CheckHealthAsync(
            new() { Registration = new("web", check, null, null) }, TestContext.Current.CancellationToken);
        return (result.Status, result.Description);
    }
}
