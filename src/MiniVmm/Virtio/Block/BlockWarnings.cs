using MiniVmm.Host;

namespace MiniVmm.Virtio.Block;

/// <summary>
/// Warns the user that the host's disk fails, once for each operation and errno: a guest repeats its requests, and each
/// fails again.
/// </summary>
/// <param name="subject">What the warnings start with.</param>
/// <param name="warn">Takes a line; called by one thread at a time.</param>
internal sealed class BlockWarnings(NamedOption subject, Action<OptionMessage> warn)
{
    private const int Unexpected = -1; // no errno
    private readonly HashSet<(BlockOperation Operation, int Errno)> _told = [];

    public void Failed(BlockOperation operation, ulong offset, int errno)
    {
        lock (_told)
        {
            if (_told.Add((operation, errno)))
                Report(operation, offset, Why(operation, errno));
        }
    }

    /// <summary>Reports a failure that has no errno.</summary>
    public void Threw(BlockOperation operation, ulong offset, Exception failure)
    {
        lock (_told)
        {
            if (_told.Add((operation, Unexpected)))
                Report(operation, offset, failure.Message);
        }
    }

    private void Report(BlockOperation operation, ulong offset, string why) =>
        warn($"{subject}: {What(operation, offset)} failed: {why}; the guest gets an I/O error");

    private static string What(BlockOperation operation, ulong offset) => operation switch
    {
        BlockOperation.Read => $"a read at byte {offset}",
        BlockOperation.Write => $"a write at byte {offset}",
        BlockOperation.Flush => "a flush",
        BlockOperation.Discard => "a discard",
        _ => "writing zeroes",
    };

    private static string Why(BlockOperation operation, int errno) => (operation, errno) switch
    {
        (_, Errno.EIO) => $"{Errno.Explain(errno)}: the disk below is faulty, or the file became shorter",
        (BlockOperation.Write, Errno.EPERM) =>
            "a probed raw disk must not look like another format at the next start; format=raw allows any write",
        _ => ProcessLimit.Explain(errno),
    };
}
