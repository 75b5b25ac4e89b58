using MiniVmm.Host;

namespace MiniVmm.Storage.Qcow2;

/// <summary>
/// The file below an image: what qcow2 needs of it, and no more, so that tests cut the power between two writes. From any
/// thread; each call says 0 or the errno, none throws.
/// </summary>
internal interface IImageFile : IDisposable
{
    /// <summary>What errors about it start with.</summary>
    string Subject { get; }

    bool IsReadOnly { get; }

    /// <summary>Bytes in it now.</summary>
    ulong Length { get; }

    /// <summary>Reads; what is missing below <paramref name="expected"/> is EIO, what is missing behind is zeroes.</summary>
    int Read(ulong offset, ReadOnlySpan<IoVector> pieces, ulong expected);

    /// <summary>Writes; behind the end, the file grows, with zeroes between.</summary>
    int Write(ulong offset, ReadOnlySpan<IoVector> pieces);

    /// <summary>Puts what was written before on stable storage: no later write gets there ahead of it.</summary>
    int Flush();

    /// <summary>Says that bytes are not needed: they may read as anything.</summary>
    int Discard(ulong offset, ulong length);
}

/// <summary>
/// A disk's file on the host. What was there at first, or was written since, does not go away by itself: once the file is
/// shorter than that, what is missing is no zeroes, and nothing is written or called durable any more.
/// </summary>
internal sealed class HostImageFile(DiskFile file) : IImageFile
{
    private ulong _end = file.Length;

    public string Subject => file.Subject;

    public bool IsReadOnly => file.IsReadOnly;

    public ulong Length => file.Length;

    private bool IsShorter
    {
        get
        {
            // In this order: it may become longer in between, and then both do.
            ulong end = Volatile.Read(ref _end);
            return file.Length < end;
        }
    }

    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces, ulong expected) =>
        file.Read(offset, pieces, Math.Max(expected, Volatile.Read(ref _end)));

    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces)
    {
        if (IsShorter)
            return Errno.EIO;
        int errno = file.Write(offset, pieces);
        if (errno != 0)
            return errno;
        ulong written = offset + IoVector.Total(pieces);
        for (ulong end = Volatile.Read(ref _end); end < written;)
        {
            ulong seen = Interlocked.CompareExchange(ref _end, written, end);
            end = seen == end ? written : seen;
        }

        return 0;
    }

    public int Flush() => IsShorter && !IsReadOnly ? Errno.EIO : file.Flush();

    public int Discard(ulong offset, ulong length) => IsShorter ? Errno.EIO : file.Discard(offset, length);

    public void Dispose() => file.Dispose();
}
