using MiniVmm.Host;
using MiniVmm.Kvm;

namespace MiniVmm.Execution;

/// <summary>Brings one vCPU out of the guest, from any thread, wherever its own thread is.</summary>
/// <param name="vcpu">The vCPU.</param>
internal sealed unsafe class VcpuKick(KvmVcpu vcpu)
{
    private int _threadId;

    /// <summary>
    /// Called by the thread that will run the vCPU: from now on a kick reaches it.
    /// </summary>
    /// <exception cref="HostLimitException">The signal is not to be had.</exception>
    public void Attach()
    {
        KickSignal.AllowOnThisThread();
        Volatile.Write(ref _threadId, Linux.GetTid());
    }

    /// <summary>Called by that thread before it ends: its id may soon be another's.</summary>
    public void Detach() => Volatile.Write(ref _threadId, 0);

    /// <summary>
    /// Kicks; without effect where no thread is attached. The flag is for a thread on its way in, the signal for one
    /// that is inside (api.rst, 5: immediate_exit). Allocates nothing.
    /// </summary>
    public void Send()
    {
        int thread = Volatile.Read(ref _threadId);
        if (thread == 0)
            return;
        Volatile.Write(ref vcpu.Run->immediate_exit, 1);
        KickSignal.Send(thread);
    }

    /// <summary>
    /// Kicks by the signal alone: only for a vCPU that is known to be in the guest, since a thread on its way in misses
    /// it. Each makes exactly one exit, where a flag seen on the way in may make one and its signal another. Allocates
    /// nothing.
    /// </summary>
    public void SendSignal()
    {
        int thread = Volatile.Read(ref _threadId);
        if (thread != 0)
            KickSignal.Send(thread);
    }
}
