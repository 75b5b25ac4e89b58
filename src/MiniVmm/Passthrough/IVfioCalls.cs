namespace MiniVmm.Passthrough;

/// <summary>
/// The system calls by which VFIO is used; a test puts a made-up kernel in their place. Each gives the errno negated where
/// it fails, and calls again where a signal gets in between.
/// </summary>
internal interface IVfioCalls
{
    /// <summary>Bytes that this process may lock (RLIMIT_MEMLOCK); null for no limit.</summary>
    ulong? LockableMemory { get; }

    /// <summary>Opens a file for reading and writing.</summary>
    int Open(string path);

    void Close(int fd);

    int Ioctl(int fd, uint request, nint argument);

    /// <summary>Maps part of a device's file, shared, readable and perhaps writable.</summary>
    /// <returns>Its address.</returns>
    nint Map(int fd, ulong offset, ulong length, bool isWritable);

    void Unmap(nint address, ulong length);

    /// <summary>pread(2).</summary>
    nint Read(int fd, ulong offset, Span<byte> data);

    /// <summary>pwrite(2).</summary>
    nint Write(int fd, ulong offset, ReadOnlySpan<byte> data);
}
