using MiniVmm.Devices;
using MiniVmm.Execution;
using MiniVmm.Gdb;
using MiniVmm.Memory;

namespace MiniVmm.Tests.Gdb;

/// <summary>A machine without vCPUs that cannot be stopped when a test says so.</summary>
internal sealed class HeldUpMachine : IDebuggedMachine
{
    private int _refusals;
    private int _refused;

    public IReadOnlyList<VcpuThread> Vcpus => [];

    public GuestMemory Memory { get; } = new([]);

    public IReadOnlyList<(string Name, Bus Bus)> Buses => [];

    public bool CanHoldInterrupts => false;

    public bool MissesWatchpoints => false;

    public int ExtendedStateSize => 0;

    /// <summary>How often it has not been stopped.</summary>
    public int Refused => Volatile.Read(ref _refused);

    /// <summary>Counts the stops that came about.</summary>
    public SemaphoreSlim Held { get; } = new(0);

    /// <summary>Counts how often it was let go on.</summary>
    public SemaphoreSlim Released { get; } = new(0);

    /// <summary>So many of the next stops fail.</summary>
    public void RefuseToStop(int times) => Volatile.Write(ref _refusals, times);

    public string ExplainDeath(VcpuThread vcpu) => throw new NotSupportedException();

    public void Hold()
    {
        if (Volatile.Read(ref _refusals) > 0)
        {
            Interlocked.Decrement(ref _refusals);
            Interlocked.Increment(ref _refused);
            throw new HostLimitException("vCPU 0 is held up by a device");
        }

        Held.Release();
    }

    public void Release() => Released.Release();

    public void End(StopReason reason) => throw new NotSupportedException();
}
