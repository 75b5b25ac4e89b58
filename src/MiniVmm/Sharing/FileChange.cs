using MiniVmm.Host;

namespace MiniVmm.Sharing;

/// <summary>What a guest has changed of a file's attributes.</summary>
internal readonly record struct FileChange
{
    public FileChange()
    {
    }

    /// <summary>Permission bits; null for those that it has.</summary>
    public uint? Mode { get; init; }

    /// <summary>Owner; all ones for the one that it has.</summary>
    public uint User { get; init; } = uint.MaxValue;

    /// <summary>Group; all ones for the one that it has.</summary>
    public uint Group { get; init; } = uint.MaxValue;

    /// <summary>Bytes; null for those that it has.</summary>
    public ulong? Size { get; init; }

    /// <summary>When it was read, as utimensat(2) has it.</summary>
    public FolderCalls.timespec_x86_64 Accessed { get; init; } = new() { tv_nsec = FolderCalls.UTIME_OMIT };

    /// <summary>When it was written.</summary>
    public FolderCalls.timespec_x86_64 Modified { get; init; } = new() { tv_nsec = FolderCalls.UTIME_OMIT };
}
