namespace MiniVmm.Devices;

/// <summary>
/// Guards a device's registers for a few instructions: never across a system call, nor a call out of the device.
/// It spins, and so allocates nothing on a vCPU thread, not even when two meet (a monitor may).
/// </summary>
internal sealed class DeviceLock
{
    private SpinLock _lock = new(enableThreadOwnerTracking: false);

    /// <summary>Takes the lock until the result is disposed of.</summary>
    public Scope Hold()
    {
        bool taken = false;
        _lock.Enter(ref taken);
        return new Scope(this);
    }

    /// <summary>The lock while it is held; dispose of it once.</summary>
    public readonly ref struct Scope(DeviceLock owner)
    {
        public void Dispose() => owner._lock.Exit(useMemoryBarrier: true);
    }
}
