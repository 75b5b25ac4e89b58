namespace MiniVmm.Execution;

/// <summary>
/// Lets threads go when all of them have come, without a word from anyone else: nobody enters the guest while another
/// can still fail to get ready.
/// </summary>
/// <param name="threads">How many will come.</param>
public sealed class StartGate(int threads) : IDisposable
{
    private readonly ManualResetEventSlim _open = new();
    private int _missing = threads;

    /// <summary>Comes, and waits for the rest.</summary>
    public void PassWithAll()
    {
        if (Interlocked.Decrement(ref _missing) == 0)
            _open.Set();
        _open.Wait();
    }

    /// <summary>Lets those go that have come, since others never will.</summary>
    public void Open() => _open.Set();

    public void Dispose() => _open.Dispose();
}
