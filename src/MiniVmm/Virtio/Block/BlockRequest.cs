using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using MiniVmm.Host;
using MiniVmm.Storage;
using MiniVmm.Tracing;

namespace MiniVmm.Virtio.Block;

/// <summary>What a request wants (virtio 1.2, 5.2.6).</summary>
internal enum BlockOperation : uint
{
    Read = 0,
    Write = 1,
    Flush = 4,
    GetId = 8,
    Discard = 11,
    WriteZeroes = 13,
}

/// <summary>How it went (virtio 1.2, 5.2.6).</summary>
internal enum BlockStatus : byte
{
    Ok = 0,
    IoError = 1,
    Unsupported = 2,
}

/// <summary>One piece of a discard or write-zeroes request (struct virtio_blk_discard_write_zeroes).</summary>
internal readonly record struct BlockSegment(ulong Sector, uint Sectors, uint Flags)
{
    public const int Size = 16;
    public const uint Unmap = 1;
}

/// <summary>
/// One request of a driver: the place where what it wrote is looked at. The header is copied once; no boundary
/// between two descriptors means anything (virtio 1.2, 2.7.4): the header is the first 16 bytes to read, the status
/// the last one to write. Made once and used over and over.
/// </summary>
internal sealed unsafe class BlockRequest : IDisposable
{
    private const int HeaderSize = 16;
    private readonly IoVector[] _data;
    private readonly BlockSegment[] _segments = new BlockSegment[BlockConfiguration.MostSegments];
    private int _pieces;
    private int _segmentCount;
    private long _begun;

    /// <param name="longestChain">Most pieces that its chain can have.</param>
    public BlockRequest(int longestChain)
    {
        Chain = new DescriptorChain(longestChain);
        _data = new IoVector[longestChain];
    }

    public DescriptorChain Chain { get; }

    /// <summary>Which queue it came from.</summary>
    public int Queue { get; set; }

    public BlockOperation Operation { get; private set; }

    /// <summary>It is begun; the trace may want to know later when that was.</summary>
    public void Begin(DeviceTrace? trace) => _begun = trace?.Now ?? 0;

    /// <summary>It is done.</summary>
    public void Report(DeviceTrace? trace)
    {
        ulong first = Operation is BlockOperation.Discard or BlockOperation.WriteZeroes && _segmentCount > 0
            ? _segments[0].Sector : Offset / IDiskImage.SectorSize;
        trace?.Request(Queue, (uint)Operation, first, Length, _begun);
    }

    /// <summary>First byte on the disk, of a read or a write.</summary>
    public ulong Offset { get; private set; }

    /// <summary>Bytes to read, to write, or to zero, for which a host may have to write them too.</summary>
    public ulong Length { get; private set; }

    /// <summary>The data, between the header and the status.</summary>
    public ReadOnlySpan<IoVector> Data => _data.AsSpan(0, _pieces);

    /// <summary>What to discard or to zero.</summary>
    public ReadOnlySpan<BlockSegment> Segments => _segments.AsSpan(0, _segmentCount);

    /// <summary>The next one that waits for a worker.</summary>
    public BlockRequest? Next { get; set; }

    public void Dispose() => Chain.Dispose();

    /// <summary>Looks at what is in the chain.</summary>
    /// <param name="configuration">The disk.</param>
    /// <param name="negotiated">Features.</param>
    /// <returns>Ok where it can be done; else the answer.</returns>
    public BlockStatus Prepare(BlockConfiguration configuration, BlockFeatures negotiated)
    {
        _pieces = _segmentCount = 0;
        Offset = Length = 0;
        byte* header = stackalloc byte[HeaderSize];
        if (Chain.ReadableLength < HeaderSize || Chain.WritableLength == 0)
            return BlockStatus.IoError;
        var cursor = new IoCursor(Chain.Readable);
        cursor.CopyOut(header, HeaderSize);
        Operation = (BlockOperation)Unsafe.ReadUnaligned<uint>(header);
        ulong sector = Unsafe.ReadUnaligned<ulong>(header + 8);
        uint outLength = Chain.ReadableLength - HeaderSize;
        switch (Operation)
        {
            case BlockOperation.Read:
                TakeData(Chain.Writable, 0, Chain.WritableLength - 1);
                return CheckRange(configuration, sector, Chain.WritableLength - 1);
            case BlockOperation.Write when configuration.IsReadOnly:
                return BlockStatus.IoError;
            case BlockOperation.Write:
                TakeData(Chain.Readable, HeaderSize, outLength);
                return CheckRange(configuration, sector, outLength);
            case BlockOperation.GetId:
                TakeData(Chain.Writable, 0, Chain.WritableLength - 1);
                return BlockStatus.Ok;
            case BlockOperation.Flush:
                return BlockStatus.Ok;
            case BlockOperation.Discard or BlockOperation.WriteZeroes
                when configuration.IsReadOnly:
                return BlockStatus.IoError;
            case BlockOperation.Discard when (negotiated & BlockFeatures.Discard) != 0:
                return TakeSegments(configuration, ref cursor, outLength, BlockConfiguration.MostDiscardSectors, 0);
            case BlockOperation.WriteZeroes when (negotiated & BlockFeatures.WriteZeroes) != 0:
                return TakeSegments(
                    configuration, ref cursor, outLength, BlockConfiguration.MostZeroSectors, BlockSegment.Unmap);
            default:
                return BlockStatus.Unsupported;
        }
    }

    /// <summary>Writes the status, and zeroes where the driver might expect data that it did not get.</summary>
    /// <returns>
    /// Bytes for <see cref="Virtqueue.Complete"/>: all that are writable, so that none is promised in vain.
    /// </returns>
    public uint Finish(BlockStatus status)
    {
        ReadOnlySpan<IoVector> writable = Chain.Writable;
        if (writable.IsEmpty)
            return 0; // nowhere to say anything
        if (status != BlockStatus.Ok || Operation is not (BlockOperation.Read or BlockOperation.GetId))
        {
            foreach (ref readonly IoVector piece in writable)
                NativeMemory.Clear(piece.Base, (nuint)piece.Length);
        }

        ref readonly IoVector last = ref writable[^1];
        Volatile.Write(ref last.Base[last.Length - 1], (byte)status);
        return Chain.WritableLength;
    }

    private BlockStatus CheckRange(BlockConfiguration configuration, ulong sector, uint length)
    {
        ulong sectors = length / IDiskImage.SectorSize;
        if (length % IDiskImage.SectorSize != 0
            || sector > configuration.Sectors || sectors > configuration.Sectors - sector)
        {
            return BlockStatus.IoError;
        }

        Offset = sector * IDiskImage.SectorSize;
        Length = length;
        return BlockStatus.Ok;
    }

    /// <summary>Takes so many bytes of the pieces, behind the first so many.</summary>
    private void TakeData(ReadOnlySpan<IoVector> pieces, ulong skip, ulong bytes)
    {
        foreach (ref readonly IoVector piece in pieces)
        {
            if (skip >= piece.Length)
            {
                skip -= piece.Length;
                continue;
            }

            ulong count = Math.Min(piece.Length - skip, bytes);
            if (count == 0)
                return;
            _data[_pieces++] = new IoVector(piece.Base + skip, count);
            bytes -= count;
            skip = 0;
        }
    }

    private BlockStatus TakeSegments(
        BlockConfiguration configuration, ref IoCursor cursor, uint length, uint most, uint flags)
    {
        if (length == 0 || length % BlockSegment.Size != 0 || length / BlockSegment.Size > (uint)_segments.Length)
            return BlockStatus.IoError;
        byte* bytes = stackalloc byte[BlockSegment.Size];
        for (uint i = 0; i < length / BlockSegment.Size; i++)
        {
            cursor.CopyOut(bytes, BlockSegment.Size);
            BlockSegment segment = Unsafe.ReadUnaligned<BlockSegment>(bytes);
            if ((segment.Flags & ~flags) != 0)
                return BlockStatus.Unsupported;
            if (segment.Sectors > most || segment.Sector > configuration.Sectors
                || segment.Sectors > configuration.Sectors - segment.Sector)
            {
                return BlockStatus.IoError;
            }

            _segments[_segmentCount++] = segment;
            if (Operation == BlockOperation.WriteZeroes)
                Length += (ulong)segment.Sectors * IDiskImage.SectorSize;
        }

        return BlockStatus.Ok;
    }
}
