using System.Buffers.Binary;
using MiniVmm.Storage;

namespace MiniVmm.Virtio.Block;

/// <summary>Features of a block device (virtio 1.2, 5.2.3).</summary>
[Flags]
internal enum BlockFeatures : ulong
{
    None = 0,
    SegmentsMax = 1UL << 2,
    ReadOnly = 1UL << 5,
    BlockSize = 1UL << 6,
    Flush = 1UL << 9,
    Topology = 1UL << 10,
    ConfigWce = 1UL << 11,
    MultiQueue = 1UL << 12,
    Discard = 1UL << 13,
    WriteZeroes = 1UL << 14,
}

/// <summary>What a disk offers, and its configuration space (virtio 1.2, 5.2.4).</summary>
internal sealed class BlockConfiguration
{
    /// <summary>Descriptors of each queue.</summary>
    public const ushort QueueSize = 256;

    /// <summary>Segments of one discard or write-zeroes request.</summary>
    public const uint MostSegments = 16;

    /// <summary>Sectors of one such segment: 2 GiB to discard.</summary>
    public const uint MostDiscardSectors = 1 << 22;

    /// <summary>128 MiB to zero: a host that can only write them should not be busy for long.</summary>
    public const uint MostZeroSectors = 1 << 18;

    private const int WriteBackOffset = 32;
    private readonly byte[] _bytes = new byte[60];
    private volatile bool _writeBack = true;

    public BlockConfiguration(IDiskImage image, int queues)
    {
        IsReadOnly = image.IsReadOnly;
        Sectors = image.Length / IDiskImage.SectorSize;
        Features = BlockFeatures.SegmentsMax | BlockFeatures.BlockSize | BlockFeatures.Topology | BlockFeatures.Flush
            | BlockFeatures.ConfigWce
            | (queues > 1 ? BlockFeatures.MultiQueue : 0)
            | (image.IsReadOnly ? BlockFeatures.ReadOnly : BlockFeatures.WriteZeroes)
            | (image.IsReadOnly || image.DiscardGranularity == 0 ? 0 : BlockFeatures.Discard);

        BinaryPrimitives.WriteUInt64LittleEndian(_bytes, Sectors);

        // Header and status take two of the descriptors.
        Put32(12, QueueSize - 2);
        Put32(20, IDiskImage.SectorSize);

        // Blocks of 4 KiB below sectors of 512 bytes: what page caches and today's disks work with.
        _bytes[24] = 3;
        Put16(26, 8);
        Put16(34, (ushort)queues);
        if (Features.HasFlag(BlockFeatures.Discard))
        {
            Put32(36, MostDiscardSectors);
            Put32(40, MostSegments);
            Put32(44, Math.Max(image.DiscardGranularity / IDiskImage.SectorSize, 1));
        }

        if (Features.HasFlag(BlockFeatures.WriteZeroes))
        {
            Put32(48, MostZeroSectors);
            Put32(52, MostSegments);
            _bytes[56] = (byte)(image.DiscardGranularity == 0 ? 0 : 1);
        }
    }

    public BlockFeatures Features { get; }

    public bool IsReadOnly { get; }

    /// <summary>Of the disk, each of 512 bytes.</summary>
    public ulong Sectors { get; }

    /// <summary>
    /// Whether a write may stay in caches until a flush; else each is flushed before it is completed.
    /// </summary>
    public bool WriteBack
    {
        get => _writeBack;
        set => _writeBack = value;
    }

    public void Read(uint offset, Span<byte> data)
    {
        for (int i = 0; i < data.Length; i++)
        {
            ulong at = (ulong)offset + (uint)i;
            data[i] = at switch
            {
                WriteBackOffset => (byte)(_writeBack ? 1 : 0),
                _ => at < (ulong)_bytes.Length ? _bytes[at] : (byte)0,
            };
        }
    }

    /// <summary>Only the writeback field can be written, as a byte.</summary>
    public void Write(uint offset, ReadOnlySpan<byte> data)
    {
        if (offset == WriteBackOffset && data.Length == 1)
            _writeBack = data[0] != 0;
    }

    private void Put16(int offset, ushort value) =>
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(offset), value);

    private void Put32(int offset, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(offset), value);
}
