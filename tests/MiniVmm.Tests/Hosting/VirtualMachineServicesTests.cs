using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using MiniVmm.Configuration;
using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Hosting;
using MiniVmm.Memory;
using MiniVmm.Terminal;
using MiniVmm.Tests.Boot;

namespace MiniVmm.Tests.Hosting;

public sealed class VirtualMachineServicesTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("minivmm-test-").FullName;
    private readonly FakeMachines _machines = new();

    private string Kernel => Path.Combine(_directory, "kernel");

    public VirtualMachineServicesTests() => File.WriteAllBytes(Kernel, MultibootFiles.Elf().Build());

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void A_machine_is_read_from_the_configuration_in_the_spellings_of_the_command_line()
    {
        VirtualMachineOptions options = Read(
            ("Kernel", Kernel), ("Smp", "4,cores=2"), ("mem", "64M"), ("mem-path", "/dev/shm"), ("MemPrealloc", "True"),
            ("Disk:0", "a.img"), ("Disk:1", "b.img,ro"), ("Net", "user"), ("Console", "none"), ("Timeout", "90"),
            ("Device:0", "vfio=01:00.0"), ("Device:1", "vfio=02:00.0"),
            ("Restart", "on-failure"), ("RestartDelay", "0.5"), ("MaxRestartDelay", "20"), ("StableAfter", "30"),
            ("Patience", "45"), ("HungAfter", "600"));

        Assert.Equal("web", options.Machine.Name);
        Assert.Equal(TopologyText.Parse("4,cores=2"), options.Machine.Topology);
        Assert.Equal(new MemoryOptions(64 * MemoryLayout.MiB, "/dev/shm", Prealloc: true), options.Machine.Memory);
        Assert.Equal([("a.img", false), ("b.img", true)], options.Machine.Disks.Select(disk => (disk.File, disk.ReadOnly)));
        Assert.Single(options.Machine.Nets);
        Assert.Equal([1, 2], options.Machine.Passthrough.Select(device => (int)device.Host.Bus));
        Assert.Equal((ConsoleKind.None, false), (options.Machine.Console, options.LogConsole));
        Assert.Equal(RestartPolicy.OnFailure, options.Restart);
        Assert.Equal(
            [0.5, 20, 30, 45, 600, 90],
            new[]
            {
                options.RestartDelay, options.MaxRestartDelay, options.StableAfter, options.Patience, options.HungAfter,
                Assert.NotNull(options.Timeout),
            }.Select(time => time.TotalSeconds));
    }

    [Theory]
    [InlineData("Smp", "3,cores=2", "VirtualMachines:web:Smp 3,cores=2: ")]
    [InlineData("Kernle", "a", "VirtualMachines:web:Kernle: there is no such option; is it Kernel?")]
    [InlineData("Restart", "often", "VirtualMachines:web:Restart: often is no policy; write never, on-failure or always")]
    [InlineData("Patience", "long", "VirtualMachines:web:Patience: long is not a number of seconds, such as 10 or 0.5")]
    [InlineData("Smp:0", "1", "VirtualMachines:web:Smp: takes one value, as a command line has it")]
    [InlineData("7", "1", "VirtualMachines:web:7: there is no such option; there are Kernel, Initrd, ")]
    [InlineData("MaxRestartDelay", "0.1", "VirtualMachines:web:MaxRestartDelay: is less than RestartDelay")]
    [InlineData("Kernel", "/nonexistent", "VirtualMachines:web:Kernel /nonexistent: ")]
    [InlineData("Pin", "0,1", "VirtualMachines:web:Pin")]
    [InlineData("Name", "a b", "VirtualMachines:web:Name a b: not a valid name; ")]
    public void What_cannot_be_understood_is_named_by_its_key(string key, string value, string message)
    {
        OptionsValidationException e = Assert.Throws<OptionsValidationException>(() => key == "Kernel"
            ? Read((key, value))
            : Read(("Kernel", Kernel), (key, value)));

        Assert.StartsWith(message, Assert.Single(e.Failures), StringComparison.Ordinal);
    }

    [Fact]
    public void All_that_is_wrong_is_said_together()
    {
        OptionsValidationException e = Assert.Throws<OptionsValidationException>(() => Read(("Mem", "much"), ("Smp", "0")));

        Assert.Equal(2, e.Failures.Count());
    }

    [Fact]
    public void A_machine_without_a_kernel_is_refused() => Assert.Equal(
        ["VirtualMachines:web:Kernel: no kernel given"],
        Assert.Throws<OptionsValidationException>(() => Read(("Mem", "64M"))).Failures);

    [Fact]
    public async Task A_host_with_a_bad_machine_starts_none()
    {
        using IHost host = Build(
            services => services.AddVirtualMachine("web").AddVirtualMachine("db", db => db.Set(OptionName.Smp, "none")),
            ("VirtualMachines:web:Kernel", Kernel));

        OptionsValidationException e = await Assert.ThrowsAsync<OptionsValidationException>(() =>
            host.StartAsync(TestContext.Current.CancellationToken));

        Assert.StartsWith("VirtualMachines:db:Smp none: ", e.Message, StringComparison.Ordinal);
        Assert.False(_machines.TryNext());
    }

    [Fact]
    public async Task A_host_starts_all_machines_and_presses_all_buttons_before_it_waits_for_any()
    {
        using IHost host = Build(
            services => services.AddVirtualMachines(Configuration(
                ("VirtualMachines:db:Kernel", Kernel), ("VirtualMachines:web:Kernel", Kernel))),
            ("VirtualMachines:db:Kernel", Kernel), ("VirtualMachines:web:Kernel", Kernel));
        await host.StartAsync(TestContext.Current.CancellationToken);
        FakeRun[] runs = [await _machines.NextAsync(), await _machines.NextAsync()];
        Assert.Equal(["db", "web"], runs.Select(run => run.Options.Name).Order());

        // Neither guest shuts down before both were asked to.
        foreach (FakeRun run in runs)
        {
            run.OnPress = _ =>
            {
                if (runs.All(pressed => pressed.Presses > 0))
                    Array.ForEach(runs, pressed => pressed.End(StopKind.PowerOff));
            };
        }

        await host.StopAsync(TestContext.Current.CancellationToken);

        Assert.All(host.Services.GetServices<IHostedVirtualMachine>(), machine =>
            Assert.Equal((MachineState.Stopped, StopKind.PowerOff), (machine.State, machine.LastEnd?.Kind)));
        Assert.Equal("web", host.Services.GetRequiredKeyedService<IHostedVirtualMachine>("web").Name);
    }

    [Fact]
    public void A_machine_added_twice_is_one_with_both_configurations()
    {
        using IHost host = Build(
            services => services
                .AddVirtualMachine("web", web => web.Set(OptionName.Kernel, Kernel))
                .AddVirtualMachine("web", web => web.Patience = TimeSpan.FromSeconds(7)));

        Assert.Single(host.Services.GetServices<IHostedVirtualMachine>());
        VirtualMachineOptions options = Options(host);
        Assert.Equal((Kernel, 7), (options.Machine.Kernel, options.Patience.TotalSeconds));
    }

    [Fact]
    public void The_host_waits_for_the_most_patient_machine()
    {
        using IHost host = Build(
            services => services.AddVirtualMachine("web").AddVirtualMachine("db"),
            ("VirtualMachines:web:Kernel", Kernel), ("VirtualMachines:db:Kernel", Kernel),
            ("VirtualMachines:db:Patience", "300"));

        Assert.Equal(310, host.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout.TotalSeconds);
    }

    [Fact]
    public async Task A_machine_s_health_is_asked_by_its_name()
    {
        using IHost host = Build(
            services => services.AddVirtualMachine("web").AddHealthChecks().AddVirtualMachine("web"),
            ("VirtualMachines:web:Kernel", Kernel));

        HealthReport report = await host.Services.GetRequiredService<HealthCheckService>()
            .CheckHealthAsync(TestContext.Current.CancellationToken);

        Assert.Equal("stopped", report.Entries["web"].Description);
    }

    private VirtualMachineOptions Read(params (string Key, string Value)[] values)
    {
        using IHost host = Build(
            services => services.AddVirtualMachine("web"),
            [.. values.Select(row => ($"VirtualMachines:web:{row.Key}", row.Value))]);
        return Options(host);
    }

    private static VirtualMachineOptions Options(IHost host) =>
        host.Services.GetRequiredService<IOptionsMonitor<VirtualMachineOptions>>().Get("web");

    private IHost Build(Action<IServiceCollection> add, params (string Key, string Value)[] values)
    {
        HostApplicationBuilder builder = new(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddConfiguration(Configuration(values));
        builder.Services.AddSingleton<IMachineFactory>(_machines);
        add(builder.Services);
        return builder.Build();
    }

    private static IConfiguration Configuration(params (string Key, string Value)[] values) => new ConfigurationBuilder()
        .AddInMemoryCollection(values.Select(row => KeyValuePair.Create(row.Key, (string?)row.Value))).Build();
}
