using MiniVmm.Kvm;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Execution;

/// <summary>
/// The signal that brings a vCPU out of the guest. It is blocked on every vCPU thread and open only inside
/// KVM_RUN (KVM_SET_SIGNAL_MASK), so no handler ever runs: KVM_RUN returns EINTR with the signal still
/// pending, and the thread takes it off the queue itself.
/// </summary>
internal static unsafe class KickSignal
{
    /// <summary>A realtime signal of nobody else's: glibc has 32 and 33, the .NET runtime 34.</summary>
    public const int Number = 40;

    private const ulong Bit = 1UL << (Number - 1);

    /// <summary>Blocks the signal on the calling thread.</summary>
    /// <returns>The mask for KVM_SET_SIGNAL_MASK: this thread's own, with the kick let through.</returns>
    public static ulong BlockOnThisThread()
    {
        sigset_t set = Alone();
        sigset_t before;
        int error = pthread_sigmask(SIG_BLOCK, &set, &before);
        if (error != 0)
            throw new HostLimitException($"blocking signal {Number}: {Errno.Explain(error)}");
        return *(ulong*)&before & ~Bit; // glibc's set is longer than the kernel's 64 bits, and starts with them
    }

    /// <summary>Sends it to a thread of this process.</summary>
    public static void Send(int thread) => _ = Linux.TgKill(Environment.ProcessId, thread, Number);

    /// <summary>Takes pending kicks off the calling thread's queue.</summary>
    public static void Drain()
    {
        sigset_t set = Alone();
        timespec zero = default;
        while (sigtimedwait(&set, null, &zero) == Number)
        {
        }
    }

    private static sigset_t Alone()
    {
        sigset_t set = default;
        *(ulong*)&set = Bit;
        return set;
    }
}
