using MiniVmm.Host;

namespace MiniVmm.Storage.Qcow2;

/// <summary>
/// The file below an image: only what qcow2 needs of it, so that tests can cut the power between two writes. From any
/// thread; each call returns 0 or the errno, none throws.
/// </summary>
internal interface IImageFile : IDisposable
{
    /// <summary>What errors about it start with.</summary>
    NamedOption Subject { get; }

    bool IsReadOnly { get; }

    /// <summary>Bytes in it now.</summary>
    ulong Length { get; }

    /// <summary>
    /// Reads; missing bytes before <paramref name="expected"/> are EIO, missing bytes after it are zeroes.
    /// </summary>
    int Read(ulong offset, ReadOnlySpan<IoVector> pieces, ulong expected);

    /// <summary>Writes; past the end, the file grows, with zeroes in between.</summary>
    int Write(ulong offset, ReadOnlySpan<IoVector> pieces);

    /// <summary>Puts what was written before on stable storage: no later write gets there ahead of it.</summary>
    int Flush();

    /// <summary>Discards bytes: they may read as anything afterwards.</summary>
    int Discard(ulong offset, ulong length);
}

/// <summary>
/// A disk's file on the host. What was there at first, or was written since, does not go away by itself: once the file
/// is shorter than that, missing bytes do not read as zeroes, and every later write and flush fails.
/// </summary>
internal sealed class HostImageFile(DiskFile file) : IImageFile
{
    private ulong _end = file.Length;

    public NamedOption Subject => file.Subject;

    public bool IsReadOnly => file.IsReadOnly;

    public ulong Length => file.Length;

    private bool IsShorter
    {
        get
        {
            // In this order: the file may grow in between, and both values are right then.
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
