using MiniVmm.Kvm;

namespace MiniVmm.Execution;

/// <summary>
/// Takes down a vCPU's registers before each instruction, from some exit on: so that they are not lost where the processor
/// resets itself at a triple fault. Of a vCPU that nobody else runs or debugs.
/// </summary>
/// <param name="freeExits">Exits that are served before it begins.</param>
/// <param name="mostSteps">Most instructions.</param>
/// <param name="canFetch">Whether the instruction at RIP can be read; what comes after it may overwrite the page tables.</param>
internal sealed unsafe class FaultRecorder(long freeExits, long mostSteps, FaultRecorder.FetchCheck canFetch)
{
    private const ulong Wanted = KvmConstants.KVM_SYNC_X86_REGS | KvmConstants.KVM_SYNC_X86_SREGS;

    private long _served;
    private kvm_regs _regs;
    private kvm_sregs _sregs;

    internal delegate bool FetchCheck(in kvm_regs regs, in kvm_sregs sregs);

    /// <summary>Whether the last instruction could be read when it was its turn.</summary>
    public bool CouldFetch { get; private set; }

    /// <summary>RIP of the instruction before the last one, with the segment registers of then; null where there was none.</summary>
    public (kvm_regs Regs, kvm_sregs Sregs)? Before { get; private set; }

    /// <summary>Whether it takes instructions down.</summary>
    public bool IsOn => _served >= freeExits;

    /// <summary>Instructions taken down.</summary>
    public long Steps { get; private set; }

    /// <summary>Whether it gave up, as there were too many.</summary>
    public bool IsExhausted { get; private set; }

    /// <summary>General registers before the last instruction; zero where there was none.</summary>
    public ref readonly kvm_regs Regs => ref _regs;

    /// <inheritdoc cref="Regs"/>
    public ref readonly kvm_sregs Sregs => ref _sregs;

    /// <summary>An exit was served.</summary>
    public void Served() => _served++;

    /// <summary>
    /// Begins where it is time to; before each entry, on the vCPU's thread, with the last exit's instruction completed. KVM
    /// takes RFLAGS.TF off with each instruction that it emulates (kvm_set_rflags), so it is asked anew each time.
    /// </summary>
    public void BeforeEntry(KvmVcpu vcpu)
    {
        if (!IsOn)
            return;
        if (Steps == 0)
        {
            _regs = vcpu.GetRegs();
            _sregs = vcpu.GetSregs();
            CouldFetch = canFetch(_regs, _sregs);
            vcpu.Run->kvm_valid_regs = Wanted;
        }

        vcpu.SetGuestDebug(new() { control = KvmConstants.KVM_GUESTDBG_ENABLE | KvmConstants.KVM_GUESTDBG_SINGLESTEP });
    }

    /// <summary>Takes down what KVM_EXIT_DEBUG reports.</summary>
    /// <returns>False where that was the last one.</returns>
    public bool Step(KvmVcpu vcpu)
    {
        kvm_sync_regs* now = &vcpu.Run->s.regs;
        Before = (_regs, _sregs);
        _regs = now->regs;
        _sregs = now->sregs;
        CouldFetch = canFetch(_regs, _sregs);
        IsExhausted = ++Steps >= mostSteps;
        return !IsExhausted;
    }
}
