using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Machine;

namespace MiniVmm.Measurement;

/// <summary>A thread that works with the guest while a loop runs.</summary>
internal interface IPartner : IDisposable
{
    /// <summary>Starts it and waits until it is ready; disposing of it ends it.</summary>
    void Start(Lifecycle run);
}

/// <summary>Blocks in read() on a doorbell, and is woken by each ring: what a device's thread does.</summary>
internal sealed class DoorbellReader(EventFd doorbell, int? cpu) : IPartner
{
    private readonly PartnerThread _thread = new("reader", cpu);
    private bool _stop;

    public void Start(Lifecycle run) => _thread.Start(() =>
    {
        while (!Volatile.Read(ref _stop))
            doorbell.Read();
    });

    public void Dispose()
    {
        Volatile.Write(ref _stop, true);
        doorbell.Signal();
        _thread.Dispose();
    }
}

/// <summary>
/// Waits until the vCPU has entered the guest and had time to halt or to get busy, records the time, and acts: once for
/// each turn.
/// </summary>
/// <param name="entries">The vCPU's count of entries.</param>
/// <param name="turns">How often.</param>
/// <param name="stamps">Where each act's time goes.</param>
/// <param name="delay">Ticks from entry to act.</param>
/// <param name="cpu">Host CPU, or null.</param>
/// <param name="act">What it does; allocates nothing.</param>
/// <param name="beat">
/// Reads what the guest changes for as long as it runs, in a loop that has no end of its own: it is seen to run before
/// the act, and the last act ends it. Null where it halts.
/// </param>
internal sealed unsafe class Prodder(
    long* entries, int turns, Memory<long> stamps, long delay, int? cpu, Action act, Func<uint>? beat) : IPartner
{
    private readonly PartnerThread _thread = new("partner", cpu);

    public void Start(Lifecycle run) => _thread.Start(() =>
    {
        for (int turn = 0; turn < turns; turn++)
        {
            if (!WaitForEntry(turn, run))
                return;
            if (beat is not null && turn == turns - 1)
                run.PowerOff();
            stamps.Span[turn] = Tsc.Read();
            act();
        }
    });

    public void Dispose() => _thread.Dispose();

    private bool WaitForEntry(int turn, Lifecycle run)
    {
        while (Volatile.Read(ref *entries) <= turn)
        {
            if (run.IsStopping)
                return false;
            Thread.Yield(); // where both share a CPU, the vCPU would never get there
        }

        uint before = beat?.Invoke() ?? 0;
        while (beat is not null && beat() == before)
        {
            if (run.IsStopping)
                return false;
            Thread.Yield();
        }

        long due = Tsc.Read() + delay;
        while (Tsc.Read() < due)
        {
            if (run.IsStopping)
                return false;
        }

        return true;
    }
}

/// <summary>Runs the second vCPU until the loop has ended.</summary>
internal sealed class SecondProcessor(KvmVcpu vcpu, MachineCore core, Func<bool> isReady, int? cpu) : IPartner
{
    private readonly PartnerThread _thread = new("vcpu1", cpu);
    private readonly VcpuKick _kick = new(vcpu);
    private readonly Lifecycle _lifecycle = new();

    public void Start(Lifecycle run)
    {
        _thread.Start(() =>
        {
            _kick.Attach();
            NoProbe probe = default;
            RunLoop loop = new(1, vcpu, core.Ports, core.Mmio, _lifecycle, new VcpuStatistics());
            loop.Run(ref probe);
            _kick.Detach();
            if (_lifecycle.Reason.Kind == StopKind.Crash)
                run.Stop(_lifecycle.Reason);
        });
        SpinWait wait = default;
        while (!isReady() && !run.IsStopping && !_lifecycle.IsStopping)
            wait.SpinOnce();
    }

    public void Dispose()
    {
        _lifecycle.PowerOff();
        _kick.Send();
        _thread.Dispose();
        _lifecycle.Dispose();
    }
}

/// <summary>A thread of a partner: named, and pinned where that was asked for.</summary>
internal sealed class PartnerThread(string name, int? cpu) : IDisposable
{
    private readonly ManualResetEventSlim _ready = new();
    private Thread? _thread;
    private VmmException? _failure;

    /// <exception cref="HostLimitException">The thread cannot be pinned.</exception>
    public void Start(Action work)
    {
        Thread thread = new(() => Main(work), maxStackSize: 256 * 1024) { IsBackground = true, Name = name };
        try
        {
            thread.Start();
        }
        catch (OutOfMemoryException e)
        {
            throw new HostLimitException(
                $"the host has no thread for the loop's {name}; look at ulimit -u and the cgroup's pids.max", e);
        }

        _thread = thread;
        _ready.Wait();
        if (_failure is not null)
            throw _failure;
    }

    /// <summary>Waits for its end.</summary>
    public void Dispose()
    {
        _thread?.Join();
        _ready.Dispose();
    }

    private void Main(Action work)
    {
        try
        {
            if (cpu is { } host)
                PinList.PinThisThread(host, $"the thread '{name}'");
            else
                PinList.UnpinThisThread();
        }
        catch (VmmException failure)
        {
            _failure = failure;
        }

        _ready.Set();
        if (_failure is null)
            work();
    }
}
