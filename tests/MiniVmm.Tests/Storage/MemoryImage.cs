using MiniVmm.Host;
using MiniVmm.Storage;

namespace MiniVmm.Tests.Storage;

/// <summary>A disk in memory that can fail and can be held up; from several threads.</summary>
internal sealed unsafe class MemoryImage(int length) : IDiskImage
{
    private readonly Lock _lock = new();
    private int _busy;
    private int _most;

    /// <summary>The contents.</summary>
    public byte[] Bytes { get; } = new byte[length];

    /// <summary>What every call answers.</summary>
    public int Errno { get; set; }

    /// <summary>Closed, every read and write waits.</summary>
    public ManualResetEventSlim Gate { get; } = new(initialState: true);

    /// <summary>Called in every read and write, on its thread.</summary>
    public Action? Called { get; set; }

    public int Flushes { get; private set; }

    public bool IsDisposed { get; private set; }

    /// <summary>Calls that are at work now.</summary>
    public int Busy => Volatile.Read(ref _busy);

    /// <summary>Most calls that were at work at once.</summary>
    public int MostBusy => Volatile.Read(ref _most);

    public List<(string What, ulong Offset, ulong Length, bool Unmap)> Ranges { get; } = [];

    public ulong Length => (ulong)Bytes.Length;

    public bool IsReadOnly { get; init; }

    public uint DiscardGranularity { get; init; } = 4096;

    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        int errno = Enter();
        foreach (IoVector piece in pieces)
        {
            if (errno == 0)
                Bytes.AsSpan((int)offset, (int)piece.Length).CopyTo(piece.Span);
            offset += piece.Length;
        }

        Leave();
        return errno;
    }

    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        int errno = Enter();
        foreach (IoVector piece in pieces)
        {
            if (errno == 0)
                piece.Span.CopyTo(Bytes.AsSpan((int)offset));
            offset += piece.Length;
        }

        Leave();
        return errno;
    }

    public int Flush()
    {
        lock (_lock)
            Flushes++;
        return Errno;
    }

    public int Discard(ulong offset, ulong length) => Note("discard", offset, length, false);

    public int WriteZeroes(ulong offset, ulong length, bool unmap)
    {
        Bytes.AsSpan((int)offset, (int)length).Clear();
        return Note("zeroes", offset, length, unmap);
    }

    public void Dispose()
    {
        IsDisposed = true;
        Gate.Dispose();
    }

    private int Enter()
    {
        lock (_lock)
            _most = Math.Max(_most, ++_busy);
        Called?.Invoke();
        Gate.Wait();
        return Errno;
    }

    private void Leave()
    {
        lock (_lock)
            _busy--;
    }

    private int Note(string what, ulong offset, ulong length, bool unmap)
    {
        lock (_lock)
            Ranges.Add((what, offset, length, unmap));
        return Errno;
    }
}
