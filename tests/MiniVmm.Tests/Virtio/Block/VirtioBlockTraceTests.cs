using MiniVmm.Tests.Storage;
using MiniVmm.Tests.Tracing;
using MiniVmm.Tracing;
using static MiniVmm.Tests.Virtio.Block.BlockFixture;

namespace MiniVmm.Tests.Virtio.Block;

/// <summary>What a disk tells a trace of its requests.</summary>
public sealed class VirtioBlockTraceTests : IDisposable
{
    private readonly ListSink _sink = new();
    private readonly TraceSwitch _machine = new();

    public void Dispose() => _sink.Dispose();

    [Fact]
    public void Each_request_is_told_with_its_operation_sector_and_length()
    {
        using BlockFixture disk = new(new MemoryImage(1 << 20));
        disk.Device.Trace = new DeviceTrace(_machine, 0);
        disk.Do(Out, 1, new byte[512]); // nobody listens yet
        using TraceSession session = new(TraceFilter.Parse("virtio"), 1, new FakeNames(), _sink);
        _machine.Current = session;

        disk.Do(Out, 8, new byte[4096]);
        disk.Read(16, 512);
        session.Dispose();

        Assert.Equal(["disk0: write 8 sectors at 8", "disk0: read 1 sector at 16"], _sink.Lines);
        Assert.All(_sink.Events, row => Assert.True(row.Event.Entered is > 0 && row.Event.Entered <= row.Event.Served));
    }
}
