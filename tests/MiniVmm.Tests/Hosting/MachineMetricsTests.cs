using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using MiniVmm.Control;
using MiniVmm.Execution;
using MiniVmm.Hosting;

namespace MiniVmm.Tests.Hosting;

public sealed class MachineMetricsTests
{
    [Fact]
    public async Task The_meter_tells_what_a_machine_counted_by_name_and_tags()
    {
        await using HostedMachine web = new();
        using ServiceProvider services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        MachineMetrics metrics = new(services.GetRequiredService<IMeterFactory>());
        metrics.Add(web.Service);
        FakeRun run = await web.StartAsync();
        run.Figures = new()
        {
            Exits = new Dictionary<string, long> { ["KVM_EXIT_IO"] = 7, ["KVM_EXIT_MMIO"] = 2 },
            InGuest = TimeSpan.FromSeconds(3),
            Outside = TimeSpan.FromSeconds(0.5),
            Devices = new Dictionary<(string, string), long>
            {
                [("disk0", "readBytes")] = 512,
                [("disk0", "flushes")] = 4,
                [("disk0", "failures")] = 1,
                [("net0", "sentBytes")] = 60,
            },
            Vcpus = 3,
            MemoryBytes = 1 << 20,
            Balloon = new(TargetBytes: 8192, ActualBytes: 4096),
        };
        web.Time.Advance(TimeSpan.FromSeconds(90));

        string[] measured = Measure(services);

        Assert.Equal(
            [
                "minivmm.vcpu.exits{exit} web KVM_EXIT_IO = 7",
                "minivmm.vcpu.exits{exit} web KVM_EXIT_MMIO = 2",
                "minivmm.vcpu.time[s] web guest = 3",
                "minivmm.vcpu.time[s] web host = 0.5",
                "minivmm.vcpu.count{cpu} web = 3",
                "minivmm.disk.io[By] web disk0 read = 512",
                "minivmm.disk.operations{operation} web disk0 flush = 4",
                "minivmm.disk.errors{operation} web disk0 = 1",
                "minivmm.network.io[By] web net0 transmit = 60",
                "minivmm.machine.restarts{restart} web = 0",
                "minivmm.machine.uptime[s] web = 90",
                "minivmm.memory.limit[By] web = 1048576",
                "minivmm.memory.balloon.size[By] web = 4096",
                "minivmm.memory.balloon.target[By] web = 8192",
            ],
            measured.Where(line => !line.StartsWith("minivmm.machine.status", StringComparison.Ordinal)));
        Assert.Equal(
            ["minivmm.machine.status[1] web running = 1"],
            measured.Where(line => line.StartsWith("minivmm.machine.status", StringComparison.Ordinal) && line.EndsWith('1')));
    }

    [Fact]
    public async Task Counts_go_on_over_a_restart_and_sizes_do_not()
    {
        await using HostedMachine web = new(new() { Restart = RestartPolicy.Always });
        using ServiceProvider services = new ServiceCollection().AddMetrics().BuildServiceProvider();
        MachineMetrics metrics = new(services.GetRequiredService<IMeterFactory>());
        metrics.Add(web.Service);
        MachineFigures figures = new()
        {
            Exits = new Dictionary<string, long> { ["KVM_EXIT_IO"] = 7 },
            MemoryBytes = 4096,
        };
        FakeRun run = await web.StartAsync();
        run.Figures = figures;
        Task waiting = web.NextAsync(MachineState.Restarting);
        run.End(StopKind.PowerOff);
        await waiting;
        Assert.DoesNotContain("minivmm.memory.limit[By] web = 4096", Measure(services));

        (await web.StartAsync()).Figures = figures;

        string[] measured = Measure(services);
        Assert.Contains("minivmm.vcpu.exits{exit} web KVM_EXIT_IO = 14", measured);
        Assert.Contains("minivmm.memory.limit[By] web = 4096", measured);
        Assert.Contains("minivmm.machine.restarts{restart} web = 1", measured);
    }

    private static string[] Measure(ServiceProvider services)
    {
        List<string> lines = [];
        using MeterListener listener = new()
        {
            InstrumentPublished = (instrument, listening) =>
            {
                if (instrument.Meter.Scope == services.GetRequiredService<IMeterFactory>())
                    listening.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => lines.Add(Line(instrument, value, tags)));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => lines.Add(Line(instrument, value, tags)));
        listener.Start();
        listener.RecordObservableInstruments();
        return [.. lines];
    }

    private static string Line(Instrument instrument, object value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        string unit = instrument.Unit is ['{', ..] ? instrument.Unit : $"[{instrument.Unit}]";
        return FormattableString.Invariant(
            $"{instrument.Name}{unit} {string.Join(' ', tags.ToArray().Select(tag => tag.Value))} = {value}");
    }
}
