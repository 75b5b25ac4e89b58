using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Hosting;
using MiniVmm.Kvm;
using MiniVmm.Tests;

namespace MiniVmm.Guest.Tests;

/// <summary>Real guests as services of a .NET host.</summary>
public sealed class HostingTests : IClassFixture<UsableKvm>
{
    [Fact]
    public async Task Machines_of_a_configuration_run_and_end_each_in_its_way()
    {
        MemoryLog log = new();
        using IHost host = Build(
            log, ("hello:Kernel", Built.Guest("hello.elf")), ("code:Kernel", Built.Guest("exit-code.elf")), ("code:Append", "21"));
        Task[] ended = [EndOf(host, "hello"), EndOf(host, "code")];

        await host.StartAsync(TestContext.Current.CancellationToken);
        await Task.WhenAll(ended);

        IHostedVirtualMachine hello = Machine(host, "hello");
        IHostedVirtualMachine code = Machine(host, "code");
        Assert.Equal((MachineState.Stopped, StopKind.PowerOff), (hello.State, hello.LastEnd?.Kind));
        Assert.Equal((MachineState.Failed, new StopReason(StopKind.DebugExit, 21)), (code.State, code.LastEnd));
        Assert.Contains("hello: ok", log.Of("MiniVmm.hello.Console"));
        Assert.Contains("exit-code: ok", log.Of("MiniVmm.code.Console"));
        await host.StopAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_guest_that_crashes_comes_back_by_its_policy_and_is_gone_with_the_host()
    {
        MemoryLog log = new();
        using IHost host = Build(
            log, ("crash:Kernel", Built.Guest("crash.elf")), ("crash:Restart", "on-failure"), ("crash:RestartDelay", "0.01"),
            ("crash:MaxRestartDelay", "0.01"));
        IHostedVirtualMachine crash = Machine(host, "crash");

        await host.StartAsync(TestContext.Current.CancellationToken);
        await Eventually.UntilAsync(() => crash.Restarts >= 3);
        Assert.Equal(StopKind.Crash, crash.LastEnd?.Kind); // whichever run is next, and may be interrupted
        await host.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(MachineState.Stopped, crash.State);
        Assert.Null(crash.Machine);
        Assert.InRange(
            log.Of("MiniVmm.crash.Console").Count(line => line.StartsWith("crash: triple fault", StringComparison.Ordinal)),
            3, int.MaxValue);
        Assert.Contains(log.Of("MiniVmm.crash"), line => line == "crash: failed: Crash 0");
    }

    [Fact]
    public async Task A_guest_that_spins_is_hung_until_it_is_paused_and_ends_with_the_host()
    {
        MemoryLog log = new();
        using IHost host = Build(
            log, ("spin:Kernel", Built.Guest("crash.elf")), ("spin:Append", "hang"), ("spin:HungAfter", "0.2"));
        IHostedVirtualMachine spin = Machine(host, "spin");
        HealthCheckService health = host.Services.GetRequiredService<HealthCheckService>();
        await host.StartAsync(TestContext.Current.CancellationToken);
        await Eventually.UntilAsync(() => log.Of("MiniVmm.spin.Console").Contains("crash: endless loop"));

        // A KVM that emulates counts exits of its own while a guest spins: none seems hung there.
        if (EmulatedSupervisor.IsOn(new HostFiles()))
        {
            Assert.Equal((HealthStatus.Healthy, "running"), await CheckAsync());
        }
        else
        {
            await Eventually.UntilAsync(async () => await CheckAsync() is (HealthStatus.Unhealthy, _));
            Assert.StartsWith("hung: vCPU 0 has neither exited nor halted for ", (await CheckAsync()).Text, StringComparison.Ordinal);
        }

        await spin.PauseAsync();
        Assert.Equal((HealthStatus.Healthy, "paused"), await CheckAsync());
        await host.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal((MachineState.Stopped, StopKind.Interrupted), (spin.State, spin.LastEnd?.Kind));
        Assert.Contains("spin: the guest does not listen to the power button and is stopped", log.Of("MiniVmm.spin"));

        async Task<(HealthStatus Status, string? Text)> CheckAsync()
        {
            HealthReport report = await health.CheckHealthAsync(TestContext.Current.CancellationToken);
            return (report.Entries["spin"].Status, report.Entries["spin"].Description);
        }
    }

    [Fact]
    public async Task A_machine_that_runs_is_traced_into_its_hosts_log_for_a_while()
    {
        MemoryLog log = new();
        using IHost host = Build(log, ("loop:Kernel", Built.Guest("crash.elf")), ("loop:Append", "loop-io"));
        await host.StartAsync(TestContext.Current.CancellationToken);
        await Eventually.UntilAsync(() => log.Of("MiniVmm.loop.Console").Contains("crash: endless writes to port 0x80"));

        Machine(host, "loop").Machine!.StartTrace("io,port=0x80,limit=3", null);
        await Eventually.UntilAsync(() => log.Of("MiniVmm.loop.Trace").Count() == 4);
        Machine(host, "loop").Machine!.StopTrace();
        await host.StopAsync(TestContext.Current.CancellationToken);

        Assert.All(log.Of("MiniVmm.loop.Trace").Skip(1), line => Assert.Contains("io 80 <- ", line));
    }

    private static IHost Build(MemoryLog log, params (string Key, string Value)[] values)
    {
        HostApplicationBuilder builder = new(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(
            values.Select(row => KeyValuePair.Create($"VirtualMachines:{row.Key}", (string?)row.Value)));
        builder.Services.AddVirtualMachines(builder.Configuration);
        builder.Services.AddSingleton<ILoggerProvider>(log);
        IHealthChecksBuilder checks = builder.Services.AddHealthChecks();
        foreach (string name in values.Select(row => row.Key.Split(':')[0]).Distinct())
            checks.AddVirtualMachine(name);
        return builder.Build();
    }

    private static IHostedVirtualMachine Machine(IHost host, string name) =>
        host.Services.GetRequiredKeyedService<IHostedVirtualMachine>(name);

    private static Task EndOf(IHost host, string name)
    {
        TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Machine(host, name).StateChanged += (_, state) =>
        {
            if (state is MachineState.Stopped or MachineState.Failed)
                ended.TrySetResult();
        };
        return ended.Task.WaitAsync(Transcript.Deadline, TestContext.Current.CancellationToken);
    }
}
