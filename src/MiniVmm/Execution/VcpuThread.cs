using System.Diagnostics;
using MiniVmm.Devices;
using MiniVmm.Kvm;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Execution;

/// <summary>
/// A vCPU and the thread that runs it. From the first entry to the last exit the thread allocates nothing,
/// boxes nothing, awaits nothing, and takes no lock that another thread holds across a system call.
/// </summary>
public sealed unsafe class VcpuThread : IDisposable
{
    private readonly KvmVcpu _vcpu;
    private readonly Bus _ports;
    private readonly Bus _memory;
    private readonly Lifecycle _lifecycle;
    private readonly bool _timed;
    private readonly int? _hostCpu;
    private readonly Thread _thread;
    private readonly ManualResetEventSlim _ready = new();
    private readonly ManualResetEventSlim _go;
    private Exception? _failure;
    private bool _started;
    private int _threadId;

    /// <param name="index">Position among the vCPUs, 0 for the boot processor.</param>
    /// <param name="vcpu">The vCPU, fully set up.</param>
    /// <param name="ports">The port bus.</param>
    /// <param name="memory">The memory bus.</param>
    /// <param name="lifecycle">Told of the end, and asked for it after every exit.</param>
    /// <param name="go">Opened when every thread is ready.</param>
    /// <param name="hostCpu">Host CPU to be pinned to, or null.</param>
    /// <param name="timed">
    /// Whether to measure the time inside and outside of the guest; costs two clock readings an exit.
    /// </param>
    public VcpuThread(
        int index, KvmVcpu vcpu, Bus ports, Bus memory, Lifecycle lifecycle, ManualResetEventSlim go, int? hostCpu,
        bool timed)
    {
        Index = index;
        _vcpu = vcpu;
        _ports = ports;
        _memory = memory;
        _lifecycle = lifecycle;
        _go = go;
        _hostCpu = hostCpu;
        _timed = timed;
        Statistics = new VcpuStatistics();
        _thread = new Thread(Main, maxStackSize: 256 * 1024) { IsBackground = true, Name = $"vcpu{index}" };
    }

    /// <summary>Position among the vCPUs, 0 for the boot processor.</summary>
    public int Index { get; }

    public KvmVcpu Vcpu => _vcpu;

    /// <summary>What the thread counted; whole once it has ended.</summary>
    public VcpuStatistics Statistics { get; }

    /// <summary>The errno that KVM_RUN failed with, 0 if it did not.</summary>
    public int EntryError { get; private set; }

    /// <summary>Starts the thread; it prepares itself and waits for the word to go.</summary>
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

    /// <summary>
    /// Brings the vCPU out of the guest, to look at the lifecycle. The flag is for a thread on its way in, the
    /// signal for one that is inside (api.rst, 5: immediate_exit).
    /// </summary>
    public void Kick()
    {
        int thread = Volatile.Read(ref _threadId);
        if (thread == 0)
            return;
        Volatile.Write(ref _vcpu.Run->immediate_exit, 1);
        KickSignal.Send(thread);
    }

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
        catch (Exception failure) when (failure is VmmException or KvmException)
        {
            _failure = failure;
        }

        _ready.Set();
        if (_failure is not null)
            return;
        _go.Wait();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Loop();
        Statistics.AllocatedBytes = GC.GetAllocatedBytesForCurrentThread() - before;
        Volatile.Write(ref _threadId, 0);
    }

    private void Prepare()
    {
        if (_hostCpu is { } cpu)
        {
            cpu_set_t set = default;
            CPU_SET(cpu, &set);
            if (sched_setaffinity(0, SizeOf.cpu_set_t, &set) != 0)
            {
                throw new HostLimitException(
                    $"--pin: vCPU {Index} cannot run on host CPU {cpu}: {Errno.Explain(errno)}");
            }
        }

        _vcpu.SetSignalMask(KickSignal.BlockOnThisThread());
        Volatile.Write(ref _threadId, Linux.GetTid());
    }

    /// <summary>The run loop: enter, see why it came out, serve it, again. No allocation from here on.</summary>
    private void Loop()
    {
        kvm_run* run = _vcpu.Run;
        int length = _vcpu.RunSize;
        VcpuStatistics statistics = Statistics;
        long mark = _timed ? Stopwatch.GetTimestamp() : 0;
        while (!_lifecycle.IsStopping)
        {
            int error = _vcpu.Enter();
            if (_timed)
                mark = statistics.CameOut(mark);
            if (error != 0)
            {
                if (!Reenter(run, error))
                    return;
            }
            else
            {
                ExitDecoder.Decode(run, length, out VmExit exit);
                statistics.Count((uint)run->exit_reason);
                Serve(ref exit);
            }

            if (_timed)
                mark = statistics.GoesIn(mark);
        }
    }

    /// <summary>
    /// KVM_RUN came back with an errno: a kick (EINTR) or a woken application processor (EAGAIN) goes on.
    /// </summary>
    private bool Reenter(kvm_run* run, int error)
    {
        if (error == EINTR)
        {
            Statistics.Count((uint)KvmExitReason.KVM_EXIT_INTR);

            // In this order: a kick that comes after the flag is cleared sets it again and is seen by the next entry.
            Volatile.Write(ref run->immediate_exit, 0);
            KickSignal.Drain();
            return true;
        }

        if (error == EAGAIN)
            return true;
        EntryError = error;
        _lifecycle.Stop(new(StopKind.Crash, (uint)Index));
        return false;
    }

    private void Serve(ref VmExit exit)
    {
        switch (exit.Kind)
        {
            case ExitKind.PortWrite:
                for (uint i = 0; i < exit.Count; i++)
                    _ports.Write(exit.Address, new ReadOnlySpan<byte>(exit.Data + i * exit.Size, exit.Size));
                break;
            case ExitKind.PortRead:
                for (uint i = 0; i < exit.Count; i++)
                    _ports.Read(exit.Address, new Span<byte>(exit.Data + i * exit.Size, exit.Size));
                break;
            case ExitKind.MmioWrite:
                _memory.Write(exit.Address, new ReadOnlySpan<byte>(exit.Data, exit.Size));
                break;
            case ExitKind.MmioRead:
                _memory.Read(exit.Address, new Span<byte>(exit.Data, exit.Size));
                break;
            case ExitKind.SystemShutdown:
                _lifecycle.PowerOff();
                break;
            case ExitKind.SystemReset:
                _lifecycle.Reset();
                break;
            case ExitKind.Nothing:
                break;
            default:
                _lifecycle.Stop(new(StopKind.Crash, (uint)Index));
                break;
        }
    }
}
