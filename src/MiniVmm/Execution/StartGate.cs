namespace MiniVmm.Execution;

/// <summary>
/// Lets threads go when all that take part have come: nobody enters the guest while another can still fail to get ready.
/// </summary>
/// <param name="parties">How many take part.</param>
public sealed class StartGate(int parties) : IDisposable
{
    private readonly ManualResetEventSlim _open = new();
    private int _missing = parties;

    /// <summary>Comes, and waits for the rest.</summary>
    public void PassWithAll()
    {
        Arrive();
        _open.Wait();
    }

    /// <summary>Comes, and has other things to do than to wait.</summary>
    public void Arrive()
    {
        if (Interlocked.Decrement(ref _missing) == 0)
            _open.Set();
    }

    /// <summary>Lets those go that have come, since others never will.</summary>
    public void Open() => _open.Set();

    public void Dispose() => _open.Dispose();
}
