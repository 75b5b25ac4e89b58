using System.Globalization;
using MiniVmm.Memory;
using MiniVmm.Virtio.Mem;

namespace MiniVmm.Tests.Virtio.Mem;

/// <summary>Keeps which blocks are plugged, and what came of it; plugs none twice, and unplugs none that is not.</summary>
internal sealed class RecordingBlocks(PluggableRegion region) : IBlockHost
{
    /// <summary>16 blocks of 2 MiB from 4 GiB on, of which the guest may have 12.</summary>
    public static PluggableRegion Small { get; } =
        new(new(MemoryLayout.HighRam, 32 * MemoryLayout.MiB), 2 * MemoryLayout.MiB, 24 * MemoryLayout.MiB);

    public SortedSet<ulong> Plugged { get; } = [];

    public List<string> Events { get; } = [];

    /// <summary>Whether the host has no memory.</summary>
    public bool IsShort { get; set; }

    public bool TryPlug(GuestRange blocks)
    {
        if (IsShort)
            return false;
        foreach (ulong block in Numbers(blocks))
            Assert.True(Plugged.Add(block), $"block {block} was plugged");
        Add("+", blocks);
        return true;
    }

    public void Unplug(GuestRange blocks)
    {
        foreach (ulong block in Numbers(blocks))
            Assert.True(Plugged.Remove(block), $"block {block} was not plugged");
        Add("-", blocks);
    }

    private void Add(string sign, GuestRange blocks) => Events.Add(string.Create(
        CultureInfo.InvariantCulture,
        $"{sign}{(blocks.Start - region.Range.Start) / region.BlockSize}x{blocks.Length / region.BlockSize}"));

    private IEnumerable<ulong> Numbers(GuestRange blocks)
    {
        Assert.True(blocks.Length > 0 && region.Range.Contains(blocks.Start, blocks.Length));
        Assert.Equal(0ul, blocks.Start % region.BlockSize);
        Assert.Equal(0ul, blocks.Length % region.BlockSize);
        for (ulong at = blocks.Start; at < blocks.End; at += region.BlockSize)
            yield return (at - region.Range.Start) / region.BlockSize;
    }
}
