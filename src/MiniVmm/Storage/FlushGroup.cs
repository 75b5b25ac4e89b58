namespace MiniVmm.Storage;

/// <summary>
/// Flushes of one file through the page cache. Those requested while one runs share the next one, which begins after
/// everything that they cover was written.
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
    /// After a flush has failed, every later flush fails too: Linux marks pages that it could not write as clean, and
    /// reports that to one caller only (fsync(2)). A later or concurrent success would be about other pages.
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

    /// <summary>
    /// Waits for another caller's flush that covers this one; false if there is none and the caller must flush.
    /// </summary>
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
