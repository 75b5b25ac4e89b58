using MiniVmm.Host;
using MiniVmm.Storage.Qcow2;

namespace MiniVmm.Tests.Storage.Qcow2;

/// <summary>A file whose reads are held or counted, and whose calls fail, when a test says so.</summary>
internal sealed class StubbornImageFile(MemoryImageFile file) : IImageFile
{
    private readonly ManualResetEventSlim _arrived = new();
    private readonly ManualResetEventSlim _goes = new();
    private int _reads;

    public bool HoldsReads { get; set; }

    public int FlushesLeft { get; set; } = int.MaxValue;

    /// <summary>Which reads fail, by their offset.</summary>
    public Predicate<ulong> FailsRead { get; set; } = _ => false;

    /// <summary>Which writes fail, by their offset.</summary>
    public Predicate<ulong> FailsWrite { get; set; } = _ => false;

    /// <summary>Since the file was opened.</summary>
    public int Reads => Volatile.Read(ref _reads);

    public NamedOption Subject => file.Subject;

    public bool IsReadOnly => file.IsReadOnly;

    public ulong Length => file.Length;

    public void WaitForRead() => _arrived.Wait();

    public void LetGo() => _goes.Set();

    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces, ulong expected)
    {
        Interlocked.Increment(ref _reads);
        if (HoldsReads)
        {
            HoldsReads = false;
            _arrived.Set();
            _goes.Wait();
        }

        return FailsRead(offset) ? Errno.EIO : file.Read(offset, pieces, expected);
    }

    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces) =>
        FailsWrite(offset) ? Errno.EIO : file.Write(offset, pieces);

    public int Flush() => FlushesLeft-- > 0 ? file.Flush() : Errno.EIO;

    public int Discard(ulong offset, ulong length) => file.Discard(offset, length);

    public void Dispose()
    {
        _arrived.Dispose();
        _goes.Dispose();
    }
}
