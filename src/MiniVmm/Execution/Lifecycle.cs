using MiniVmm.Devices;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Execution;

/// <summary>Why a virtual machine ended.</summary>
public enum StopKind
{
    /// <summary>It has not.</summary>
    None,
    PowerOff,
    Reset,

    /// <summary>A write to the debug-exit port.</summary>
    DebugExit,

    /// <summary>A vCPU halted in a machine without interrupt controllers, where nothing can wake it.</summary>
    Halted,

    /// <summary>Triple fault, KVM internal error, failed entry, or an exit that nothing handles.</summary>
    Crash,

    /// <summary>The host could not provide a page of guest RAM: its file system, huge pages or memory ran out.</summary>
    RamUnavailable,

    /// <summary>The time that it was given ran out.</summary>
    Timeout,

    /// <summary>SIGINT, SIGTERM, SIGHUP, SIGQUIT, or Ctrl-A x.</summary>
    Interrupted,

    /// <summary>The console cannot be written any more: its reader is gone (EPIPE), its disk is full, …</summary>
    OutputClosed,
}

/// <summary>The end of a virtual machine.</summary>
/// <param name="Kind">Why.</param>
/// <param name="Value">
/// The value of a debug exit, the index of the vCPU that halted, crashed or reached the page, or the errno of a closed output.
/// </param>
public readonly record struct StopReason(StopKind Kind, uint Value = 0)
{
    /// <summary>Whether the host ran out of something: RAM, or room for the console's text.</summary>
    public bool IsHostLimit =>
        Kind == StopKind.RamUnavailable || (Kind == StopKind.OutputClosed && Value != Errno.EPIPE);
}

/// <summary>
/// The one answer to "is it over, and why": the first reason given is kept. Safe from any thread; allocates
/// nothing and takes no lock, as vCPU threads call it.
/// </summary>
public sealed class Lifecycle : IPowerControl, IDisposable
{
    private readonly EventFd _ended = new();
    private readonly Lock _watching = new();
    private Attention[] _vcpus = [];
    private Thread? _runner;
    private long _reason; // kind and value in one, so that whoever sees a stop sees all of its reason

    /// <summary>Whether vCPU threads should leave their loops.</summary>
    public bool IsStopping => Volatile.Read(ref _reason) != 0;

    /// <summary>The reason, of kind <see cref="StopKind.None"/> while the machine runs.</summary>
    public StopReason Reason
    {
        get
        {
            long packed = Volatile.Read(ref _reason);
            return new((StopKind)(packed >> 32), (uint)packed);
        }
    }

    /// <summary>
    /// Ends the machine for this reason, unless it had one. Text of a guest that is lost after the guest has powered off takes the
    /// place of that: it is written beside the vCPUs, and none of it may be lost in silence.
    /// </summary>
    public void Stop(StopReason reason)
    {
        long wanted = ((long)reason.Kind << 32) | reason.Value;
        long before = Interlocked.CompareExchange(ref _reason, wanted, 0);
        if (before != 0)
        {
            if (reason is { Kind: StopKind.OutputClosed, IsHostLimit: true } && (StopKind)(before >> 32) is StopKind.PowerOff or StopKind.Reset)
                _ = Interlocked.CompareExchange(ref _reason, wanted, before);
            return;
        }

        foreach (Attention vcpu in Volatile.Read(ref _vcpus))
            vcpu.Ask();
        _ended.Signal();
    }

    /// <summary>Has a vCPU's loop come out at the end.</summary>
    internal void Watch(Attention vcpu)
    {
        lock (_watching)
            Volatile.Write(ref _vcpus, [.. _vcpus, vcpu]);
        Interlocked.MemoryBarrier(); // either it sees the end, or whoever ends it sees the vCPU
        if (IsStopping)
            vcpu.Ask();
    }

    public void PowerOff() => Stop(new(StopKind.PowerOff));

    public void Reset() => Stop(new(StopKind.Reset));

    public void DebugExit(uint value) => Stop(new(StopKind.DebugExit, value));

    /// <summary>Waits for the end; stops the machine itself when <paramref name="timeout"/> runs out.</summary>
    /// <param name="timeout">Longest wait, or null for none.</param>
    /// <param name="look">Called now and again meanwhile: it says how many milliseconds until the next time, or -1 for no more.</param>
    public unsafe StopReason Wait(TimeSpan? timeout, Func<int>? look = null)
    {
        long deadline = timeout is { } limit ? Environment.TickCount64 + (long)limit.TotalMilliseconds : long.MaxValue;
        while (!IsStopping)
        {
            long left = deadline - Environment.TickCount64;
            if (left <= 0)
            {
                Stop(new(StopKind.Timeout));
                break;
            }

            int wait = timeout is null ? -1 : (int)Math.Min(left, int.MaxValue);
            int next = look?.Invoke() ?? -1;
            if (next < 0)
                look = null;
            else
                wait = wait < 0 ? next : Math.Min(wait, next);
            pollfd ended = new() { fd = _ended.Fd, events = POLLIN };
            _ = poll(&ended, 1, wait);
        }

        return Reason;
    }

    /// <summary>
    /// Has a machine's whole run done on a thread of its own, so that no thread of the caller's waits for the guest.
    /// </summary>
    /// <param name="run">Starts the machine, and returns at its end.</param>
    /// <param name="cancellation">Ends it, for <see cref="StopKind.Interrupted"/>.</param>
    /// <returns>What <paramref name="run"/> returns or throws.</returns>
    /// <exception cref="InvalidOperationException">It runs already, or has run.</exception>
    /// <exception cref="HostLimitException">The host has no thread left.</exception>
    internal Task<StopReason> RunAsync(Func<StopReason> run, CancellationToken cancellation)
    {
        TaskCompletionSource<StopReason> end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Thread thread = new(Run, maxStackSize: 256 * 1024) { IsBackground = true, Name = "machine" };
        if (Interlocked.CompareExchange(ref _runner, thread, null) is not null)
            throw new InvalidOperationException("a machine runs once");
        try
        {
            thread.Start();
        }
        catch (OutOfMemoryException e)
        {
            throw new HostLimitException(
                "the host has no thread for the machine; look at ulimit -u and the cgroup's pids.max", e);
        }

        return end.Task;

        void Run()
        {
            try
            {
                using CancellationTokenRegistration cancel =
                    cancellation.Register(() => Stop(new(StopKind.Interrupted)));
                end.SetResult(run());
            }
#pragma warning disable CA1031 // whatever it is, the task has it
            catch (Exception failure)
#pragma warning restore CA1031
            {
                end.SetException(failure);
            }
        }
    }

    /// <summary>Waits for the thread of <see cref="RunAsync"/>, if there is one; the machine must have been stopped.</summary>
    internal void JoinRun()
    {
        if (_runner is { IsAlive: true } runner)
            runner.Join();
    }

    public void Dispose() => _ended.Dispose();
}
