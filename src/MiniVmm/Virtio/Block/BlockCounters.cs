namespace MiniVmm.Virtio.Block;

/// <summary>What a disk did for its guest; counted on several threads.</summary>
internal sealed class BlockCounters
{
    private long _reads;
    private long _readBytes;
    private long _writes;
    private long _writtenBytes;
    private long _flushes;
    private long _discards;
    private long _failures;

    public void Count(BlockRequest request, BlockStatus status)
    {
        if (status != BlockStatus.Ok)
        {
            Interlocked.Increment(ref _failures);
            return;
        }

        switch (request.Operation)
        {
            case BlockOperation.Read:
                Interlocked.Increment(ref _reads);
                Interlocked.Add(ref _readBytes, (long)request.Length);
                break;
            case BlockOperation.Write:
                Interlocked.Increment(ref _writes);
                Interlocked.Add(ref _writtenBytes, (long)request.Length);
                break;
            case BlockOperation.Flush:
                Interlocked.Increment(ref _flushes);
                break;
            case BlockOperation.Discard or BlockOperation.WriteZeroes:
                Interlocked.Increment(ref _discards);
                break;
            default:
                break;
        }
    }

    public IReadOnlyDictionary<string, long> Read() => new Dictionary<string, long>
    {
        ["reads"] = Volatile.Read(ref _reads),
        ["readBytes"] = Volatile.Read(ref _readBytes),
        ["writes"] = Volatile.Read(ref _writes),
        ["writtenBytes"] = Volatile.Read(ref _writtenBytes),
        ["flushes"] = Volatile.Read(ref _flushes),
        ["discards"] = Volatile.Read(ref _discards),
        ["failures"] = Volatile.Read(ref _failures),
    };
}
