using MiniVmm.Inspection;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Diagnostics;

/// <summary>All that KVM tells of a vCPU that stands still.</summary>
/// <param name="View">Registers, and memory as it sees it.</param>
/// <param name="Events">What it was about to deliver.</param>
/// <param name="MpState">KVM_MP_STATE_*.</param>
internal sealed record VcpuSnapshot(GuestView View, kvm_vcpu_events Events, uint MpState)
{
    private const uint AddressSizes = 0x8000_0008;
    private const int Widest = 52;

    /// <summary>Asks KVM; the vCPU's thread must be out of the guest.</summary>
    /// <exception cref="KvmException">KVM does not say.</exception>
    public static VcpuSnapshot Take(KvmVcpu vcpu, GuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(vcpu);
        kvm_cpuid_entry2[] cpuid = vcpu.GetCpuid2();
        int bits = (int)(Array.Find(cpuid, entry => entry.function == AddressSizes).eax & 0xff);
        return new(
            new GuestView(vcpu.GetRegs(), vcpu.GetSregs(), memory) { PhysicalBits = bits is >= 32 and <= Widest ? bits : Widest },
            vcpu.GetVcpuEvents(),
            vcpu.GetMpState());
    }
}
