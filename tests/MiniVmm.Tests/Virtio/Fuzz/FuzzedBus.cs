using MiniVmm.Devices;
using MiniVmm.Memory;
using MiniVmm.Pci;
using MiniVmm.Tests.Devices;
using MiniVmm.Tests.Pci;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>A bus with functions of every kind, as a machine has them after its start.</summary>
internal sealed class FuzzedBus : IDisposable
{
    public const int RegistersBar = 4;
    private readonly List<IDisposable> _parts = [];

    /// <param name="ram">Guest RAM.</param>
    /// <param name="devices">The virtio devices on it.</param>
    public FuzzedBus(TestMemory ram, IReadOnlyList<IVirtioDevice> devices)
    {
        Bus = new PciBus(Decoding);
        ByPorts = new PciConfiguration(new RecordingPower(), Bus);
        ByMemory = new PciEcam(Bus);
        List<FuzzedFunction> all = [new(PciHostBridge.Slot, PciHostBridge.Create(Decoding))];

        FakeMessageLine[] lines = [.. Enumerable.Range(0, 5).Select(_ => new FakeMessageLine())];
        MsixTable messages = Own(new MsixTable([.. lines]));
        PciEndpoint plain = new(
            "plain", new(0x1234, 1, 0xff0000), Decoding,
            new PciBar(0, PciBarKind.Memory32, messages.Length, new BusWindow(Memory, messages, "messages", messages.Length)),
            new PciBar(2, PciBarKind.Memory64, 0x1_0000, new FakeTarget()),
            new PciBar(4, PciBarKind.Ports, 0x20, new FakeTarget()));
        plain.Add(new MsixCapability(messages, 0));
        plain.SetInterrupt(1, 5);
        all.Add(new(new(1, 0), plain) { Messages = messages, Lines = lines });

        PciEndpoint large = new(
            "large", new(0x1234, 2, 0xff0000), Decoding,
            new PciBar(0, PciBarKind.Ports, 0x100, new FakeTarget()),
            new PciBar(1, PciBarKind.Memory32, 0x4000, new FakeTarget()),
            new PciBar(2, PciBarKind.Prefetchable64, 8 * MemoryLayout.GiB, new FakeTarget()));
        all.Add(new(new(1, 1), large));

        (PciEndpoint tested, IReadOnlyList<ISuspendable> tests) = PciTestDevice.Create(Decoding, Memory, Ports);
        all.Add(new(new(2, 0), tested) { More = tests });
        for (int i = 0; i < devices.Count; i++)
            all.Add(Plug(new(3 + i, 0), devices[i], ram));
        foreach (FuzzedFunction function in all)
            Bus.Add(function.Slot, function.Endpoint);
        PciAssignment.Assign(Decoding.Windows, [.. all.Select(each => each.Endpoint)]);
        Functions = all;
    }

    public PciDecoding Decoding { get; } = new(PciWindows.Above(MemoryLayout.GiB));

    public Bus Memory { get; } = new("memory", ulong.MaxValue);

    public Bus Ports { get; } = new("port", 0xffff);

    public PciBus Bus { get; }

    /// <summary>0xcf8 and 0xcfc.</summary>
    public PciConfiguration ByPorts { get; }

    public PciEcam ByMemory { get; }

    public IReadOnlyList<FuzzedFunction> Functions { get; }

    /// <summary>As a machine saves and restores them.</summary>
    public IEnumerable<ISuspendable> Suspendable => Functions.SelectMany(function => function.Suspendable).Prepend(ByPorts);

    public void Dispose()
    {
        for (int i = _parts.Count - 1; i >= 0; i--)
            _parts[i].Dispose();
    }

    private FuzzedFunction Plug(PciSlot slot, IVirtioDevice device, TestMemory ram)
    {
        FakeThreads threads = new(device);
        FakeMessageLine[] lines = [.. Enumerable.Range(0, device.QueueSizes.Count + 1).Select(_ => new FakeMessageLine())];
        FakeTrigger line = new();
        VirtioPciFunction function = new($"virtio {device.DeviceType}", device, threads, new()
        {
            Decoding = Decoding,
            Memory = Memory,
            Ram = ram.Memory,
            Messages = [.. lines],
            Line = line,
            IsaLine = 5,
            Doorbells = new FakeTarget(),
        });
        Own(function);
        Own(device);
        device.Attach(function.Transport, threads.Loops);
        return new(slot, function.Endpoint)
        {
            Messages = (MsixTable)function.Suspendable.First(),
            Lines = lines,
            Virtio = function,
            Threads = threads,
            Line = line,
        };
    }

    private T Own<T>(T part)
        where T : IDisposable
    {
        _parts.Add(part);
        return part;
    }
}

/// <summary>A function on the bus, with what is behind it.</summary>
internal sealed record FuzzedFunction(PciSlot Slot, PciEndpoint Endpoint)
{
    public MsixTable? Messages { get; init; }

    public FakeMessageLine[] Lines { get; init; } = [];

    public VirtioPciFunction? Virtio { get; init; }

    public FakeThreads? Threads { get; init; }

    public FakeTrigger? Line { get; init; }

    public IReadOnlyList<ISuspendable> More { get; init; } = [];

    public IEnumerable<ISuspendable> Suspendable => Virtio is not null ? Virtio.Suspendable
        : Messages is not null ? [Messages, Endpoint]
        : [Endpoint, .. More];
}
