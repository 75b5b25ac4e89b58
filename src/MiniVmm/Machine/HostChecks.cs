using MiniVmm.Cpu;
using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>What a plan asks of the host that can be told before anything is built.</summary>
internal static class HostChecks
{
    private static readonly (KvmCapability Capability, string What)[] Needed =
    [
        (KvmCapability.KVM_CAP_IRQCHIP, "in-kernel interrupt controllers"),
        (KvmCapability.KVM_CAP_PIT2, "an in-kernel PIT"),
        (KvmCapability.KVM_CAP_USER_MEMORY, "user memory slots"),
        (KvmCapability.KVM_CAP_SET_TSS_ADDR, "KVM_SET_TSS_ADDR"),
        (KvmCapability.KVM_CAP_EXT_CPUID, "KVM_GET_SUPPORTED_CPUID"),
        (KvmCapability.KVM_CAP_IRQFD, "irqfd"),
        (KvmCapability.KVM_CAP_IMMEDIATE_EXIT, "immediate_exit (Linux 4.12)"),
    ];

    /// <exception cref="HostLimitException">KVM lacks something, or the topology is more than it takes.</exception>
    public static void Run(KvmSystem kvm, MachinePlan plan, Action<OptionMessage> warn)
    {
        foreach ((KvmCapability capability, string what) in Needed)
        {
            if (kvm.CheckExtension(capability) == 0)
                throw new HostLimitException($"/dev/kvm: this KVM has no {what} ({capability}); MiniVmm needs it");
        }

        if (plan.Options.Firmware is { } firmware && kvm.CheckExtension(KvmCapability.KVM_CAP_READONLY_MEM) == 0)
            throw new HostLimitException($"{OptionName.Firmware.With(firmware)}: this KVM has no read-only memory (KVM_CAP_READONLY_MEM)");

        CpuTopology topology = plan.Options.Topology;
        int most = kvm.CheckExtension(KvmCapability.KVM_CAP_MAX_VCPUS);
        if (topology.MaxCpus > most)
            throw new HostLimitException($"{OptionName.Smp}: {topology.MaxCpus} vCPUs are more than this KVM's maximum of {most}");
        int ids = kvm.CheckExtension(KvmCapability.KVM_CAP_MAX_VCPU_ID);
        if (topology.MaxApicId >= (uint)Math.Max(ids, most))
        {
            throw new HostLimitException(
                $"{OptionName.Smp}: this topology needs APIC ids up to {topology.MaxApicId}, "
                + $"and this KVM takes vCPU ids below {Math.Max(ids, most)}");
        }

        PinList.Check(plan.Options.Pin);
        int host = Environment.ProcessorCount;
        if (topology.Count > host)
        {
            warn($"{topology.Count} vCPUs on {host} host CPU{(host == 1 ? "" : "s")}: "
                + "a vCPU that holds a lock can be off its CPU while others spin for it");
        }

        if (plan.Options.Pin.Distinct().Count() < plan.Options.Pin.Count)
            warn($"{OptionName.Pin}: several vCPUs share a host CPU; they take turns, and spin while the other holds a lock");
    }
}
