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

    // SIGUSR1: of the standard signals one can always be sent, where a realtime one needs room in a queue (ulimit -i).
    private const int Spare = 10;

    private const ulong Bits = (1UL << (Number - 1)) | (1UL << (Spare - 1));

    /// <summary>Blocks the signal on the calling thread.</summary>
    /// <returns>The mask for KVM_SET_SIGNAL_MASK: this thread's own, with the kick let through.</returns>
    public static ulong BlockOnThisThread()
    {
        sigset_t set = Alone();
        sigset_t before;
        int error = pthread_sigmask(SIG_BLOCK, &set, &before);
        if (error != 0)
            throw new HostLimitException($"blocking signal {Number}: {Errno.Explain(error)}");
        return *(ulong*)&before & ~Bits; // glibc's set is longer than the kernel's 64 bits, and starts with them
    }

    /// <summary>Sends it to a thread of this process.</summary>
    public static void Send(int thread)
    {
        if (Linux.TgKill(Environment.ProcessId, thread, Number) != 0)
            _ = Linux.TgKill(Environment.ProcessId, thread, Spare);
    }

    /// <summary>Takes pending kicks off the calling thread's queue.</summary>
    public static void Drain()
    {
        sigset_t set = Alone();
        timespec zero = default;
        while (sigtimedwait(&set, null, &zero) > 0)
        {
        }
    }

    private static sigset_t Alone()
    {
        sigset_t set = default;
        *(ulong*)&set = Bits;
        return set;
    }
}
