using System.Buffers.Binary;
using MiniVmm.Memory;
using MiniVmm.Virtio.Mem;

namespace MiniVmm.Tests.Virtio.Fuzz;

/// <summary>Plugs blocks that nobody looks into, and tells of who plugs one twice; short of memory now and then.</summary>
internal sealed class FuzzBlocks(FuzzHost host, Func<ulong> requested) : IBlockHost
{
    private const ulong Block = 0x1000;
    private static readonly PluggableRegion Region = new(new(MemoryLayout.HighRam, 70 * Block), Block, 66 * Block);
    private readonly bool[] _plugged = new bool[Region.Blocks];

    public static Func<VirtioMem> Plug(FuzzHost host)
    {
        VirtioMem? mem = null;
        MemoryBlocks blocks = new(Region, new FuzzBlocks(host, () => mem!.Requested));
        host.MayKeep = _ => false;
        host.Stir = () => mem!.SetRequested(((ulong)host.Input.Below(72) * Block) + host.Input.Byte());
        return () => mem = new VirtioMem(blocks);
    }

    /// <summary>A request for blocks around the region, mostly.</summary>
    public static byte[]? Request(FuzzInput input)
    {
        if (input.Chance(8))
            return null;
        byte[] request = new byte[24];
        BinaryPrimitives.WriteUInt16LittleEndian(request, input.Pick<ushort>(0, 0, 0, 0, 1, 1, 3, 2, input.UInt16()));
        ulong address = Region.Range.Start + ((ulong)input.Below(72) * Block) + (input.Chance(16) ? 0x10u : 0);
        BinaryPrimitives.WriteUInt64LittleEndian(request.AsSpan(8), input.Chance(8) ? input.UInt64() : address);
        BinaryPrimitives.WriteUInt16LittleEndian(
            request.AsSpan(16), input.Chance(8) ? input.UInt16() : (ushort)input.Below(6));
        return request;
    }

    public bool TryPlug(GuestRange blocks)
    {
        if (host.Input.Chance(16))
            return false;
        Set(blocks, true);
        int plugged = _plugged.Count(each => each);
        if ((ulong)plugged * Block > requested())
            host.Fail($"{plugged} blocks are plugged, more than were asked for");
        return true;
    }

    public void Unplug(GuestRange blocks) => Set(blocks, false);

    private void Set(GuestRange blocks, bool plugged)
    {
        if (blocks.Length == 0 || !Region.Range.Contains(blocks.Start, blocks.Length) || (blocks.Start | blocks.Length) % Block != 0)
        {
            host.Fail($"{blocks} are no blocks");
            return;
        }

        for (ulong at = blocks.Start; at < blocks.End; at += Block)
        {
            ref bool block = ref _plugged[(at - Region.Range.Start) / Block];
            if (block == plugged)
                host.Fail($"the block at 0x{at:x} is {(plugged ? "plugged" : "unplugged")} twice");
            block = plugged;
        }
    }
}
