using MiniVmm.Execution;
using MiniVmm.Kvm;

namespace MiniVmm.Gdb;

/// <summary>What a vCPU is at, in words.</summary>
internal static class VcpuWords
{
    /// <summary>Of a vCPU that stands still.</summary>
    /// <exception cref="KvmException">KVM does not say.</exception>
    public static string State(VcpuThread vcpu)
    {
        uint state = 0;
        vcpu.Invoke(kvm => state = kvm.GetMpState());
        return state switch
        {
            KvmConstants.KVM_MP_STATE_HALTED => "halted",
            KvmConstants.KVM_MP_STATE_UNINITIALIZED or KvmConstants.KVM_MP_STATE_INIT_RECEIVED => "waiting for SIPI",
            _ => "running",
        };
    }
}
