using MiniVmm.Devices;
using MiniVmm.Virtio;

namespace MiniVmm.Tests.Virtio;

/// <summary>Counts what a device tells its driver; from any thread.</summary>
public sealed class FakeInterrupt : IVirtioInterrupt
{
    private readonly int[] _used = new int[64];
    private int _changes;
    private int _resets;

    /// <summary>Configuration changes so far.</summary>
    public int Changes => Volatile.Read(ref _changes);

    /// <summary>How often the device asked for a reset.</summary>
    public int Resets => Volatile.Read(ref _resets);

    /// <summary>Interrupts of a queue so far.</summary>
    public int Used(int queue) => Volatile.Read(ref _used[queue]);

    public void QueueUsed(int queue) => Interlocked.Increment(ref _used[queue]);

    public void ConfigurationChanged() => Interlocked.Increment(ref _changes);

    public void NeedsReset() => Interlocked.Increment(ref _resets);
}

/// <summary>An interrupt line that counts its edges; from any thread.</summary>
public sealed class FakeTrigger : IInterruptTrigger
{
    private int _count;

    public int Count => Volatile.Read(ref _count);

    public void Trigger() => Interlocked.Increment(ref _count);
}
