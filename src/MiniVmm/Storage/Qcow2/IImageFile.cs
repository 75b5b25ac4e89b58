using MiniVmm.Virtio;

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

/// <summary>A disk's file on the host.</summary>
internal sealed class HostImageFile(DiskFile file) : IImageFile
{
    public string Subject => file.Subject;

    public bool IsReadOnly => file.IsReadOnly;

    public ulong Length => file.Length;

    public int Read(ulong offset, ReadOnlySpan<IoVector> pieces, ulong expected) => file.Read(offset, pieces, expected);

    public int Write(ulong offset, ReadOnlySpan<IoVector> pieces) => file.Write(offset, pieces);

    public int Flush() => file.Flush();

    public int Discard(ulong offset, ulong length) => file.Discard(offset, length);

    public void Dispose() => file.Dispose();
}
