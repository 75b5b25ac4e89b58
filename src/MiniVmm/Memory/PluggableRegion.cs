using System.Numerics;

namespace MiniVmm.Memory;

/// <summary>
/// Guest-physical addresses above all RAM, whose blocks become RAM and cease to be while the guest runs: pure arithmetic.
/// The firmware map does not have them (virtio 1.2, 5.15).
/// </summary>
/// <param name="Range">All of it, a whole number of slots.</param>
/// <param name="BlockSize">Bytes of a block, a power of two: what comes and goes at a time, aligned in the guest and on the host.</param>
/// <param name="MostBytes">How much of it can be RAM at a time, whole blocks.</param>
public sealed record PluggableRegion(GuestRange Range, ulong BlockSize, ulong MostBytes)
{
    /// <summary>Linux adds no less at a time on x86-64 (MIN_MEMORY_BLOCK_SIZE).</summary>
    private const ulong LinuxBlock = 128 * MemoryLayout.MiB;

    /// <summary>As large as blocks get in Linux on x86-64 (MAX_BLOCK_SIZE); one that is not aligned to them wastes memory.</summary>
    private const ulong Alignment = 2 * MemoryLayout.GiB;

    // A transparent huge page is not split when a block goes.
    private const ulong SmallestBlock = 2 * MemoryLayout.MiB;
    private const ulong MostBlocks = 16 * 1024;
    private const ulong MostSlots = 256;

    /// <summary>
    /// Bytes of one of KVM's memory slots in the region, whole blocks. To create a slot takes KVM milliseconds, and to
    /// delete one makes it forget all of its page tables: a slot for each block would stop the guest again and again.
    /// </summary>
    public ulong SlotSize { get; } =
        Math.Max(Math.Max(LinuxBlock, BlockSize), BitOperations.RoundUpToPowerOf2((Range.Length + MostSlots - 1) / MostSlots));

    /// <summary>Blocks in the region.</summary>
    public int Blocks => (int)(Range.Length / BlockSize);

    /// <summary>The region for memory that may come, or null where the guest has all at the start.</summary>
    /// <param name="options">What was asked for.</param>
    /// <param name="size">Bytes of RAM at the start.</param>
    /// <param name="ramEnd">First address after that RAM.</param>
    /// <param name="page">Bytes of a page of what backs RAM.</param>
    /// <exception cref="BadInputException">The most is less than the guest starts with, or cannot be had.</exception>
    internal static PluggableRegion? For(MemoryOptions options, ulong size, ulong ramEnd, ulong page)
    {
        if (!options.IsPluggable || options.Max is not { } most)
            return null;
        NamedOption given = OptionName.Mem.With(options.Text);
        if (most > ulong.MaxValue / 4)
            throw new BadInputException($"{given}: more than an x86 processor can address");
        if (most < options.Size)
        {
            throw new BadInputException(
                $"{given}: max is the most that the guest ever has, and less than it starts with; make it larger, or leave it out");
        }

        ulong more = most - Math.Min(size, most);
        ulong block = Math.Max(
            Math.Max(SmallestBlock, page), BitOperations.RoundUpToPowerOf2((more + MostBlocks - 1) / MostBlocks));
        if (more < block)
        {
            throw new BadInputException(
                $"{given}: memory comes in blocks of {ByteSize.Format(block)}, and less than one is left beyond "
                + $"{ByteSize.Format(size)}; give a larger max");
        }

        ulong length = RoundUp(more, Math.Max(LinuxBlock, block));
        ulong start = RoundUp(Math.Max(ramEnd + 1, MemoryLayout.HighRam), Math.Max(Alignment, block));
        PluggableRegion region = new(new(start, length), block, more - (more % block));
        return length % region.SlotSize == 0
            ? region
            : region with { Range = region.Range with { Length = RoundUp(length, region.SlotSize) } };
    }

    /// <summary>The slot that an offset into the region lies in.</summary>
    internal int SlotOf(ulong offset) => (int)(offset / SlotSize);

    /// <summary>The bytes of a slot.</summary>
    internal GuestRange Slot(int index) => new(Range.Start + ((ulong)index * SlotSize), SlotSize);

    /// <summary>How much of the region a guest may choose blocks from, if it is to have so much of it.</summary>
    internal ulong UsableFor(ulong bytes) =>
        bytes == 0 ? 0 : Math.Min(Range.Length, RoundUp(bytes, SlotSize) + SlotSize);

    private static ulong RoundUp(ulong value, ulong unit) => (value + unit - 1) / unit * unit;
}
