using Iced.Intel;
using MiniVmm.Inspection;
using MiniVmm.Kvm;
using MiniVmm.Memory;

namespace MiniVmm.Diagnostics;

/// <summary>Where a vCPU stood when its machine was ended: pure, from what KVM says of it.</summary>
/// <param name="MpState">KVM_MP_STATE_*.</param>
/// <param name="Regs">General registers.</param>
/// <param name="Sregs">Segments and control registers.</param>
/// <param name="Physical">Guest-physical address of the instruction; null where nothing is mapped.</param>
/// <param name="Code">Bytes from the instruction on, which is the HLT of one that halted; empty if they are not RAM.</param>
internal readonly record struct VcpuStanding(
    uint MpState, kvm_regs Regs, kvm_sregs Sregs, ulong? Physical, ReadOnlyMemory<byte> Code)
{
    private const int CodeBytes = 48;
    private const int MostInstructions = 12;
    private const ulong LongestLoop = 64;

    private bool IsHalted => MpState == KvmConstants.KVM_MP_STATE_HALTED;

    private bool InterruptsOff => (Regs.rflags & ControlBits.RflagsIf) == 0;

    /// <summary>RIP; that of the HLT where the vCPU halted, as RIP is past it then.</summary>
    private ulong Rip => IsHalted ? Regs.rip - 1 : Regs.rip;

    /// <summary>Asks KVM; the vCPU's thread must have ended.</summary>
    /// <exception cref="KvmException">KVM does not say.</exception>
    public static VcpuStanding Capture(KvmVcpu vcpu, GuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(vcpu);
        GuestView view = new(vcpu.GetRegs(), vcpu.GetSregs(), memory);
        VcpuStanding standing = new(vcpu.GetMpState(), view.Regs, view.Sregs, null, default);
        ulong linear = view.Linear(view.Sregs.cs, standing.Rip);
        return standing with
        {
            Physical = view.Walk(linear) is { End: PageWalkEnd.Mapped } walk ? walk.Physical : null,
            Code = view.Read(linear, CodeBytes),
        };
    }

    /// <summary>As in "halted with interrupts off at 0x100123 (hang+0x3)".</summary>
    /// <param name="symbol">The name of a linear and a physical address, if there is one.</param>
    public string Describe(Func<ulong, ulong?, string?> symbol)
    {
        ArgumentNullException.ThrowIfNull(symbol);
        if (MpState is KvmConstants.KVM_MP_STATE_UNINITIALIZED or KvmConstants.KVM_MP_STATE_INIT_RECEIVED)
            return "waiting for SIPI";
        string name = symbol(Linear, Physical) is { } known ? $" ({known})" : "";
        string at = $"{Place(Rip)}{name}";
        if (IsHalted)
            return InterruptsOff ? $"halted with interrupts off at {at}" : $"halted, waiting for an interrupt, at {at}";
        string interrupts = InterruptsOff ? ", interrupts off" : "";
        return FindLoop() switch
        {
            (var start, var end) when start == end => $"in an endless loop at {at}{interrupts}",
            (var start, var end) => $"in the loop {Place(start)}-{Place(end)} at {at}{interrupts}",
            null when (Sregs.cs.selector & 3) == 3 && IsProtected => $"running user code at {at}",
            null => $"running at {at}{interrupts}",
        };
    }

    private ulong Linear => Sregs.cs.l != 0 ? Rip : Sregs.cs.@base + Rip & uint.MaxValue;

    private bool IsProtected => (Sregs.cr0 & ControlBits.Cr0Pe) != 0;

    private string Place(ulong rip) => IsProtected ? $"0x{rip:x}" : $"{Sregs.cs.selector:x4}:{rip:x4}";

    /// <summary>
    /// A short backward jump, ahead of which nothing leaves the way: the code says that it is a loop, not how long it goes on.
    /// </summary>
    /// <returns>The loop's first instruction and its jump, the same for one that jumps to itself; null for no loop.</returns>
    private (ulong Start, ulong End)? FindLoop()
    {
        byte[] code = Code.ToArray();
        int bits = Sregs.cs.l != 0 ? 64 : Sregs.cs.db != 0 ? 32 : 16;
        Decoder decoder = Decoder.Create(bits, new ByteArrayCodeReader(code), Regs.rip);
        for (int i = 0; i < MostInstructions; i++)
        {
            Instruction instruction = decoder.Decode();
            if (decoder.LastError != DecoderError.None)
                return null;
            switch (instruction.FlowControl)
            {
                case FlowControl.Next:
                    continue;
                case FlowControl.UnconditionalBranch or FlowControl.ConditionalBranch:
                    ulong target = instruction.NearBranchTarget;
                    if (target <= Regs.rip && Regs.rip - target <= LongestLoop)
                    {
                        return instruction.FlowControl == FlowControl.UnconditionalBranch || target != instruction.IP
                            ? (target, instruction.IP)
                            : null;
                    }

                    if (instruction.FlowControl == FlowControl.ConditionalBranch)
                        continue;
                    return null;
                default:
                    return null;
            }
        }

        return null;
    }
}
