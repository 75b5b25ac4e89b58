using Iced.Intel;
using MiniVmm.Inspection;
using MiniVmm.Kvm;

namespace MiniVmm.Diagnostics;

/// <summary>Names what killed a vCPU: the exception that its instruction raised, and what became of it. Pure.</summary>
internal static class FaultDiagnosis
{
    private const ulong ResetRip = 0xfff0;
    private const ushort ResetCs = 0xf000;

    /// <summary>Why a triple fault.</summary>
    /// <param name="view">The vCPU where it died.</param>
    /// <param name="events">What it was about to deliver.</param>
    /// <param name="kernel">What is known of the kernel's file.</param>
    public static Diagnosis OfTripleFault(GuestView view, in kvm_vcpu_events events, KernelImage? kernel)
    {
        ArgumentNullException.ThrowIfNull(view);
        InstructionFault? fault = InstructionAnalysis.Find(view, out Instruction instruction);
        if (fault is null)
        {
            // KVM keeps the vector of the last interrupt that it has tried to deliver.
            bool open = (view.Regs.rflags & ControlBits.RflagsIf) != 0;
            return open && events.interrupt.nr != 0 ? OfInterrupt(view, events.interrupt.nr) : new(null, OfEmptyTables(view));
        }

        if (fault.IsFetch && HandlerAt(view, kernel) is { } vector)
        {
            return new(
                new("handler-not-mapped", $"the handler of {ExceptionVector.Name(vector)} cannot run: {fault.Detail}"),
                PageTablesUnderStack(view) ?? HandlingOf(FaultChain.From(view, fault.Vector, false)));
        }

        FaultChain chain = FaultChain.From(view, fault.Vector, fault.IsSoftware);
        return new(CauseNames.Of(view, fault, instruction, kernel), HandlingOf(chain));
    }

    /// <summary>Of an instruction that could be read when it was its turn, and now cannot: what came after it wrote over the page tables.</summary>
    public static Diagnosis OfLostTables { get; } = new(
        new(
            "stack-over-page-tables",
            "the page tables were overwritten after the last instruction seen, as by a handler whose own fault called it again and again, "
            + "until the stack had run over them"),
        null);

    /// <summary>Why KVM could not go on with an instruction.</summary>
    /// <inheritdoc cref="OfTripleFault"/>
    public static Diagnosis OfEmulation(GuestView view, KernelImage? kernel)
    {
        ArgumentNullException.ThrowIfNull(view);
        InstructionFault? fault = InstructionAnalysis.Find(view, out Instruction instruction);
        if (fault is { Cause: FaultCause.CodeNotInRam or FaultCause.CodeNotMapped or FaultCause.NotAnInstruction or FaultCause.TableNotInRam })
            return new(CauseNames.Of(view, fault, instruction, kernel), null);
        if (CauseNames.OfCode(view) is { } code)
            return new(code, null);
        string name = instruction.IsInvalid ? "the instruction at RIP" : instruction.Mnemonic.ToString().ToLowerInvariant();
        return new(
            new(
                "not-emulated",
                $"this KVM cannot emulate {name}; where supervisor code is emulated (no hardware virtualisation) many are missing"),
            null);
    }

    /// <summary>What this kind of KVM cannot run, if the vCPU is in such a state; null if not.</summary>
    /// <param name="view">The vCPU.</param>
    /// <param name="supervisorEmulated">Whether this host's KVM emulates supervisor code (see <see cref="EmulatedSupervisor"/>).</param>
    public static Finding? OfKvmsLimit(GuestView view, bool supervisorEmulated)
    {
        ArgumentNullException.ThrowIfNull(view);
        if (!supervisorEmulated)
            return null;
        string? paging = view.Paging.Mode == PagingMode.TwoLevel ? "32-bit paging without PAE is on (CR0.PG = 1, CR4.PAE = 0)"
            : TurnsPaeOn(view) ? "32-bit paging with PAE is turned on (CR0.PG = 1, CR4.PAE = 1, EFER.LME = 0)"
            : null;
        return paging is null
            ? null
            : new(
                "kvm-without-32-bit-paging",
                $"{paging}, which this host's KVM cannot run, because it emulates supervisor code; on a host with hardware "
                + "virtualisation the kernel may well work");
    }

    /// <summary>Whether RIP is at the MOV to CR0 by which PAE paging begins, and a processor would go on behind it.</summary>
    private static bool TurnsPaeOn(GuestView view) =>
        view.Paging.Mode == PagingMode.None
        && (view.Sregs.cr4 & ControlBits.Cr4Pae) != 0 && (view.Sregs.efer & ControlBits.EferLme) == 0
        && InstructionAnalysis.Find(view, out Instruction instruction) is null
        && instruction is { Mnemonic: Mnemonic.Mov, Op0Kind: OpKind.Register, Op0Register: Register.CR0 }
        && (RegisterFile.Read(view, instruction.Op1Register) & ControlBits.Cr0Pg) != 0;

    /// <summary>
    /// Whether these are the registers of a processor after INIT rather than at the fault: KVM on AMD resets a vCPU at a triple
    /// fault.
    /// </summary>
    public static bool IsAfterReset(in kvm_regs regs, in kvm_sregs sregs) =>
        regs.rip == ResetRip && sregs.cs.selector == ResetCs && (sregs.cr0 & ControlBits.Cr0Pe) == 0;

    private static Diagnosis OfInterrupt(GuestView view, byte vector)
    {
        string which = vector switch
        {
            // Where the BIOS has the 8259s' vectors: those of exceptions.
            >= 8 and < 16 => $"interrupt 0x{vector:x}: IRQ {vector - 8} of an 8259 that is as the BIOS left it",
            >= 0x70 and < 0x78 => $"interrupt 0x{vector:x}: IRQ {vector - 0x68} of an 8259 that is as the BIOS left it",
            _ => $"interrupt 0x{vector:x}",
        };
        return new(new("interrupt-not-handled", $"{which} came, and the guest was not ready for it"), HandlingOf(FaultChain.From(view, vector, false)));
    }

    /// <summary>The vector whose handler begins at RIP.</summary>
    private static byte? HandlerAt(GuestView view, KernelImage? kernel)
    {
        for (int vector = 0; vector < DescriptorTables.GateCount(view); vector++)
        {
            InterruptGate? gate = DescriptorTables.Gate(view, (byte)vector)
                ?? kernel?.ReadGate(view, DescriptorTables.GateAddress(view, (byte)vector));
            if (gate is { IsPresent: true, Offset: var offset } && offset == view.Rip && offset != 0)
                return (byte)vector;
        }

        return null;
    }

    /// <summary>
    /// A fault of a handler's first instruction calls it again, one frame lower each time: the stack runs down over all that
    /// is below it.
    /// </summary>
    private static Finding? PageTablesUnderStack(GuestView view)
    {
        ulong stack = view.Regs.rsp;
        PageWalk walk = view.Walk(stack);
        for (int i = 0; i < walk.Count; i++)
        {
            if ((walk[i].Address ^ stack) >> 12 == 0)
                return new("stack-over-page-tables", $"each try pushed a frame more, until the stack at 0x{stack:x} ran over the page tables");
        }

        return null;
    }

    /// <summary>Where the instruction says nothing: a table that could not have worked.</summary>
    private static Finding? OfEmptyTables(GuestView view) =>
        HandlingOf(FaultChain.From(view, ExceptionVector.DoubleFault, false));

    private static Finding? HandlingOf(FaultChain chain)
    {
        FaultStep first = chain.Steps[0];
        string name = ExceptionVector.ShortName(first.Vector);
        if (first.Fault is { } fault)
        {
            string then = string.Join(" -> ", chain.Steps.Select(step => ExceptionVector.ShortName(step.Vector)));
            string end = chain.IsTripleFault ? " -> triple fault" : "";
            return new(NameOf(fault.Problem), $"{name} could not be delivered: {fault.Detail} ({then}{end})");
        }

        return chain.HandlerFault is { } handler
            ? new("handler-not-mapped", $"the handler of {name} cannot run: {handler.Detail}")
            : null;
    }

    private static string NameOf(DeliveryProblem problem) => problem switch
    {
        DeliveryProblem.NoIdt => "idt-limit-0",
        DeliveryProblem.BeyondIdtLimit => "idt-too-short",
        DeliveryProblem.IdtNotMapped => "idt-not-mapped",
        DeliveryProblem.GateEmpty => "gate-empty",
        DeliveryProblem.GateType => "gate-type",
        DeliveryProblem.GateNotPresent => "gate-not-present",
        DeliveryProblem.GatePrivilege => "gate-privilege",
        DeliveryProblem.CodeSelectorNull or DeliveryProblem.CodeSelectorBeyondTable or DeliveryProblem.NotACodeSegment
            or DeliveryProblem.CodePrivilege or DeliveryProblem.CodeNotPresent => "gate-selector",
        DeliveryProblem.CodeNot64Bit => "gate-selector-not-64-bit",
        DeliveryProblem.GdtNotMapped => "gdt-not-mapped",
        DeliveryProblem.NoTss => "no-tss",
        DeliveryProblem.TssTooShort => "tss-too-short",
        DeliveryProblem.TssNotMapped => "tss-not-mapped",
        DeliveryProblem.StackSegment => "stack-segment",
        DeliveryProblem.StackLimit => "stack-limit",
        DeliveryProblem.StackNotCanonical => "stack-not-canonical",
        DeliveryProblem.StackNotMapped => "stack-not-mapped",
        DeliveryProblem.StackReadOnly => "stack-read-only",
        DeliveryProblem.HandlerBeyondLimit or DeliveryProblem.HandlerNotCanonical => "handler-not-mapped",
        _ => "not-delivered",
    };
}
