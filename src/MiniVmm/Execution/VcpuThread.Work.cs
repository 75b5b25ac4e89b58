using MiniVmm.Kvm;
using MiniVmm.Tracing;

namespace MiniVmm.Execution;

/// <summary>What others have done on the vCPU's thread, between two entries.</summary>
public sealed partial class VcpuThread
{
    /// <summary>
    /// Does work that belongs on the vCPU's thread, between two entries, its last instruction finished; returns when it is
    /// done. Where the thread has ended it is done here: nobody else uses the vCPU then.
    /// </summary>
    /// <param name="work">Must not wait for another vCPU.</param>
    public void Invoke(Action<KvmVcpu> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        VcpuWork item = new(work);
        Post(item);
        lock (_orders)
        {
            while (!item.IsDone)
                Monitor.Wait(_orders);
        }

        item.ThrowIfFailed();
    }

    /// <summary>As <see cref="Invoke(Action{KvmVcpu})"/>, but waits no longer than that; what is not done by then is done later.</summary>
    /// <param name="work">Must not wait for another vCPU, nor fail.</param>
    /// <param name="atMost">How long a device that the vCPU is in may hold the caller up.</param>
    /// <returns>Whether it is done.</returns>
    internal bool Invoke(Action<KvmVcpu> work, TimeSpan atMost)
    {
        ArgumentNullException.ThrowIfNull(work);
        VcpuWork item = new(work);
        Post(item);
        long end = Environment.TickCount64 + (long)atMost.TotalMilliseconds;
        lock (_orders)
        {
            while (!item.IsDone)
            {
                if (!WaitUntil(end))
                    return false;
            }
        }

        return true;
    }

    /// <summary>Waits for news, in the lock; false when the time, of <see cref="Environment.TickCount64"/>, has come.</summary>
    private bool WaitUntil(long end)
    {
        long left = end - Environment.TickCount64;
        if (left > 0)
            _ = Monitor.Wait(_orders, (int)Math.Min(left, int.MaxValue));
        return left > 0;
    }

    private void Post(VcpuWork item)
    {
        lock (_orders)
        {
            if (_started && _state != VcpuState.Stopped)
            {
                _work.Enqueue(item);
                _loop.Attention.Ask();
                Monitor.PulseAll(_orders);
            }
            else
            {
                item.Do(_vcpu);
            }
        }

        _kick.Send();
    }

    /// <summary>Has its exits traced from its next entry on.</summary>
    /// <param name="session">Gets them; without effect where it wants none of this vCPU.</param>
    /// <param name="shares">Whether KVM has KVM_CAP_SYNC_REGS.</param>
    internal void StartTrace(TraceSession session, bool shares)
    {
        if (session.RingOf(Index) is not { } ring)
        {
            TraceRing? beside = session.RingBeside(Index);
            Post(new VcpuWork(_ => TraceSession.Claim(beside)));
            return;
        }

        VcpuTrace trace = new(session, ring, _vcpu, _ram, Statistics, shares);
        Post(new VcpuWork(_ =>
        {
            trace.Attach();
            _trace = trace;
        }));
    }

    /// <summary>Exits are traced no more from its next entry on; the session takes none any more before.</summary>
    internal void StopTrace() => Post(new VcpuWork(_ =>
    {
        TraceSession.Claim(null);
        _trace?.Detach();
        _trace = null;
    }));
}
