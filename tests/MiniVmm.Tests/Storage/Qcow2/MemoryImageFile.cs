using MiniVmm.Host;
using MiniVmm.Storage.Qcow2;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>A file in memory that remembers what was written since the last flush: a power cut keeps any part of that.</summary>
internal sealed unsafe class MemoryImageFile(byte[] contents, bool readOnly = false) : IImageFile
{
    private const int MaxLength = 64 << 20;
    private const int SectorSize = 512;

    private readonly Lock _lock = new();
    private readonly List<(ulong Offset, byte[] Bytes)> _unflushed = [];
    private byte[] _bytes = contents;
    private byte[] _durable = [.. contents];
    private int _length = contents.Length;

    public NamedOption Subject => OptionName.Disk.With("test.qcow2");

    public bool IsReadOnly => readOnly;

    public ulong Length => (ulong)_length;

    /// <summary>Writes and flushes that succeed before the rest fails; to stop an image in the middle.</summary>
    public int StepsLeft { get; set; } = int.MaxValue;

    public int Steps { get; private set; }

    /// <summary>Whether writes are remembered for <see cref="AfterPowerCut"/>.</summary>
    public bool RemembersWrites { get; init; }

    /// <summary>Cuts it short behind the image's back.</summary>
    public void Shrink(int length) => _length = length;

    /// <summary>What a process that is killed now leaves.</summary>
    public byte[] AfterKill()
    {
        lock (_lock)
            return _bytes[.._length];
    }

    /// <summary>What a power cut now leaves: what was flushed, and of what was written later some sectors.</summary>
    public byte[] AfterPowerCut(Random random)
    {
        byte[] left;
        (ulong Offset, byte[] Bytes)[] unflushed;
        lock (_lock)
        {
            left = [.. _durable];
            unflushed = [.. _unflushed];
        }

        double share = random.NextDouble();
        foreach ((ulong offset, byte[] bytes) in unflushed)
        {
            for (int at = 0; at < bytes.Length; at += SectorSize)
            {
                if (random.NextDouble() >= share)
                    continue;
                int count = Math.Min(SectorSize, bytes.Length - at);
                int end = (int)offset + at + count;
                if (end > left.Length)
                    Array.Resize(ref left, end);
                bytes.AsSpan(at, count).CopyTo(left.AsSpan((int)offset + at));
            }
        }

        return left;
    }

    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces, ulong expected)
    {
        lock (_lock)
        {
            foreach (IoVector piece in pieces)
            {
                Span<byte> into = piece.Span;
                int there = offset >= (ulong)_length ? 0 : (int)Math.Min(piece.Length, (ulong)_length - offset);
                _bytes.AsSpan(there == 0 ? 0 : (int)offset, there).CopyTo(into);
                into[there..].Clear();
                offset += piece.Length;
                if (there < into.Length && (ulong)_length < Math.Min(expected, offset))
                    return Errno.EIO;
            }

            return 0;
        }
    }

    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        lock (_lock)
        {
            if (!Step())
                return Errno.EIO;
            foreach (IoVector piece in pieces)
            {
                if (offset > MaxLength || piece.Length > MaxLength - offset)
                    return Errno.ENOSPC;
                int end = (int)(offset + piece.Length);
                if (end > _bytes.Length)
                    Array.Resize(ref _bytes, Math.Max(end, _bytes.Length * 2));
                piece.Span.CopyTo(_bytes.AsSpan((int)offset));
                _length = Math.Max(_length, end);
                if (RemembersWrites)
                    _unflushed.Add((offset, piece.Span.ToArray()));
                offset += piece.Length;
            }

            return 0;
        }
    }

    public int Flush()
    {
        lock (_lock)
        {
            if (!Step())
                return Errno.EIO;
            if (RemembersWrites)
            {
                _durable = AfterKill();
                _unflushed.Clear();
            }

            return 0;
        }
    }

    public int Discard(ulong offset, ulong length)
    {
        lock (_lock)
        {
            // What was given back is gone at once, for the worst case.
            ulong end = Math.Min(offset + length, (ulong)_length);
            if (offset >= end)
                return 0;
            _bytes.AsSpan((int)offset, (int)(end - offset)).Fill(0xdd);
            if (RemembersWrites)
                _unflushed.Add((offset, _bytes.AsSpan((int)offset, (int)(end - offset)).ToArray()));
            return 0;
        }
    }

    public void Dispose()
    {
        // Only memory.
    }

    private bool Step()
    {
        Steps++;
        return StepsLeft-- > 0;
    }
}
