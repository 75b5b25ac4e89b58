using Iced.Intel;
using MiniVmm.Host;
using MiniVmm.Inspection;

namespace MiniVmm.Assist;

/// <summary>Instructions that have to do with privilege, caches, the FPU and model-specific registers.</summary>
internal sealed class SystemInstructions(AssistedCpu cpu, GuestOperands operands, IExtendedState extended)
{
    private const uint FsBase = 0xc000_0100; // IA32_FS_BASE
    private const uint GsBase = 0xc000_0101; // IA32_GS_BASE
    private const uint KernelGsBase = 0xc000_0102; // IA32_KERNEL_GS_BASE
    private const ushort ErrorSummary = 1 << 7; // of the x87 status word

    /// <summary>What <see cref="AssistStep.Trap"/> ends in.</summary>
    public GuestException Trap { get; private set; }

    public AssistStep Execute(in Instruction instruction) => instruction.Mnemonic switch
    {
        Mnemonic.Int3 => Breakpoint(),
        Mnemonic.Clac => SetAccess(0),
        Mnemonic.Stac => SetAccess(ControlBits.RflagsAc),
        Mnemonic.Wait => Wait(),
        Mnemonic.Lfence or Mnemonic.Mfence or Mnemonic.Sfence => Fence(),
        Mnemonic.Prefetch or Mnemonic.Prefetchw or Mnemonic.Prefetchwt1 or Mnemonic.Prefetcht0 or Mnemonic.Prefetcht1
            or Mnemonic.Prefetcht2 or Mnemonic.Prefetchnta => AssistStep.Done,
        Mnemonic.Clflush => FlushLine(instruction, AssistFeatures.Clflush),
        Mnemonic.Clflushopt => FlushLine(instruction, AssistFeatures.Clflushopt),
        Mnemonic.Clwb => FlushLine(instruction, AssistFeatures.Clwb),
        Mnemonic.Rdrand => Random(instruction, AssistFeatures.Rdrand),
        Mnemonic.Rdseed => Random(instruction, AssistFeatures.Rdseed),
        Mnemonic.Swapgs => SwapGs(),
        Mnemonic.Rdfsbase => ReadBase(instruction, cpu.Sregs.fs.@base),
        Mnemonic.Rdgsbase => ReadBase(instruction, cpu.Sregs.gs.@base),
        Mnemonic.Wrfsbase => WriteBase(instruction, FsBase),
        Mnemonic.Wrgsbase => WriteBase(instruction, GsBase),
        _ => AssistStep.Unknown,
    };

    /// <summary>
    /// INT3: #BP with RIP behind it. Below CPL 0 the gate's privilege counts, which would have to be looked up.
    /// </summary>
    private AssistStep Breakpoint()
    {
        if (cpu.Cpl != 0)
            return AssistStep.Unknown;
        Trap = new(ExceptionVector.Breakpoint);
        return AssistStep.Trap;
    }

    private AssistStep SetAccess(ulong value)
    {
        if (!cpu.Has(AssistFeatures.Smap) || cpu.Cpl != 0)
            return AssistStep.InvalidOpcode;
        Rflags.Assign(ref cpu.Regs.rflags, ControlBits.RflagsAc, value);
        return AssistStep.Done;
    }

    /// <summary>WAIT or FWAIT: reports an x87 exception that is pending.</summary>
    private AssistStep Wait()
    {
        const ulong monitored = ControlBits.Cr0Mp | ControlBits.Cr0Ts;
        if ((cpu.Sregs.cr0 & monitored) == monitored)
            return AssistStep.DeviceNotAvailable;
        Span<byte> image = extended.Image;
        if (image.IsEmpty)
            return AssistStep.Unknown;
        if ((XsaveImage.StatusWord(image) & ErrorSummary) == 0)
            return AssistStep.Done;

        // Without NE it would be the PC's interrupt 13.
        return (cpu.Sregs.cr0 & ControlBits.Cr0Ne) != 0 ? AssistStep.MathFault : AssistStep.Unknown;
    }

    private AssistStep Fence()
    {
        if (!cpu.Has(AssistFeatures.Sse))
            return AssistStep.InvalidOpcode;
        Interlocked.MemoryBarrier();
        return AssistStep.Done;
    }

    /// <summary>Caches are the host's, and coherent: only the access is checked, as a read of one byte.</summary>
    private AssistStep FlushLine(in Instruction instruction, AssistFeatures needed)
    {
        if (!cpu.Has(needed))
            return AssistStep.InvalidOpcode;
        return operands.TryLocate(instruction, 1, write: false, out ulong linear) && operands.TryProbe(linear, 1, write: false)
            ? AssistStep.Done
            : AssistStep.MemoryFault;
    }

    private unsafe AssistStep Random(in Instruction instruction, AssistFeatures needed)
    {
        if (!cpu.Has(needed))
            return AssistStep.InvalidOpcode;
        ulong value = 0;
        bool given = Linux.GetRandom((byte*)&value, sizeof(ulong), 0) == sizeof(ulong);
        cpu.Write(instruction.Op0Register, given ? value : 0);
        Rflags.Assign(ref cpu.Regs.rflags, Rflags.Status, given ? Rflags.Carry : 0);
        return AssistStep.Done;
    }

    private AssistStep SwapGs()
    {
        if (!cpu.Is64Bit)
            return AssistStep.InvalidOpcode;
        if (cpu.Cpl != 0)
            return AssistStep.GeneralProtection;
        return extended.TryReadMsr(KernelGsBase, out ulong other)
            && extended.TryWriteMsr(KernelGsBase, cpu.Sregs.gs.@base)
            && extended.TryWriteMsr(GsBase, other)
                ? AssistStep.Done
                : AssistStep.Unknown;
    }

    private AssistStep ReadBase(in Instruction instruction, ulong value)
    {
        if (!HasBaseInstructions)
            return AssistStep.InvalidOpcode;
        cpu.Write(instruction.Op0Register, value);
        return AssistStep.Done;
    }

    private AssistStep WriteBase(in Instruction instruction, uint msr)
    {
        if (!HasBaseInstructions)
            return AssistStep.InvalidOpcode;
        ulong value = cpu.Read(instruction.Op0Register);
        if (!cpu.Paging.IsCanonical(value))
            return AssistStep.GeneralProtection;
        return extended.TryWriteMsr(msr, value) ? AssistStep.Done : AssistStep.Unknown;
    }

    private bool HasBaseInstructions =>
        cpu.Is64Bit && cpu.Has(AssistFeatures.Fsgsbase) && (cpu.Sregs.cr4 & ControlBits.Cr4Fsgsbase) != 0;
}
