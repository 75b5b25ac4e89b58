using MiniVmm.Cpu;
using MiniVmm.Kvm;

namespace MiniVmm.Machine;

/// <summary>The processor that every vCPU of a guest is: its CPUID, the MSRs that belong to it, its time-stamp counter.</summary>
internal sealed class GuestProcessor
{
    /// <summary>As QEMU: less is another calibration of the same clock, by which no guest would go wrong.</summary>
    public const uint TscTolerance = 250; // ppm

    private readonly CpuSelection _selection;
    private readonly bool _scalesTsc;
    private readonly bool _keepsToHyperVLeaves;

    private GuestProcessor(CpuidTemplate cpuid, CpuSelection selection, KvmVm vm)
    {
        Cpuid = cpuid;
        _selection = selection;
        _scalesTsc = selection.Properties.TscFrequency is not null
            && vm.CheckExtension(KvmCapability.KVM_CAP_TSC_CONTROL) != 0;
        _keepsToHyperVLeaves = selection.Properties.HyperV is not null
            && vm.CheckExtension(KvmCapability.KVM_CAP_HYPERV_ENFORCE_CPUID) != 0;
    }

    public CpuidTemplate Cpuid { get; }

    /// <summary>Works it out, and tells KVM what concerns the whole VM; before its first vCPU.</summary>
    /// <exception cref="VmmException">The host lacks something that the guest must have.</exception>
    /// <exception cref="KvmException">KVM refused.</exception>
    public static GuestProcessor Create(KvmSystem kvm, KvmVm vm, MachinePlan plan, Action<OptionMessage> warn)
    {
        CpuSelection selection = plan.Options.Cpu;
        SupportedCpu supported = CpuidEntries.Supported(kvm, vm);
        CpuidTemplate cpuid = CpuidBuilder.Build(supported, selection, plan.Options.Topology);
        PhysicalAddresses.Check(plan.Memory, selection.Model.Name, cpuid.ForVcpu(0), supported.Leaves);
        foreach (OptionMessage warning in cpuid.Warnings)
            warn(warning);

        // AMD's first four counters are there without a bit in CPUID.
        const KvmCapability counters = KvmCapability.KVM_CAP_PMU_CAPABILITY;
        if (selection.Properties.Pmu == false && ((ulong)vm.CheckExtension(counters) & KvmConstants.KVM_PMU_CAP_DISABLE) != 0)
            vm.EnableCapability(counters, KvmConstants.KVM_PMU_CAP_DISABLE);
        return new(cpuid, selection, vm);
    }

    /// <summary>Makes a vCPU one of them, before it first runs.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <param name="index">Its number, from 0.</param>
    /// <exception cref="HostLimitException">The time-stamp counter cannot run at the frequency asked for.</exception>
    /// <exception cref="KvmException">KVM refused.</exception>
    public void Apply(KvmVcpu vcpu, int index)
    {
        vcpu.SetCpuid2([.. Cpuid.ForVcpu(index).Select(CpuidEntries.FromLeaf)]);
        if (Cpuid.Msrs.Count > 0)
            vcpu.SetMsrs([.. CpuidEntries.FeatureMsrs(Cpuid)]);

        // Else a guest may use all of KVM's Hyper-V, also what leaves KVM for user space.
        if (_keepsToHyperVLeaves)
            vcpu.EnableCapability(KvmCapability.KVM_CAP_HYPERV_ENFORCE_CPUID, 1);
        if (_selection.Properties.TscFrequency is ulong hertz)
            SetTsc(vcpu, (uint)(hertz / 1000));
    }

    private void SetTsc(KvmVcpu vcpu, uint kilohertz)
    {
        uint own = vcpu.TscKilohertz();
        bool isSame = Math.Abs((long)own - kilohertz) * 1_000_000 <= (long)own * TscTolerance;
        if (isSame || (_scalesTsc && vcpu.TrySetTscKhz(kilohertz)))
            return;
        string why = own == 0
            ? "this host's time-stamp counter is not stable"
            : $"this host's time-stamp counter runs at {own} kHz, not {kilohertz} kHz, and cannot be scaled (KVM_CAP_TSC_CONTROL)";
        throw new HostLimitException($"{OptionName.Cpu.With(_selection.Text)}: {why}");
    }
}
