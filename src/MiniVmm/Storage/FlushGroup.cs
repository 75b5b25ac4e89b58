namespace MiniVmm.Storage;

/// <summary>
/// Flushes of one file through the page cache. Those that are asked for while one runs share the next: it begins after
/// all they are about was written.
/// </summary>
/// <param name="flush">Waits until all that was written is on stable storage; 0 or the errno.</param>
internal sealed class FlushGroup(Func<int> flush)
{
    private readonly object _gate = new();
    private ulong _begun;
    private ulong _done;
    private bool _runs;
    private int _lost;
    private int _waiting;

    /// <summary>Callers that wait for another's flush.</summary>
    internal int Waiting => Volatile.Read(ref _waiting);

    /// <returns>0 or the errno.</returns>
    /// <remarks>
    /// Once one failed all fail: Linux takes pages that it could not write for clean, and says so to one caller
    /// (fsync(2)). A success after that, or beside it, would be about other pages.
    /// </remarks>
    public int Flush()
    {
        if (IsDone(out int lost))
            return lost;
        int errno = flush();
        lock (_gate)
        {
            _lost = errno;
            _done = _begun;
            _runs = false;
            Monitor.PulseAll(_gate);
            return errno;
        }
    }

    /// <summary>Waits for another's flush that does for this one; false where there is none, and the caller's begins.</summary>
    private bool IsDone(out int lost)
    {
        lock (_gate)
        {
            ulong enough = _begun + 1;
            _waiting++;
            while (_runs && _done < enough)
                Monitor.Wait(_gate);
            _waiting--;
            lost = _lost;
            if (_done >= enough || lost != 0)
                return true;
            _begun++;
            _runs = true;
            return false;
        }
    }
}
