using System.Runtime.InteropServices;
using MiniVmm.Host;
using Tmds.Linux;

namespace MiniVmm.Kvm;

/// <summary>
/// One virtual processor (api.rst, "vcpu ioctls"). All calls belong on the one thread that runs it, or
/// happen while it does not run; other threads may write <c>Run->immediate_exit</c>. Dispose it only when
/// its thread has left <see cref="Enter"/> for good: Dispose unmaps <see cref="Run"/>.
/// </summary>
public sealed unsafe partial class KvmVcpu : IDisposable
{
    private readonly FileHandle _handle;
    private int _fd;

    private KvmVcpu(int fd, int id, int runSize)
    {
        _fd = fd;
        _handle = FileHandle.Hold(fd);
        Id = id;
        RunSize = runSize;
    }

    public int Id { get; }

    /// <exception cref="ObjectDisposedException">Closed.</exception>
    public int Fd => FileHandle.Open(_fd, this);

    /// <summary>The page shared with KVM, and what follows it; null after Dispose.</summary>
    public kvm_run* Run { get; private set; }

    /// <summary>Bytes mapped from <see cref="Run"/> on.</summary>
    public int RunSize { get; }

    /// <summary>
    /// Runs the guest until something needs user space (KVM_RUN). The hot call: it allocates nothing, and uses the bare
    /// fd; <see cref="FileHandle"/> explains why that is safe.
    /// </summary>
    /// <returns>
    /// 0 with the reason in <c>Run->exit_reason</c>, or the errno: EINTR for a signal or immediate_exit (look again and
    /// re-enter; exit_reason says nothing then), EAGAIN for a vCPU that waits for its SIPI, EFAULT or another for a
    /// failure. Never retried here. EBADF after Dispose.
    /// </returns>
    /// <remarks>
    /// Errno is read only where the call failed: SetLastError would clear it before and copy it after every entry. It
    /// is still the call's here, as generated stubs count on too: the return from native code keeps it.
    /// </remarks>
    public int Enter() => EnterGuest(_fd, KvmIoctl.KVM_RUN, 0) >= 0 ? 0 : Marshal.GetLastSystemError();

    /// <summary>The CPUID table that the guest sees; before the vCPU first runs.</summary>
    /// <exception cref="KvmException">Too many entries, or an invalid table.</exception>
    public void SetCpuid2(ReadOnlySpan<kvm_cpuid_entry2> entries) =>
        CpuidList.Set("KVM_SET_CPUID2", Fd, KvmIoctl.KVM_SET_CPUID2, entries);

    /// <summary>Turns a capability of this vCPU on; its arguments are in api.rst, section 6.</summary>
    /// <exception cref="KvmException">Not there, or too late.</exception>
    public void EnableCapability(KvmCapability capability, ulong argument = 0)
    {
        kvm_enable_cap enable = default;
        enable.cap = (uint)capability;
        enable.args[0] = argument;
        int result = KvmCall.Try(Fd, KvmIoctl.KVM_ENABLE_CAP, &enable);
        if (result < 0)
            throw new KvmException("KVM_ENABLE_CAP", -result, $"{capability}");
    }

    /// <summary>The CPUID table in force, with what KVM itself keeps up to date in it.</summary>
    /// <exception cref="KvmException">The call failed.</exception>
    public kvm_cpuid_entry2[] GetCpuid2() => CpuidList.Get("KVM_GET_CPUID2", Fd, KvmIoctl.KVM_GET_CPUID2);

    /// <exception cref="KvmException">The call failed.</exception>
    public kvm_regs GetRegs() => Get<kvm_regs>("KVM_GET_REGS", KvmIoctl.KVM_GET_REGS);

    /// <exception cref="KvmException">The call failed.</exception>
    public void SetRegs(in kvm_regs regs) => Set("KVM_SET_REGS", KvmIoctl.KVM_SET_REGS, in regs);

    /// <exception cref="KvmException">The call failed.</exception>
    public kvm_sregs GetSregs() => Get<kvm_sregs>("KVM_GET_SREGS", KvmIoctl.KVM_GET_SREGS);

    /// <exception cref="KvmException">Registers that contradict each other.</exception>
    public void SetSregs(in kvm_sregs sregs) => Set("KVM_SET_SREGS", KvmIoctl.KVM_SET_SREGS, in sregs);

    /// <exception cref="KvmException">The call failed.</exception>
    public kvm_fpu GetFpu() => Get<kvm_fpu>("KVM_GET_FPU", KvmIoctl.KVM_GET_FPU);

    /// <exception cref="KvmException">The call failed.</exception>
    public void SetFpu(in kvm_fpu fpu) => Set("KVM_SET_FPU", KvmIoctl.KVM_SET_FPU, in fpu);

    /// <returns>KVM_MP_STATE_*.</returns>
    /// <exception cref="KvmException">The call failed.</exception>
    public uint GetMpState() => Get<kvm_mp_state>("KVM_GET_MP_STATE", KvmIoctl.KVM_GET_MP_STATE).mp_state;

    /// <param name="state">KVM_MP_STATE_*; all but RUNNABLE need an in-kernel irqchip.</param>
    /// <exception cref="KvmException">Refused.</exception>
    public void SetMpState(uint state)
    {
        var block = new kvm_mp_state { mp_state = state };
        Set("KVM_SET_MP_STATE", KvmIoctl.KVM_SET_MP_STATE, in block);
    }

    /// <summary>The local APIC's registers; needs an in-kernel irqchip.</summary>
    /// <exception cref="KvmException">No irqchip.</exception>
    public kvm_lapic_state GetLapic() => Get<kvm_lapic_state>("KVM_GET_LAPIC", KvmIoctl.KVM_GET_LAPIC);

    /// <inheritdoc cref="GetLapic"/>
    public void SetLapic(in kvm_lapic_state lapic) => Set("KVM_SET_LAPIC", KvmIoctl.KVM_SET_LAPIC, in lapic);

    /// <exception cref="KvmException">The call failed.</exception>
    public kvm_vcpu_events GetVcpuEvents() =>
        Get<kvm_vcpu_events>("KVM_GET_VCPU_EVENTS", KvmIoctl.KVM_GET_VCPU_EVENTS);

    /// <exception cref="KvmException">Refused.</exception>
    public void SetVcpuEvents(in kvm_vcpu_events events) =>
        Set("KVM_SET_VCPU_EVENTS", KvmIoctl.KVM_SET_VCPU_EVENTS, in events);

    /// <exception cref="KvmException">The call failed.</exception>
    public kvm_debugregs GetDebugRegs() => Get<kvm_debugregs>("KVM_GET_DEBUGREGS", KvmIoctl.KVM_GET_DEBUGREGS);

    /// <exception cref="KvmException">Refused.</exception>
    public void SetDebugRegs(in kvm_debugregs registers) =>
        Set("KVM_SET_DEBUGREGS", KvmIoctl.KVM_SET_DEBUGREGS, in registers);

    /// <summary>Breakpoints and single step, reported by KVM_EXIT_DEBUG.</summary>
    /// <exception cref="KvmException">Refused.</exception>
    public void SetGuestDebug(in kvm_guest_debug debug) =>
        Set("KVM_SET_GUEST_DEBUG", KvmIoctl.KVM_SET_GUEST_DEBUG, in debug);

    /// <summary>Walks the guest's page tables as the vCPU would now.</summary>
    /// <param name="linear">A linear address.</param>
    /// <returns>The physical address if <c>valid</c> is 1.</returns>
    /// <exception cref="KvmException">The call failed.</exception>
    public kvm_translation Translate(ulong linear)
    {
        kvm_translation translation = default;
        translation.linear_address = linear;
        KvmCall.Must("KVM_TRANSLATE", Fd, KvmIoctl.KVM_TRANSLATE, &translation);
        return translation;
    }

    /// <summary>
    /// Tells the guest, through its kvmclock, that it was paused, so that its watchdogs do not bark (KVM_KVMCLOCK_CTRL).
    /// </summary>
    /// <returns>False where the guest has no kvmclock.</returns>
    public bool TryReportPause() => KvmCall.Try(Fd, KvmIoctl.KVM_KVMCLOCK_CTRL, 0) >= 0;

    /// <summary>Sends the vCPU a non-maskable interrupt.</summary>
    /// <exception cref="KvmException">The call failed.</exception>
    public void Nmi() => KvmCall.Must("KVM_NMI", Fd, KvmIoctl.KVM_NMI, 0);

    /// <summary>Opens what the kernel counts of this vCPU; the caller disposes of it.</summary>
    /// <exception cref="KvmException">Linux before 5.14, or no more files.</exception>
    public KvmStats OpenStats() => KvmStats.Own(KvmCall.Must("KVM_GET_STATS_FD", Fd, KvmIoctl.KVM_GET_STATS_FD, 0));

    /// <summary>The call of <see cref="OpenStats"/> alone, which allocates nothing.</summary>
    /// <returns>A file descriptor, for <see cref="KvmStats.Own"/>, or a negative errno: Linux before 5.14, or no more files.</returns>
    public int TryOpenStats() => KvmCall.Try(Fd, KvmIoctl.KVM_GET_STATS_FD, 0);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _fd, -1) < 0)
            return;
        if (Run != null)
            _ = LibC.munmap(Run, RunSize);
        Run = null;
        _handle.Drop();
    }

    internal static KvmVcpu Map(int fd, int id, int runSize)
    {
        var vcpu = new KvmVcpu(fd, id, runSize);
        void* page = LibC.mmap(null, runSize, LibC.PROT_READ | LibC.PROT_WRITE, LibC.MAP_SHARED, fd, 0);
        if (page == LibC.MAP_FAILED)
        {
            int errno = Marshal.GetLastPInvokeError();
            vcpu.Dispose();
            throw new KvmException("mmap kvm_run", errno, $"vCPU {id}");
        }

        vcpu.Run = (kvm_run*)page;
        return vcpu;
    }

    private T Get<T>(string operation, uint request)
        where T : unmanaged
    {
        T block = default;
        KvmCall.Must(operation, Fd, request, &block);
        return block;
    }

    private void Set<T>(string operation, uint request, in T block)
        where T : unmanaged
    {
        fixed (T* p = &block)
            KvmCall.Must(operation, Fd, request, p);
    }

    // Never SuppressGCTransition: KVM_RUN blocks for as long as the guest runs, and the collector would wait for it.
    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int EnterGuest(int fd, nuint request, nuint argument);
}
