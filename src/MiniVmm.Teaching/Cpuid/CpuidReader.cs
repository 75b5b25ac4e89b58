using MiniVmm.Boot;
using MiniVmm.Cpu;
using MiniVmm.Execution;
using MiniVmm.Host;
using MiniVmm.Kvm;
using MiniVmm.Machine;

namespace MiniVmm.Teaching.Cpuid;

/// <summary>A guest that does nothing but execute CPUID: what it reads is what guests see, whatever KVM was told.</summary>
internal sealed class CpuidReader : IDisposable
{
    private const ulong Start = 0x1000;
    private const int AfterCpuid = 3; // the HLT that a reading ends with

    private readonly MachineCore _core;
    private readonly KvmVcpu _vcpu;
    private readonly EntryState _entry = new(EntryMode.Protected32, Start);

    /// <summary>Makes the guest.</summary>
    /// <param name="leaves">What KVM is to answer.</param>
    /// <param name="apicId">The vCPU's.</param>
    /// <exception cref="KvmException">KVM refused something.</exception>
    /// <exception cref="HostLimitException">The host has no memory for it.</exception>
    public CpuidReader(KvmSystem kvm, IEnumerable<CpuidLeaf> leaves, uint apicId)
    {
        _core = new MachineCore(kvm);
        try
        {
            byte[] code = [0x0f, 0xa2, 0xf4]; // cpuid; hlt
            _core.MapRam(2 << 20);
            _core.Memory.Ram.Load(new("CPUID", Start, code));
            _vcpu = _core.Own(_core.Vm.CreateVcpu((int)apicId));
            _vcpu.SetCpuid2([.. leaves.Select(CpuidEntries.FromLeaf)]);
            _vcpu.SetSregs(EntryRegisters.Special(_entry, _vcpu.GetSregs()));
        }
        catch
        {
            _core.Dispose();
            throw;
        }
    }

    /// <summary>Executes it.</summary>
    /// <exception cref="KvmException">KVM refused something.</exception>
    /// <exception cref="HostLimitException">The guest did something else.</exception>
    public unsafe (uint Eax, uint Ebx, uint Ecx, uint Edx) Read(uint function, uint index)
    {
        _vcpu.SetRegs(EntryRegisters.General(_entry) with { rax = function, rcx = index });
        int error;
        do
            error = _vcpu.Enter();
        while (error == Errno.EINTR);
        if (error != 0)
            throw new KvmException("KVM_RUN", error);
        kvm_regs regs = _vcpu.GetRegs();
        if (_vcpu.Run->exit_reason != KvmExitReason.KVM_EXIT_HLT || regs.rip != Start + AfterCpuid)
            throw new HostLimitException($"a guest that executes CPUID ended with {_vcpu.Run->exit_reason} at 0x{regs.rip:x}");
        return ((uint)regs.rax, (uint)regs.rbx, (uint)regs.rcx, (uint)regs.rdx);
    }

    public void Dispose() => _core.Dispose();
}
