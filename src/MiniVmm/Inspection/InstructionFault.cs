namespace MiniVmm.Inspection;

/// <summary>Why an instruction raises an exception.</summary>
internal enum FaultCause
{
    CodeNotCanonical,
    CodeBeyondLimit,
    CodeNotMapped,
    CodeReservedBit,
    CodeNoExecute,

    /// <summary>A supervisor runs a user page: SMEP.</summary>
    CodeUserPage,
    CodeSupervisorPage,
    CodeNotInRam,
    NotAnInstruction,
    Undefined,

    /// <summary>CR4.OSFXSR, CR4.OSXSAVE or XCR0 is not set up.</summary>
    SimdOff,

    /// <summary>CR0.EM or CR0.TS.</summary>
    FpuOff,
    DivideByZero,
    DivideOverflow,
    Breakpoint,
    SoftwareInterrupt,
    Privileged,
    DataNotCanonical,
    DataNotMapped,
    DataReservedBit,
    DataReadOnly,

    /// <summary>CPL 3 on a supervisor page, or a supervisor on a user page with SMAP.</summary>
    DataPrivilege,
    TableNotInRam,
    SegmentLimit,
    SegmentNull,
    SegmentReadOnly,
    Misaligned,
    Selector,

    /// <summary>A value that a control register, an MSR or XCR0 does not take.</summary>
    SystemRegister,

    /// <summary>RDMSR or WRMSR of an MSR that this processor does not have, or a value it does not take.</summary>
    Msr,
    StackNotCanonical,
    StackNotMapped,
    StackReadOnly,
}

/// <summary>An exception that an instruction raises.</summary>
/// <param name="Cause">Why.</param>
/// <param name="Vector">The exception.</param>
/// <param name="ErrorCode">Its error code; 0 where it has none.</param>
/// <param name="Detail">In words, with the values.</param>
/// <param name="Address">The linear address that it is about, where it is one; CR2 of a page fault.</param>
internal sealed record InstructionFault(FaultCause Cause, byte Vector, uint ErrorCode, string Detail, ulong? Address = null)
{
    /// <summary>Whether the instruction could not even be read.</summary>
    public bool IsFetch => Cause is FaultCause.CodeNotCanonical or FaultCause.CodeNotMapped or FaultCause.CodeReservedBit
        or FaultCause.CodeNoExecute or FaultCause.CodeUserPage or FaultCause.CodeSupervisorPage or FaultCause.CodeNotInRam
        or FaultCause.CodeBeyondLimit;

    /// <summary>INT n and its like: a gate's DPL limits them, and they are no fault.</summary>
    public bool IsSoftware => Cause is FaultCause.Breakpoint or FaultCause.SoftwareInterrupt;
}
