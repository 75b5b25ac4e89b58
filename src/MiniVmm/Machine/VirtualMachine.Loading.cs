using MiniVmm.Boot;
using MiniVmm.Cpu;
using MiniVmm.Execution;
using MiniVmm.Firmware;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Machine;

/// <summary>What lies in guest RAM at the start, and where the processors begin.</summary>
public sealed partial class VirtualMachine
{
    private void LoadAll(MachinePlan plan, CpuidTemplate cpuid)
    {
        CpuidLeaf leaf1 = cpuid.ForVcpu(0).First(leaf => leaf.Function == 1);
        foreach (LoadSegment segment in plan.Boot.Segments)
            Load(segment);
        if (plan.Boot.Firmware.Mp is not { } mp)
            return;
        foreach (LoadSegment segment in MpTable.Build(mp, plan.Cpus, leaf1.Eax, leaf1.Edx, plan.PciRoot))
            Load(segment);
    }

    private unsafe void Load(in LoadSegment segment)
    {
        if (Memory.TryResolve(segment.Address, (ulong)segment.Data.Length, out byte* host))
            Backing.Provide((nint)host, (ulong)segment.Data.Length);
        Memory.Load(segment);
    }

    /// <summary>
    /// Where the processors begin; those for which the protocol has no place wait for INIT and SIPI, which KVM's own APIC
    /// delivers.
    /// </summary>
    private void Enter(BootImage boot)
    {
        Enter(_core.Vcpus[0].Vcpu, boot.Entry);
        for (int i = 0; i < boot.OtherEntries.Count; i++)
        {
            Enter(_core.Vcpus[i + 1].Vcpu, boot.OtherEntries[i]);
            _core.Vcpus[i + 1].Vcpu.SetMpState(KvmConstants.KVM_MP_STATE_RUNNABLE);
        }

        if (!boot.MasksInterrupts)
            return;
        MaskedInterrupts.SetUp(_core.Vm);
        foreach (VcpuThread vcpu in _core.Vcpus)
            MaskedInterrupts.SetUp(vcpu.Vcpu);
    }

    private static void Enter(KvmVcpu boot, EntryState entry)
    {
        if (entry.Mode == EntryMode.Reset)
            return; // as KVM makes it
        boot.SetSregs(EntryRegisters.Special(entry, boot.GetSregs()));
        boot.SetRegs(EntryRegisters.General(entry));
    }
}
