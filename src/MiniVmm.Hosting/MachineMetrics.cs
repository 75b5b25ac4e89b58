using System.Diagnostics.Metrics;
using MiniVmm.Control;

namespace MiniVmm.Hosting;

/// <summary>
/// The meter <c>MiniVmm</c>: what the host's machines have counted, read when somebody asks. Names and units are after
/// OpenTelemetry's conventions; counts go on over a machine's restarts.
/// </summary>
internal sealed class MachineMetrics
{
    private const string Device = "minivmm.device";
    private const string DiskDirection = "disk.io.direction";
    private const string DiskOperation = "minivmm.disk.operation";
    private const string NetworkDirection = "network.io.direction";

    /// <summary>Each instrument of devices: the counter of <c>ctl stats</c> behind it, and its tag.</summary>
    private static readonly (string Name, string Unit, string Text, (string Counter, string? Tag, string? Value)[] Of)[]
        DeviceCounts =
        [
            ("minivmm.disk.io", "By", "Bytes that the guest read from its disks and wrote to them",
                [("readBytes", DiskDirection, "read"), ("writtenBytes", DiskDirection, "write")]),
            ("minivmm.disk.operations", "{operation}", "Requests that disks have done",
                [
                    ("reads", DiskOperation, "read"), ("writes", DiskOperation, "write"),
                    ("flushes", DiskOperation, "flush"), ("discards", DiskOperation, "discard"),
                ]),
            ("minivmm.disk.errors", "{operation}", "Requests that disks have failed", [("failures", null, null)]),
            ("minivmm.network.io", "By", "Bytes that the guest's cards received and transmitted",
                [("receivedBytes", NetworkDirection, "receive"), ("sentBytes", NetworkDirection, "transmit")]),
            ("minivmm.network.packets", "{packet}", "Frames that the guest's cards received and transmitted",
                [("received", NetworkDirection, "receive"), ("sent", NetworkDirection, "transmit")]),
            ("minivmm.network.dropped", "{packet}", "Frames that were dropped",
                [("receiveDrops", NetworkDirection, "receive"), ("sendDrops", NetworkDirection, "transmit")]),
        ];

    private readonly Lock _adding = new();
    private HostedVirtualMachine[] _machines = [];

    public MachineMetrics(IMeterFactory meters)
    {
        Meter meter = meters.Create(MachineMeter.Name);
        meter.CreateObservableCounter(
            "minivmm.vcpu.exits", Exits, "{exit}", "Returns from KVM_RUN, by KVM's name of the reason");
        meter.CreateObservableCounter(
            "minivmm.vcpu.time", Times, "s", "Time of the vCPUs in and outside of KVM_RUN, where Stats is on");
        meter.CreateObservableUpDownCounter(
            "minivmm.vcpu.count", () => Sizes(figures => figures.Vcpus), "{cpu}", "vCPUs that are in the machine");
        foreach ((string name, string unit, string text, (string, string?, string?)[] of) in DeviceCounts)
            meter.CreateObservableCounter(name, () => Devices(of), unit, text);
        meter.CreateObservableCounter(
            "minivmm.machine.restarts", () => Each<long>(machine => [new(machine.Restarts, Tags(machine))]), "{restart}",
            "How often the machine was started again");
        meter.CreateObservableUpDownCounter(
            "minivmm.machine.status", States, "1", "1 for the state that the machine is in, 0 for all others");
        meter.CreateObservableGauge(
            "minivmm.machine.uptime",
            () => Each<double>(machine => machine.Record.Uptime is { } time ? [new(time.TotalSeconds, Tags(machine))] : []), "s",
            "Time since the machine's last start");
        meter.CreateObservableUpDownCounter(
            "minivmm.memory.limit", () => Sizes(figures => (long)figures.MemoryBytes), "By", "Guest RAM");
        meter.CreateObservableUpDownCounter(
            "minivmm.memory.balloon.size", () => Sizes(figures => (long?)figures.Balloon?.ActualBytes), "By",
            "Guest RAM that the balloon holds");
        meter.CreateObservableUpDownCounter(
            "minivmm.memory.balloon.target", () => Sizes(figures => (long?)figures.Balloon?.TargetBytes), "By",
            "Guest RAM that the balloon is to hold");
    }

    /// <summary>Tells of a machine from now on.</summary>
    public void Add(HostedVirtualMachine machine)
    {
        lock (_adding)
            _machines = [.. _machines, machine];
    }

    private IEnumerable<Measurement<long>> Exits() => Each(machine => machine.Record.ReadFigures().Exits
        .Select(row => new Measurement<long>(row.Value, Tags(machine, ("minivmm.exit.reason", row.Key)))));

    private IEnumerable<Measurement<double>> Times() => Each<double>(machine =>
        machine.Record.ReadFigures() is { InGuest: { } inside, Outside: { } outside }
            ?
            [
                new(inside.TotalSeconds, Tags(machine, ("minivmm.vcpu.mode", "guest"))),
                new(outside.TotalSeconds, Tags(machine, ("minivmm.vcpu.mode", "host"))),
            ]
            : []);

    private IEnumerable<Measurement<long>> Devices((string Counter, string? Tag, string? Value)[] of) => Each(machine =>
        from row in machine.Record.ReadFigures().Devices
        from count in of
        where row.Key.Counter == count.Counter
        select new Measurement<long>(row.Value, count.Tag is { } tag
            ? Tags(machine, (Device, row.Key.Device), (tag, count.Value!))
            : Tags(machine, (Device, row.Key.Device))));

    private IEnumerable<Measurement<long>> States() => Each(machine =>
    {
        MachineState now = machine.State;
        return Enum.GetValues<MachineState>().Select(state =>
            new Measurement<long>(state == now ? 1 : 0, Tags(machine, ("minivmm.machine.state", state.Word()))));
    });

    private IEnumerable<Measurement<long>> Sizes(Func<MachineFigures, long?> size) => Each<long>(machine =>
        size(machine.Record.ReadFigures()) is { } bytes ? [new(bytes, Tags(machine))] : []);

    private IEnumerable<Measurement<T>> Each<T>(Func<HostedVirtualMachine, IEnumerable<Measurement<T>>> measure)
        where T : struct => _machines.SelectMany(measure);

    private static KeyValuePair<string, object?>[] Tags(
        HostedVirtualMachine machine, params ReadOnlySpan<(string Key, string Value)> more)
    {
        KeyValuePair<string, object?>[] tags = new KeyValuePair<string, object?>[more.Length + 1];
        tags[0] = new("machine.name", machine.Name);
        for (int i = 0; i < more.Length; i++)
            tags[i + 1] = new(more[i].Key, more[i].Value);
        return tags;
    }
}
