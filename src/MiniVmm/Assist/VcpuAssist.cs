using Iced.Intel;
using MiniVmm.Inspection;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Assist;

/// <summary>
/// Completes instructions that KVM cannot emulate, for one vCPU and on its thread: fetches the registers, has
/// <see cref="InstructionAssist"/> do the instruction, and puts them back. Made at the vCPU's first such instruction; allocates
/// nothing later.
/// </summary>
internal sealed unsafe class VcpuAssist : IExtendedState
{
    private const ulong SingleStep = 1 << 14; // DR6.BS
    private const ulong SharedRegisters =
        KvmConstants.KVM_SYNC_X86_REGS | KvmConstants.KVM_SYNC_X86_SREGS | KvmConstants.KVM_SYNC_X86_EVENTS;

    private readonly KvmVcpu _vcpu;
    private readonly AssistedCpu _cpu;
    private readonly InstructionAssist _assist;
    private readonly byte[] _image = new byte[sizeof(kvm_xsave)];
    private bool _isShared;
    private bool _imageRead;
    private bool _imageChanged;

    private VcpuAssist(KvmVcpu vcpu, GuestMemory memory, ReadOnlySpan<kvm_cpuid_entry2> cpuid)
    {
        _vcpu = vcpu;
        _cpu = new AssistedCpu
        {
            Features = AssistFeatureBits.Of(cpuid),
            PhysicalBits = AssistFeatureBits.PhysicalBits(cpuid),
        };
        _assist = new InstructionAssist(_cpu, memory, this, new XsaveLayout(cpuid));
    }

    /// <summary>The instruction that was completed last.</summary>
    public Mnemonic Mnemonic => _assist.Mnemonic;

    /// <summary>For a vCPU that is out of the guest; null where KVM does not say what its processor is.</summary>
    public static VcpuAssist? Create(KvmVcpu vcpu, GuestMemory memory)
    {
        try
        {
            return new(vcpu, memory, vcpu.GetCpuid2());
        }
        catch (KvmException)
        {
            return null;
        }
    }

    /// <summary>Completes the instruction at RIP, after KVM_INTERNAL_ERROR_EMULATION.</summary>
    /// <param name="leavesBreakpoints">Whether INT3 is somebody else's, such as a debugger's.</param>
    /// <returns>False where that cannot be done: the vCPU is as it was.</returns>
    public bool TryComplete(bool leavesBreakpoints)
    {
        try
        {
            Load(out kvm_vcpu_events events);
            _imageRead = false;
            _imageChanged = false;

            // KVM has queued #UD for its own failure; any other exception was on its way before.
            if (events.exception.injected != 0 && events.exception.nr != ExceptionVector.InvalidOpcode)
                return false;
            AssistOutcome outcome = _assist.Execute(leavesBreakpoints);
            if (outcome == AssistOutcome.NotMine)
                return false;
            Store(ref events, outcome == AssistOutcome.Raised ? _assist.Exception : null);
            return true;
        }
        catch (KvmException)
        {
            return false; // after a bug of its own KVM answers every call with EIO
        }
    }

    Span<byte> IExtendedState.Image
    {
        get
        {
            if (!_imageRead)
                _vcpu.ReadXsave(_image);
            _imageRead = true;
            return _image;
        }
    }

    void IExtendedState.KeepImage() => _imageChanged = true;

    bool IExtendedState.TryReadMsr(uint index, out ulong value) => _vcpu.TryGetMsr(index, out value);

    bool IExtendedState.TryWriteMsr(uint index, ulong value) => _vcpu.TrySetMsr(index, value);

    ulong IExtendedState.Xcr0
    {
        get
        {
            kvm_xcrs registers = _vcpu.GetXcrs();
            for (int i = 0; i < Math.Min(registers.nr_xcrs, KvmConstants.KVM_MAX_XCRS); i++)
            {
                if ((uint)registers.xcrs[2 * i] == 0)
                    return registers.xcrs[2 * i + 1];
            }

            return 1;
        }
    }

    /// <summary>
    /// The first time by calls. From then on KVM leaves them in the shared page at each exit, and takes them from there: a call
    /// costs much more than that.
    /// </summary>
    private void Load(out kvm_vcpu_events events)
    {
        kvm_run* run = _vcpu.Run;
        _isShared = (run->kvm_valid_regs & SharedRegisters) == SharedRegisters;
        if (_isShared)
        {
            _cpu.Regs = run->s.regs.regs;
            _cpu.Sregs = run->s.regs.sregs;
            events = run->s.regs.events;
            return;
        }

        _cpu.Regs = _vcpu.GetRegs();
        _cpu.Sregs = _vcpu.GetSregs();
        events = _vcpu.GetVcpuEvents();
        run->kvm_valid_regs |= SharedRegisters;
    }

    private void Store(ref kvm_vcpu_events events, GuestException? raised)
    {
        if (_imageChanged)
            _vcpu.SetXsave(_image);
        if (raised is { Vector: ExceptionVector.Debug })
        {
            kvm_debugregs debug = _vcpu.GetDebugRegs();
            debug.dr6 |= SingleStep;
            _vcpu.SetDebugRegs(debug);
        }

        events.exception = default;
        if (raised is { } exception)
        {
            events.exception.injected = 1;
            events.exception.nr = exception.Vector;
            events.exception.has_error_code = exception.ErrorCode is null ? (byte)0 : (byte)1;
            events.exception.error_code = exception.ErrorCode ?? 0;
            _cpu.Sregs.cr2 = exception.Address ?? _cpu.Sregs.cr2;
        }

        // The shadow of STI or MOV SS ends with the instruction. What other threads may have sent meanwhile stays.
        events.interrupt.shadow = 0;
        events.flags = KvmConstants.KVM_VCPUEVENT_VALID_SHADOW;
        bool changesCr2 = raised is { Address: not null };
        kvm_run* run = _vcpu.Run;
        if (!_isShared)
        {
            if (changesCr2)
                _vcpu.SetSregs(_cpu.Sregs);
            _vcpu.SetRegs(_cpu.Regs);
            _vcpu.SetVcpuEvents(events);
            return;
        }

        run->s.regs.regs = _cpu.Regs;
        run->s.regs.events = events;
        run->kvm_dirty_regs = KvmConstants.KVM_SYNC_X86_REGS | KvmConstants.KVM_SYNC_X86_EVENTS;
        if (!changesCr2)
            return;
        run->s.regs.sregs = _cpu.Sregs;
        run->kvm_dirty_regs |= KvmConstants.KVM_SYNC_X86_SREGS;
    }
}
