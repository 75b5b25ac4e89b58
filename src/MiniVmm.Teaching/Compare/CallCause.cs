namespace MiniVmm.Teaching.Compare;

/// <summary>Why an ioctl is made more often by one of the two monitors.</summary>
internal static class CallCause
{
    private const string State = "QEMU writes all of a vCPU's state at each reset, and reads it where it needs a part";
    private const string Devices = "QEMU resets KVM's interrupt controllers and timer by their state";
    private const string Clock = "QEMU stops and starts the guests' clock with the machine";
    private const string Gathering = "QEMU has KVM gather writes that have no hurry";
    private const string Machine = "QEMU asks what the host can before it makes the machine, and again for each processor";
    private const string Vapic = "kvmvapic, which QEMU has for guests that use the APIC's priority a lot";
    private const string Split = "QEMU's microvm has KVM keep the local APICs alone (KVM_CAP_SPLIT_IRQCHIP), and the rest itself";
    private const string AfterFirmware = "MiniVmm gives interrupt controllers and timer the state in which firmware leaves them";
    private const string Checks = "QEMU's processors have machine checks";

    /// <summary>Where QEMU makes more of them.</summary>
    private static readonly Dictionary<string, string> Qemu = new()
    {
        ["KVM_CHECK_EXTENSION"] = "QEMU asks for all that it might use",
        ["KVM_ENABLE_CAP"] = "QEMU turns on more of KVM: exits for some MSRs, split interrupt controllers for microvm",
        ["KVM_X86_SET_MSR_FILTER"] = "QEMU asks for exits at MSRs that it emulates",
        ["KVM_IRQ_LINE_STATUS"] = "QEMU's devices set interrupt lines by calls; MiniVmm's write to eventfds that KVM listens to (KVM_IRQFD)",
        ["KVM_SET_USER_MEMORY_REGION"] = "QEMU lays RAM, ROM and devices out anew whenever firmware moves one",
        ["KVM_IOEVENTFD"] = "doorbells of virtio devices, and QEMU's trial of how many it may have",
        ["KVM_GET_SUPPORTED_CPUID"] = Machine,
        ["KVM_GET_MSR_INDEX_LIST"] = Machine,
        ["KVM_GET_MSR_FEATURE_INDEX_LIST"] = Machine,
        ["KVM_GET_MSRS"] = Machine,
        ["KVM_GET_DEVICE_ATTR"] = Machine,
        ["KVM_GET_TSC_KHZ"] = Machine,
        ["KVM_GET_VCPU_MMAP_SIZE"] = Machine,
        ["KVM_REGISTER_COALESCED_MMIO"] = Gathering,
        ["KVM_UNREGISTER_COALESCED_MMIO"] = Gathering,
        ["KVM_SET_GSI_ROUTING"] = "QEMU says anew which interrupt goes where when a device changes it",
        ["KVM_GET_DIRTY_LOG"] = "QEMU asks which parts of the screen have changed",
        ["KVM_SET_TSC_KHZ"] = "QEMU gives each vCPU's clock its frequency",
        ["KVM_SET_SREGS2"] = "a later form of KVM_SET_SREGS, which QEMU uses",
        ["KVM_GET_SREGS2"] = "a later form of KVM_GET_SREGS, which QEMU uses",
        ["KVM_X86_GET_MCE_CAP_SUPPORTED"] = Checks,
        ["KVM_X86_SETUP_MCE"] = Checks,
        ["KVM_SET_VAPIC_ADDR"] = Vapic,
        ["KVM_TPR_ACCESS_REPORTING"] = Vapic,
        ["KVM_KVMCLOCK_CTRL"] = "QEMU tells the guest's clock that it was stopped",
        ["KVM_SMI"] = "QEMU's chipset makes a system management interrupt of a write to port 0xb2",
        ["KVM_GET_CLOCK"] = Clock,
        ["KVM_SET_CLOCK"] = Clock,
        ["KVM_GET_IRQCHIP"] = Devices,
        ["KVM_SET_IRQCHIP"] = Devices,
        ["KVM_GET_PIT2"] = Devices,
        ["KVM_SET_PIT2"] = Devices,
        ["KVM_GET_REGS"] = State,
        ["KVM_SET_REGS"] = State,
        ["KVM_GET_FPU"] = State,
        ["KVM_SET_FPU"] = State,
        ["KVM_GET_XSAVE"] = State,
        ["KVM_GET_XSAVE2"] = State,
        ["KVM_SET_XSAVE"] = State,
        ["KVM_GET_XCRS"] = State,
        ["KVM_SET_XCRS"] = State,
        ["KVM_SET_MSRS"] = State,
        ["KVM_GET_LAPIC"] = State,
        ["KVM_SET_LAPIC"] = State,
        ["KVM_GET_MP_STATE"] = State,
        ["KVM_SET_MP_STATE"] = State,
        ["KVM_GET_VCPU_EVENTS"] = State,
        ["KVM_SET_VCPU_EVENTS"] = State,
        ["KVM_GET_NESTED_STATE"] = State,
        ["KVM_SET_NESTED_STATE"] = State,
        ["KVM_GET_DEBUGREGS"] = State,
        ["KVM_SET_DEBUGREGS"] = State,
    };

    /// <summary>Where MiniVmm makes more of them.</summary>
    private static readonly Dictionary<string, string> Own = new()
    {
        ["KVM_IRQFD"] = "MiniVmm's devices raise interrupts through these, without a call",
        ["KVM_GET_SREGS"] = "QEMU uses a later form, KVM_GET_SREGS2",
        ["KVM_SET_SREGS"] = "QEMU uses a later form, KVM_SET_SREGS2",
        ["KVM_SET_SIGNAL_MASK"] = "MiniVmm kicks vCPUs by a signal that is open inside KVM_RUN only",
        ["KVM_GET_STATS_FD"] = "MiniVmm reads KVM's own counters",
        ["KVM_CREATE_IRQCHIP"] = Split,
        ["KVM_CREATE_PIT2"] = Split,
        ["KVM_GET_IRQCHIP"] = AfterFirmware,
        ["KVM_SET_IRQCHIP"] = AfterFirmware,
        ["KVM_GET_PIT2"] = AfterFirmware,
        ["KVM_SET_PIT2"] = AfterFirmware,
    };

    /// <summary>All that are named, for a test that there are such.</summary>
    internal static IEnumerable<string> Names => Qemu.Keys.Concat(Own.Keys);

    /// <summary>Null where both make as many, or where no reason is known.</summary>
    public static string? Of(string name, CallCount miniVmm, CallCount qemu)
    {
        long more = qemu.Before + qemu.Later - miniVmm.Before - miniVmm.Later;
        return more == 0 ? null : (more > 0 ? Qemu : Own).GetValueOrDefault(name);
    }
}
