using MiniVmm.Host;

namespace MiniVmm.Virtio.Block;

/// <summary>
/// Tells the user that the host's disk fails, once for each thing that fails in each way: a guest repeats its
/// requests, and each is a failure again.
/// </summary>
/// <param name="subject">What the lines start with.</param>
/// <param name="warn">Takes a line; called by one thread at a time.</param>
internal sealed class BlockWarnings(string subject, Action<string> warn)
{
    private const int Unexpected = -1; // no errno
    private readonly HashSet<(BlockOperation Operation, int Errno)> _told = [];

    public void Failed(BlockOperation operation, ulong offset, int errno)
    {
        lock (_told)
        {
            if (_told.Add((operation, errno)))
                Tell(operation, offset, Why(operation, errno));
        }
    }

    /// <summary>Where something failed in a way that no errno stands for.</summary>
    public void Threw(BlockOperation operation, ulong offset, Exception failure)
    {
        lock (_told)
        {
            if (_told.Add((operation, Unexpected)))
                Tell(operation, offset, failure.Message);
        }
    }

    private void Tell(BlockOperation operation, ulong offset, string why) =>
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
            "a raw disk is not to look like another format at the next start; format=raw lets the guest write what it likes",
        _ => ProcessLimit.Explain(errno),
    };
}
