using System.Runtime.InteropServices;
using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Virtio.Mem;

/// <summary>
/// Which blocks of a region are plugged: a bit for each. A part of its own, since it is restored before all devices: their
/// queues may lie there. One thread at a time, but for <see cref="Plugged"/>.
/// </summary>
/// <param name="region">The blocks; none is plugged at first.</param>
/// <param name="host">Makes them RAM.</param>
internal sealed class MemoryBlocks(PluggableRegion region, IBlockHost host) : ISuspendable
{
    private readonly ulong[] _bits = new ulong[(region.Blocks + 63) / 64];
    private ulong _plugged;

    public PluggableRegion Region => region;

    /// <summary>Bytes that are plugged. Any thread.</summary>
    public ulong Plugged => Volatile.Read(ref _plugged);

    public string StateName => "memory-blocks";

    public ushort StateVersion => 1;

    /// <summary>Whether all blocks are plugged, or none, or some: null.</summary>
    /// <param name="blocks">Whole blocks of the region.</param>
    public bool? AreAllPlugged(GuestRange blocks)
    {
        (int first, int end) = Indices(blocks);
        bool all = IsPlugged(first);
        for (int i = first + 1; i < end; i++)
        {
            if (IsPlugged(i) != all)
                return null;
        }

        return all;
    }

    /// <summary>Plugs blocks of which none is plugged.</summary>
    /// <returns>False where the host cannot now.</returns>
    public bool TryPlug(GuestRange blocks)
    {
        if (!host.TryPlug(blocks))
            return false;
        Set(blocks, plugged: true);
        return true;
    }

    /// <summary>Unplugs blocks that are all plugged.</summary>
    public void Unplug(GuestRange blocks)
    {
        host.Unplug(blocks);
        Set(blocks, plugged: false);
    }

    /// <summary>Unplugs whatever is plugged.</summary>
    public void UnplugAll()
    {
        foreach (GuestRange run in Runs(_bits))
            Unplug(run);
    }

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteUInt64(region.Range.Start);
        writer.WriteUInt64(region.BlockSize);
        writer.WriteBytes(MemoryMarshal.AsBytes<ulong>(_bits));
    }

    /// <inheritdoc/>
    /// <remarks>A block that stays plugged keeps its contents.</remarks>
    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ulong start = reader.ReadUInt64();
        ulong size = reader.ReadUInt64();
        reader.Check(
            start == region.Range.Start && size == region.BlockSize,
            $"blocks of 0x{size:x} bytes from 0x{start:x} on, and here they are 0x{region.BlockSize:x} from "
                + $"0x{region.Range.Start:x} on");
        int length = _bits.Length * sizeof(ulong);
        ReadOnlySpan<byte> bytes = reader.ReadBytes(length);
        reader.Check(bytes.Length == length, $"{bytes.Length} bytes of block bits, and the region has {length}");
        ulong[] wanted = new ulong[_bits.Length];
        bytes.CopyTo(MemoryMarshal.AsBytes(wanted.AsSpan()));
        ulong plugged = 0;
        for (int i = 0; i < wanted.Length * 64; i++)
        {
            if ((wanted[i / 64] & (1UL << (i % 64))) == 0)
                continue;
            reader.Check(i < region.Blocks, $"block {i} plugged, and the region has {region.Blocks}");
            plugged += region.BlockSize;
        }

        reader.Check(plugged <= region.MostBytes, $"{plugged} bytes plugged, and the guest may have {region.MostBytes}");
        foreach (GuestRange run in Runs([.. _bits.Zip(wanted, (had, wants) => had & ~wants)]))
            Unplug(run);
        foreach (GuestRange run in Runs([.. _bits.Zip(wanted, (had, wants) => wants & ~had)]))
        {
            if (!TryPlug(run))
                throw reader.Impossible($"the host has no memory for {run}");
        }
    }

    /// <summary>The runs of set bits, as they are now.</summary>
    private List<GuestRange> Runs(ulong[] bits)
    {
        List<GuestRange> runs = [];
        int first = -1;
        for (int i = 0; i <= region.Blocks; i++)
        {
            bool set = i < region.Blocks && (bits[i / 64] & (1UL << (i % 64))) != 0;
            if (set && first < 0)
                first = i;
            if (set || first < 0)
                continue;
            runs.Add(new(region.Range.Start + ((ulong)first * region.BlockSize), (ulong)(i - first) * region.BlockSize));
            first = -1;
        }

        return runs;
    }

    private bool IsPlugged(int block) => (_bits[block / 64] & (1UL << (block % 64))) != 0;

    private (int First, int End) Indices(GuestRange blocks) => (
        (int)((blocks.Start - region.Range.Start) / region.BlockSize),
        (int)((blocks.End - region.Range.Start) / region.BlockSize));

    private void Set(GuestRange blocks, bool plugged)
    {
        (int first, int end) = Indices(blocks);
        for (int i = first; i < end; i++)
        {
            if (plugged)
                _bits[i / 64] |= 1UL << (i % 64);
            else
                _bits[i / 64] &= ~(1UL << (i % 64));
        }

        Volatile.Write(ref _plugged, plugged ? _plugged + blocks.Length : _plugged - blocks.Length);
    }
}
