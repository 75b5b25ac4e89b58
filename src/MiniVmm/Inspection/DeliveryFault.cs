namespace MiniVmm.Inspection;

/// <summary>What keeps an exception from its handler.</summary>
internal enum DeliveryProblem
{
    /// <summary>The IDT has no entries at all.</summary>
    NoIdt,

    /// <summary>The IDT ends before the vector.</summary>
    BeyondIdtLimit,
    IdtNotMapped,
    GateEmpty,
    GateType,
    GateNotPresent,

    /// <summary>INT n by less privileged code than the gate's DPL allows.</summary>
    GatePrivilege,
    CodeSelectorNull,
    CodeSelectorBeyondTable,
    GdtNotMapped,
    NotACodeSegment,
    CodeNotPresent,
    CodePrivilege,

    /// <summary>IA-32e mode takes handlers of 64-bit code only.</summary>
    CodeNot64Bit,

    /// <summary>A stack of the TSS is needed, and TR holds none that can be used.</summary>
    NoTss,
    TssTooShort,
    TssNotMapped,
    StackSegment,
    StackLimit,
    StackNotCanonical,
    StackNotMapped,
    StackReadOnly,
    HandlerBeyondLimit,
    HandlerNotCanonical,
}

/// <summary>An exception that could not be delivered.</summary>
/// <param name="Problem">What was wrong.</param>
/// <param name="Vector">The exception that the processor raises instead.</param>
/// <param name="ErrorCode">Its error code.</param>
/// <param name="Detail">In words, with the values.</param>
/// <param name="Address">The linear address that it is about, where it is one.</param>
internal sealed record DeliveryFault(DeliveryProblem Problem, byte Vector, uint ErrorCode, string Detail, ulong? Address = null);

/// <summary>Where an exception's delivery led.</summary>
/// <param name="Handler">Linear address of the handler's first instruction.</param>
/// <param name="Stack">Linear address of the last word pushed.</param>
internal readonly record struct Delivery(ulong Handler, ulong Stack);
