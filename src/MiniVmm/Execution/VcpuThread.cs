using MiniVmm.Devices;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Execution;

/// <summary>What a vCPU's thread is at.</summary>
public enum VcpuState
{
    /// <summary>The thread has not been started, or is getting ready.</summary>
    Created,

    /// <summary>In the <see cref="RunLoop"/>.</summary>
    Running,

    /// <summary>Out of the guest, its last instruction finished, until it is resumed.</summary>
    Paused,

    /// <summary>Taken out of the machine, and as it was when it was new, until it is put in again.</summary>
    Parked,

    /// <summary>The thread has ended, or is about to.</summary>
    Stopped,
}

/// <summary>
/// A vCPU and the thread that runs it: pinned and masked first, then paused, then in the <see cref="RunLoop"/> whenever
/// it is not paused and no work for this thread is waiting, to the end.
/// </summary>
public sealed partial class VcpuThread : IDisposable
{
    private readonly KvmVcpu _vcpu;
    private readonly VcpuKick _kick;
    private readonly RunLoop _loop;
    private readonly Lifecycle _lifecycle;
    private readonly bool _timed;
    private readonly int? _hostCpu;
    private readonly GuestMemory _ram;
    private VcpuTrace? _trace; // the thread's own, or nobody's
    private Thread? _thread;
    private int _parked; // 1 while it is out of the machine

    // Guards what follows; its waiters are this thread, which waits for orders, and whoever waits for its answer.
    private readonly object _orders = new();
    private readonly Queue<VcpuWork> _work = new();
    private VcpuState _state;
    private bool _paused = true;
    private bool _held; // by a debugger
    private bool _entered; // since it was new
    private bool _started;
    private Exception? _failure;

    /// <param name="index">Position among the vCPUs, 0 for the boot processor.</param>
    /// <param name="vcpu">The vCPU, fully set up.</param>
    /// <param name="ports">The port bus.</param>
    /// <param name="memory">The memory bus.</param>
    /// <param name="ram">Guest RAM, to tell a page that the host could not provide from an address where nothing is.</param>
    /// <param name="lifecycle">Told of the end; ends the thread.</param>
    /// <param name="hostCpu">Host CPU to be pinned to, or null.</param>
    /// <param name="timed">
    /// Whether to measure the time inside and outside of the guest; costs two clock readings an exit.
    /// </param>
    /// <param name="assists">Whether instructions that KVM cannot emulate are completed, where that is exact.</param>
    public VcpuThread(
        int index, KvmVcpu vcpu, Bus ports, Bus memory, GuestMemory ram, Lifecycle lifecycle, int? hostCpu, bool timed,
        bool assists = true)
    {
        Index = index;
        _vcpu = vcpu;
        _lifecycle = lifecycle;
        _hostCpu = hostCpu;
        _timed = timed;
        _ram = ram;
        Statistics = new VcpuStatistics();
        _kick = new VcpuKick(vcpu);
        _loop = new RunLoop(index, vcpu, ports, memory, lifecycle, Statistics, ram: ram, assists: assists);
    }

    /// <summary>Position among the vCPUs, 0 for the boot processor.</summary>
    public int Index { get; }

    public KvmVcpu Vcpu => _vcpu;

    public VcpuState State
    {
        get
        {
            lock (_orders)
                return _state;
        }
    }

    /// <summary>Whether it is out of the machine, or is on its way: it runs nothing more.</summary>
    public bool IsParked => Volatile.Read(ref _parked) != 0;

    /// <summary>
    /// Brings the vCPU back to what it was when it was new, on its own thread, once it is out of the guest for good; null for one
    /// that always stays.
    /// </summary>
    internal Action<KvmVcpu>? Reset { get; set; }

    /// <summary>Takes exits that would end the machine; null for nobody. Before the start.</summary>
    internal IVcpuStops? Stops
    {
        set => _loop.Stops = value;
    }

    /// <summary>Takes down what the vCPU does, where its end is looked into; null for one that runs at full speed.</summary>
    internal FaultRecorder? Recorder { get; set; }

    /// <summary>What the thread counted; whole once it has ended.</summary>
    public VcpuStatistics Statistics { get; }

    /// <summary>Whether instructions that KVM cannot emulate are completed.</summary>
    internal bool Assists => _loop.Assists;

    /// <summary>The errno that KVM_RUN failed with, 0 if it did not.</summary>
    public int EntryError => _loop.EntryError;

    /// <summary>Whether its last exit was KVM_EXIT_SHUTDOWN, a triple fault. Only after its end.</summary>
    internal unsafe bool HasShutDown =>
        EntryError == 0 && (KvmExitReason)_vcpu.Run->exit_reason == KvmExitReason.KVM_EXIT_SHUTDOWN;

    /// <inheritdoc cref="RunLoop.UnavailableAddress"/>
    public ulong? UnavailableAddress => _loop.UnavailableAddress;

    /// <summary>Starts the thread, once; it prepares itself and is paused then, or parked.</summary>
    /// <exception cref="HostLimitException">The host has no thread left; it may have one later.</exception>
    public void Start()
    {
        try
        {
            lock (_orders)
            {
                if (_started)
                    return;
                _thread = new Thread(Main, maxStackSize: 256 * 1024) { IsBackground = true, Name = $"vcpu{Index}" };
                _thread.Start();
                _started = true;
            }
        }
        catch (OutOfMemoryException e)
        {
            throw new HostLimitException(
                $"{OptionName.Smp}: the host has no thread for vCPU {Index}; look at ulimit -u and the cgroup's pids.max", e);
        }
    }

    /// <summary>Has the vCPU come out of the guest; it may take until <see cref="WaitUntilOut"/> returns.</summary>
    public void Pause()
    {
        lock (_orders)
        {
            _paused = true;
            _loop.Attention.Ask();
        }

        _kick.Send();
    }

    /// <summary>Waits until the started thread is out of the guest, and its exits are served: paused, or ended.</summary>
    /// <param name="atMost">How long; null for as long as it takes, which is up to the device that it is in.</param>
    /// <returns>False where that was not enough.</returns>
    /// <exception cref="HostLimitException">It could not be pinned, and is not parked; says why.</exception>
    public bool WaitUntilOut(TimeSpan? atMost = null)
    {
        long end = atMost is { } limit ? Environment.TickCount64 + (long)limit.TotalMilliseconds : long.MaxValue;
        lock (_orders)
        {
            while (_state is VcpuState.Created or VcpuState.Running && (_started || !IsParked))
            {
                long left = end - Environment.TickCount64;
                if (left <= 0)
                    return false;
                _ = Monitor.Wait(_orders, (int)Math.Min(left, int.MaxValue));
            }

            return _failure is null || IsParked ? true : throw _failure;
        }
    }

    /// <summary>Lets it run.</summary>
    public void Resume()
    {
        lock (_orders)
        {
            _paused = false;
            Monitor.PulseAll(_orders);
        }
    }

    /// <summary>
    /// Has it wait before its next entry until <see cref="LetGo"/>, also where all others run: called by its own thread between two
    /// entries, or while it is paused.
    /// </summary>
    internal void Hold()
    {
        lock (_orders)
        {
            _held = true;
            _loop.Attention.Ask();
        }
    }

    /// <summary>Ends <see cref="Hold"/>.</summary>
    internal void LetGo()
    {
        lock (_orders)
        {
            _held = false;
            Monitor.PulseAll(_orders);
        }
    }

    /// <summary>
    /// Takes the vCPU out of the machine: it runs nothing more after its instruction. Without effect where it is out.
    /// Allocates nothing and takes no lock: vCPU threads call it, its own too.
    /// </summary>
    internal void Park()
    {
        if (Interlocked.Exchange(ref _parked, 1) != 0)
            return;
        _loop.Attention.Ask();
        _kick.Send();
    }

    /// <summary>Puts the vCPU into the machine, new; waits for it to be out first.</summary>
    /// <param name="atMost">How long the device that it is in may hold it up.</param>
    /// <returns>False where that was not enough: it is still out.</returns>
    /// <exception cref="HostLimitException">It could not be pinned, or KVM could not make it new again.</exception>
    internal bool Unpark(TimeSpan atMost)
    {
        long end = Environment.TickCount64 + (long)atMost.TotalMilliseconds;
        lock (_orders)
        {
            if (!IsParked)
                return true;
            Monitor.PulseAll(_orders); // it may be paused, and not have seen yet that it is out
            while (_started && _state is not (VcpuState.Parked or VcpuState.Stopped))
            {
                if (!WaitUntil(end))
                    return false;
            }

            if (_failure is not null)
                throw _failure;
            Volatile.Write(ref _parked, 0);
            Monitor.PulseAll(_orders);
            return true;
        }
    }

    /// <summary>Brings the thread out of the guest or its pause, to see that the machine has ended.</summary>
    public void Kick()
    {
        lock (_orders)
            Monitor.PulseAll(_orders);
        _kick.Send();
    }

    /// <summary>Waits for the thread's end; at once where it was never started.</summary>
    public void Join()
    {
        if (_started)
            _thread!.Join();
    }

    /// <summary>Closes the vCPU; its thread must have ended.</summary>
    public void Dispose() => _vcpu.Dispose();

    private void Main()
    {
        try
        {
            Prepare();
        }
        catch (Exception failure) when (failure is VmmException or SystemCallException)
        {
            _failure = failure;
            End();
            return;
        }

        while (AwaitEntry())
            Run();
        _kick.Detach();
        End();
    }

    private void Prepare()
    {
        if (_hostCpu is { } cpu)
            PinList.PinThisThread(cpu, $"vCPU {Index}");
        _kick.Attach();
    }

    private void Run()
    {
        _entered = true;
        _trace?.Claim();
        long before = GC.GetAllocatedBytesForCurrentThread() - _loop.AssistBytes;
        if (Recorder is not null)
        {
            _loop.Record(Recorder);
        }
        else if (_trace is not null)
        {
            TraceProbe probe = new(_trace);
            _loop.Run(ref probe);
        }
        else if (_timed)
        {
            TimeProbe probe = new(Statistics);
            _loop.Run(ref probe);
        }
        else
        {
            NoProbe probe = default;
            _loop.Run(ref probe);
        }

        Statistics.AllocatedBytes += GC.GetAllocatedBytesForCurrentThread() - _loop.AssistBytes - before;
    }

    /// <summary>Does what is waiting, and waits while it is paused.</summary>
    /// <returns>False at the machine's end.</returns>
    private bool AwaitEntry()
    {
        bool whole = !_entered;
        while (true)
        {
            lock (_orders)
            {
                _loop.Attention.Clear();
                if (_lifecycle.IsStopping)
                    return false;
                bool parked = IsParked;
                if (!_paused && !_held && !parked && _work.Count == 0)
                {
                    _state = VcpuState.Running;
                    return true;
                }

                if (whole)
                {
                    if (parked && _entered)
                        MakeNew();
                    DoWork();
                    if (!_paused && !_held && !parked)
                        continue;
                    _state = parked ? VcpuState.Parked : VcpuState.Paused;
                    Monitor.PulseAll(_orders);
                    Monitor.Wait(_orders);
                    continue;
                }
            }

            _loop.Complete(_trace); // without the lock: a device may hold it up
            whole = true;
        }
    }

    private void MakeNew()
    {
        try
        {
            Reset?.Invoke(_vcpu);
        }
        catch (Exception refusal) when (refusal is SystemCallException or VmmException)
        {
            _failure = new HostLimitException($"vCPU {Index} cannot be used again: {refusal.Message}", refusal);
        }

        _entered = false;
    }

    private void DoWork()
    {
        while (_work.TryDequeue(out VcpuWork? item))
            item.Do(_vcpu);
        Monitor.PulseAll(_orders);
    }

    private void End()
    {
        lock (_orders)
        {
            _state = VcpuState.Stopped;
            DoWork();
        }
    }

    /// <summary>Something to be done on the vCPU's thread, and how it went.</summary>
    private sealed class VcpuWork(Action<KvmVcpu> work)
    {
        private Exception? _failure;

        public bool IsDone { get; private set; }

        public void Do(KvmVcpu vcpu)
        {
            try
            {
                work(vcpu);
            }
#pragma warning disable CA1031 // thrown again where it was asked for
            catch (Exception failure)
#pragma warning restore CA1031
            {
                _failure = failure;
            }

            IsDone = true;
        }

        public void ThrowIfFailed()
        {
            if (_failure is not null)
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(_failure);
        }
    }
}
