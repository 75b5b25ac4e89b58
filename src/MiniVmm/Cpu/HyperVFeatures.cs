namespace MiniVmm.Cpu;

/// <summary>
/// Hyper-V's enlightenments that KVM carries without help from user space: what Windows, and Linux with its drivers for
/// Hyper-V, do cheaper under a hypervisor that has them (Hypervisor Top Level Functional Specification, 2.4).
/// </summary>
[Flags]
public enum HyperVFeatures
{
    None = 0,

    /// <summary>No watchdog may expect real time.</summary>
    Relaxed = 1 << 0,

    /// <summary>The APIC's most used registers as MSRs, and a page that saves the end-of-interrupt exit.</summary>
    Vapic = 1 << 1,

    /// <summary>How often a spin lock is tried before the hypervisor is told.</summary>
    Spinlocks = 1 << 2,

    /// <summary>Each vCPU's number in an MSR.</summary>
    VpIndex = 1 << 3,

    /// <summary>The time for which each vCPU has run in an MSR.</summary>
    Runtime = 1 << 4,

    /// <summary>A reference counter, and a page to compute it from the time-stamp counter.</summary>
    Time = 1 << 5,

    /// <summary>The frequencies of time-stamp counter and APIC timer in MSRs.</summary>
    Frequencies = 1 << 6,

    /// <summary>Notice of a changed frequency after a migration.</summary>
    Reenlightenment = 1 << 7,

    /// <summary>Hypercalls that flush the TLBs of other vCPUs; needs <see cref="VpIndex"/>.</summary>
    TlbFlush = 1 << 8,

    /// <summary>Hypercalls that send interrupts to many vCPUs; needs <see cref="VpIndex"/>.</summary>
    Ipi = 1 << 9,

    /// <summary>Hypercalls with arguments in XMM registers.</summary>
    XmmInput = 1 << 10,

    /// <summary>Gather-all TLB flushes; needs <see cref="TlbFlush"/>.</summary>
    TlbFlushExt = 1 << 11,

    /// <summary>APIC virtualization instead of automatic end of interrupt.</summary>
    Avic = 1 << 12,

    /// <summary>vCPUs that are not threads of a core never share one of the host's.</summary>
    NoNonarchCoresharing = 1 << 13,
}
