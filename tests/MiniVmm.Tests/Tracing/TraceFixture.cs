using MiniVmm.Devices;
using MiniVmm.Kvm;
using MiniVmm.Tracing;

namespace MiniVmm.Tests.Tracing;

/// <summary>A machine's names as tests want them.</summary>
internal sealed class FakeNames : ITraceNames
{
    private readonly TracedDevice _serial = new("COM1", 0x3f8, new SerialWords(divisorLatch: false));
    private readonly TracedDevice _disk = new("disk0", 0, null, TracedDevice.Block);

    public bool PassesOut { get; set; }

    public TracedDevice? DeviceAt(bool isPort, ulong address, int size) =>
        isPort && address is >= 0x3f8 and < 0x400 ? _serial : null;

    public TracedDevice? Virtio(int number) => number == 0 ? _disk : null;

    public string? Line(uint line) => line == 5 ? "disk0" : null;

    public string? Symbol(ulong linear, ulong? physical) => linear >= 0x10_0000 ? $"main+0x{linear - 0x10_0000:x}" : null;
}

/// <summary>Keeps what a sink is told.</summary>
internal sealed class ListSink : ITraceSink
{
    public List<string> Lines { get; } = [];

    public List<(TraceEvent Event, int? Vcpu)> Events { get; } = [];

    public TraceTotals? Totals { get; private set; }

    public bool IsDisposed { get; private set; }

    public void Begin(TraceHeader header)
    {
    }

    public void Write(TraceRecord record)
    {
        Events.Add((record.Event, record.Vcpu));
        Lines.Add($"{record.Device}: {record.Words}");
    }

    public void Flush()
    {
    }

    public void End(TraceTotals totals) => Totals = totals;

    public void Dispose() => IsDisposed = true;
}

/// <summary>Events made by hand.</summary>
internal static class Made
{
    public static TraceEvent Port(ushort port, byte value, long at, bool write = true, ushort slot = TraceEvent.NoSlot) => new()
    {
        Kind = write ? TraceEventKind.PortWrite : TraceEventKind.PortRead,
        Reason = (uint)KvmExitReason.KVM_EXIT_IO,
        Size = 1,
        Count = 1,
        Address = port,
        Value = value,
        Slot = slot,
        Rip = 0x10_0010,
        Entered = at - 3000,
        Exited = at - 1000,
        Served = at,
    };

    public static TraceEvent Code(ushort slot, ulong rip, byte bits, byte[] before, byte[] after)
    {
        TraceEvent item = new()
        {
            Kind = TraceEventKind.Code,
            Slot = slot,
            Address = rip,
            Value = rip,
            Size = bits,
            Reason = (uint)(before.Length | after.Length << 8),
        };
        before.CopyTo(item.Code[(TraceEvent.CodeBytes / 2 - before.Length)..]);
        after.CopyTo(item.Code[(TraceEvent.CodeBytes / 2)..]);
        return item;
    }
}
