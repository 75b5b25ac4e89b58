using MiniVmm.Devices;
using MiniVmm.Memory;
using MiniVmm.Tests.Virtio.Mem;
using MiniVmm.Virtio.Mem;

namespace MiniVmm.Tests.Devices.State;

/// <summary>Blocks of memory, some of them plugged by chance.</summary>
internal sealed class BlocksSubject : StateSubject
{
    private static readonly PluggableRegion Region = RecordingBlocks.Small;
    private readonly RecordingBlocks _host = new(Region);
    private readonly MemoryBlocks _blocks;

    public BlocksSubject() => _blocks = new(Region, _host);

    public override ISuspendable Device => _blocks;

    public override void Prepare(Random random)
    {
        foreach (int block in Enumerable.Range(0, Region.Blocks).Where(_ => random.Next(2) == 0).Take(12))
            Assert.True(_blocks.TryPlug(Block(block)));
    }

    public override IReadOnlyList<string> Use(Random random)
    {
        bool[] plugged = [.. Enumerable.Range(0, Region.Blocks).Select(block => _blocks.AreAllPlugged(Block(block)) == true)];
        Assert.Equal(_host.Plugged, plugged.Select((is_, block) => (is_, block)).Where(each => each.is_).Select(each => (ulong)each.block));
        Assert.Equal((ulong)_host.Plugged.Count * Region.BlockSize, _blocks.Plugged);
        return [string.Join(',', _host.Plugged)];
    }

    public override StateSubject Another() => new BlocksSubject();

    public override void Dispose()
    {
        // Nothing of the host's.
    }

    private static GuestRange Block(int index) =>
        new(Region.Range.Start + ((ulong)index * Region.BlockSize), Region.BlockSize);
}
