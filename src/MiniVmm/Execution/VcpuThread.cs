using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Execution;

/// <summary>
/// A vCPU and the thread that runs it: pinned and masked first, then in the <see cref="RunLoop"/> to the end.
/// </summary>
public sealed class VcpuThread : IDisposable
{
    private readonly KvmVcpu _vcpu;
    private readonly VcpuKick _kick;
    private readonly RunLoop _loop;
    private readonly bool _timed;
    private readonly int? _hostCpu;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _ready = new();
    private readonly StartGate _gate;
    private Exception? _failure;
    private bool _started;

    /// <param name="index">Position among the vCPUs, 0 for the boot processor.</param>
    /// <param name="vcpu">The vCPU, fully set up.</param>
    /// <param name="ports">The port bus.</param>
    /// <param name="memory">The memory bus.</param>
    /// <param name="ram">Guest RAM, to tell a page that the host could not provide from an address where nothing is.</param>
    /// <param name="lifecycle">Told of the end, and asked for it after every exit.</param>
    /// <param name="gate">Opens when every thread is ready.</param>
    /// <param name="hostCpu">Host CPU to be pinned to, or null.</param>
    /// <param name="timed">
    /// Whether to measure the time inside and outside of the guest; costs two clock readings an exit.
    /// </param>
    public VcpuThread(
        int index, KvmVcpu vcpu, Bus ports, Bus memory, GuestMemory ram, Lifecycle lifecycle, StartGate gate,
        int? hostCpu, bool timed)
    {
        Index = index;
        _vcpu = vcpu;
        _gate = gate;
        _hostCpu = hostCpu;
        _timed = timed;
        Statistics = new VcpuStatistics();
        _kick = new VcpuKick(vcpu);
        _loop = new RunLoop(index, vcpu, ports, memory, lifecycle, Statistics, ram: ram);
        _thread = new Thread(Main, maxStackSize: 256 * 1024) { IsBackground = true, Name = $"vcpu{index}" };
    }

    /// <summary>Position among the vCPUs, 0 for the boot processor.</summary>
    public int Index { get; }

    public KvmVcpu Vcpu => _vcpu;

    /// <summary>What the thread counted; whole once it has ended.</summary>
    public VcpuStatistics Statistics { get; }

    /// <summary>The errno that KVM_RUN failed with, 0 if it did not.</summary>
    public int EntryError => _loop.EntryError;

    /// <inheritdoc cref="RunLoop.UnavailableAddress"/>
    public ulong? UnavailableAddress => _loop.UnavailableAddress;

    /// <summary>Starts the thread; it prepares itself, waits for the others, and enters the guest.</summary>
    /// <exception cref="HostLimitException">The host has no thread left.</exception>
    public void Start()
    {
        try
        {
            _thread.Start();
            _started = true;
        }
        catch (OutOfMemoryException e)
        {
            throw new HostLimitException(
                $"--smp: the host has no thread for vCPU {Index}; look at ulimit -u and the cgroup's pids.max", e);
        }
    }

    /// <summary>Waits until the thread is pinned and ready to enter the guest.</summary>
    /// <exception cref="HostLimitException">It could not be; says why.</exception>
    public void WaitUntilReady()
    {
        _ready.Wait();
        if (_failure is not null)
            throw _failure;
    }

    /// <summary>Brings the vCPU out of the guest, to look at the lifecycle.</summary>
    public void Kick() => _kick.Send();

    /// <summary>Waits for the thread's end; at once where it was never started.</summary>
    public void Join()
    {
        if (_started)
            _thread.Join();
    }

    /// <summary>Closes the vCPU; its thread must have ended.</summary>
    public void Dispose()
    {
        _ready.Dispose();
        _vcpu.Dispose();
    }

    private void Main()
    {
        try
        {
            Prepare();
        }
        catch (Exception failure) when (failure is VmmException or SystemCallException)
        {
            _failure = failure;
            _ready.Set();
            return;
        }

        _ready.Set();
        _gate.PassWithAll();
        long before = GC.GetAllocatedBytesForCurrentThread();
        if (_timed)
        {
            TimeProbe probe = new(Statistics);
            _loop.Run(ref probe);
        }
        else
        {
            NoProbe probe = default;
            _loop.Run(ref probe);
        }

        Statistics.AllocatedBytes = GC.GetAllocatedBytesForCurrentThread() - before;
        _kick.Detach();
    }

    private void Prepare()
    {
        if (_hostCpu is { } cpu)
            PinList.PinThisThread(cpu, $"vCPU {Index}");

        _kick.Attach();
    }
}
