using System.Runtime.InteropServices;
using MiniVmm.Host;
using Tmds.Linux;
using static Tmds.Linux.LibC;

namespace MiniVmm.Execution;

/// <summary>
/// The signal that brings a vCPU out of the guest: KVM_RUN returns EINTR when one arrives. Its handler is a function of
/// libc that does nothing, so no managed code ever runs in a handler, and it is never masked, since swapping masks at
/// every entry (KVM_SET_SIGNAL_MASK) would slow down every exit. One that arrives just before KVM_RUN is therefore
/// lost, which is why <see cref="VcpuKick.Send"/> sets immediate_exit first.
/// </summary>
/// <remarks>
/// SIGURG: it is ignored by default, so a handler that does nothing changes nothing for the rest of the process, and
/// unlike a realtime signal it can be sent even when the queue of pending signals is full (ulimit -i). Neither glibc nor
/// the .NET runtime uses it.
/// </remarks>
internal static unsafe class KickSignal
{
    public const int Number = 23; // SIGURG

    /// <summary>Lets the signal interrupt the calling thread; the handler is the whole process's.</summary>
    /// <exception cref="HostLimitException">Something else in this process handles the signal.</exception>
    public static void AllowOnThisThread()
    {
        Install();
        sigset_t set = default;
        *(ulong*)&set = 1UL << (Number - 1);
        int error = pthread_sigmask(SIG_UNBLOCK, &set, null);
        if (error != 0)
            throw new HostLimitException($"unblocking SIGURG: {Errno.Explain(error)}");
    }

    /// <summary>Sends it to a thread of this process.</summary>
    public static void Send(int thread) => _ = Linux.TgKill(Environment.ProcessId, thread, Number);

    private static void Install()
    {
        // A handler gets the signal's number, and abs() takes an int, touches nothing else and returns.
        nint nothing = NativeLibrary.GetExport(NativeLibrary.GetMainProgramHandle(), "abs");
        sigaction now;
        if (LibC.sigaction(Number, null, &now) != 0)
            throw new HostLimitException($"SIGURG: {Errno.Explain(Marshal.GetLastPInvokeError())}");
        nint handler = (nint)(void*)now.sa_handler;
        if (handler == nothing)
            return;
        if (handler is not (0 or 1)) // SIG_DFL, SIG_IGN
        {
            throw new HostLimitException(
                "SIGURG already has a handler in this process, and MiniVmm needs it to stop vCPUs");
        }

        // KVM_RUN returns EINTR in spite of SA_RESTART; whatever else a vCPU's thread waits in goes on.
        sigaction action = default;
        action.sa_handler = (void*)nothing;
        action.sa_flags = SA_RESTART;
        if (LibC.sigaction(Number, &action, null) != 0)
            throw new HostLimitException($"SIGURG: {Errno.Explain(Marshal.GetLastPInvokeError())}");
    }
}
