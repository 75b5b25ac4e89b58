namespace MiniVmm.Execution;

/// <summary>
/// One word that a vCPU's run loop looks at before each entry: whether it is to come out and ask what is wanted. Written
/// from any thread; a kick after it brings out a vCPU that is in the guest.
/// </summary>
internal sealed class Attention
{
    private int _wanted;

    public bool IsWanted => Volatile.Read(ref _wanted) != 0;

    /// <summary>Allocates nothing and takes no lock: vCPU threads call it.</summary>
    public void Ask() => Volatile.Write(ref _wanted, 1);

    /// <summary>
    /// Called by the vCPU's thread before it looks at what is wanted: whoever asks later than that look sets it anew.
    /// </summary>
    public void Clear()
    {
        Volatile.Write(ref _wanted, 0);
        Interlocked.MemoryBarrier();
    }
}
