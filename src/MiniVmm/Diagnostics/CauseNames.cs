using System.Globalization;
using Iced.Intel;
using MiniVmm.Inspection;

namespace MiniVmm.Diagnostics;

/// <summary>A name for the exception that began a death, more telling than the exception's own where it can be.</summary>
internal static class CauseNames
{
    private const ulong FirstPage = 4096;
    private const int Looked = 16; // bytes of code that tell zeroes and text

    /// <summary>Names a fault.</summary>
    /// <param name="view">The vCPU.</param>
    /// <param name="fault">Its instruction's.</param>
    /// <param name="instruction">The instruction, where there is one.</param>
    /// <param name="kernel">What is known of the kernel's file.</param>
    public static Finding Of(GuestView view, InstructionFault fault, in Instruction instruction, KernelImage? kernel)
    {
        ArgumentNullException.ThrowIfNull(view);
        ArgumentNullException.ThrowIfNull(fault);
        string code = ExceptionVector.HasErrorCode(fault.Vector)
            ? string.Create(CultureInfo.InvariantCulture, $", error code 0x{fault.ErrorCode:x}") : "";
        string raised = fault.Cause == FaultCause.CodeNotInRam ? "" : $" ({ExceptionVector.Name(fault.Vector)}{code})";
        (string name, string text) = Name(view, fault, instruction, kernel);
        return new(name, text + raised);
    }

    /// <summary>What is plain from the bytes at RIP; null for what looks like code.</summary>
    public static Finding? OfCode(GuestView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        byte[] code = view.Read(view.Rip, Looked);
        if (code.Length == Looked && !code.AsSpan().ContainsAnyExcept((byte)0))
            return new("executing-zeroes", $"it runs zeroes at 0x{view.Rip:x}: memory that nobody wrote code to");
        return code.Length == Looked && IsText(code)
            ? new("executing-text", $"it runs text at 0x{view.Rip:x}: \"{System.Text.Encoding.ASCII.GetString(code)}\"")
            : null;
    }

    private static (string Name, string Text) Name(
        GuestView view, InstructionFault fault, in Instruction instruction, KernelImage? kernel)
    {
        bool fetched = !fault.IsFetch;
        if (fetched && OfCode(view) is { } data)
            return (data.Name, $"{data.Text}; {fault.Detail}");

        // The last steps of a boot's 32-bit code stand before the 64-bit code that they lead to.
        bool isStep = fault.Cause is FaultCause.SystemRegister or FaultCause.Msr or FaultCause.Selector;
        if (fetched && !isStep && view.CodeBits == 32 && WrongWidth.Is64BitCodeIn32BitMode(view))
            return ("64-bit-code-in-32-bit-mode", $"64-bit code runs in a {view.CodeBits}-bit mode (CS.L is 0); {fault.Detail}");
        if (fetched && view.CodeBits == 64 && WrongWidth.Is32BitCodeIn64BitMode(view, fault))
            return ("32-bit-code-in-64-bit-mode", $"32-bit code runs in 64-bit mode; {fault.Detail}");
        return fault.Cause switch
        {
            FaultCause.CodeNotMapped or FaultCause.CodeNotInRam when fault.Address < FirstPage =>
                ("jump-to-0", $"the kernel jumped to 0x{view.Rip:x}, as by a function pointer that is null"),
            FaultCause.CodeNotMapped when instruction.Mnemonic == Mnemonic.Mov || kernel?.IsCode(view.Rip, null) == true =>
                Cleared(view, fault, kernel) ?? ("kernel-not-mapped", $"the page tables do not map the kernel's own code: {fault.Detail}"),
            FaultCause.CodeNotMapped => ("code-not-mapped", $"the kernel jumped or returned to nowhere: {fault.Detail}"),
            FaultCause.CodeNotInRam => ("code-not-in-ram", $"the kernel jumped to nowhere, or into a device: {fault.Detail}"),
            FaultCause.CodeNotCanonical or FaultCause.DataNotCanonical => ("non-canonical-address", fault.Detail),
            FaultCause.CodeBeyondLimit => ("code-beyond-limit", fault.Detail),
            FaultCause.CodeReservedBit or FaultCause.DataReservedBit => ("reserved-bits", fault.Detail),
            FaultCause.CodeNoExecute => ("no-execute-page", fault.Detail),
            FaultCause.CodeUserPage => ("smep", fault.Detail),
            FaultCause.CodeSupervisorPage => ("supervisor-page", fault.Detail),
            FaultCause.NotAnInstruction => ("invalid-opcode", fault.Detail),
            FaultCause.Undefined => ("ud2", fault.Detail),
            FaultCause.SimdOff when instruction.Mnemonic == Mnemonic.Xsetbv || instruction.Encoding != EncodingKind.Legacy =>
                ("avx-without-osxsave", fault.Detail),
            FaultCause.SimdOff => ("simd-without-osfxsr", fault.Detail),
            FaultCause.FpuOff => ("fpu-off", fault.Detail),
            FaultCause.DivideByZero => ("divide-by-zero", fault.Detail),
            FaultCause.DivideOverflow => ("divide-overflow", fault.Detail),
            FaultCause.Breakpoint => ("breakpoint", fault.Detail),
            FaultCause.SoftwareInterrupt => ("software-interrupt", fault.Detail),
            FaultCause.Privileged => ("privileged-instruction", fault.Detail),
            FaultCause.DataNotMapped when fault.Address < FirstPage => ("null-pointer", fault.Detail),
            FaultCause.DataNotMapped => Cleared(view, fault, kernel) ?? ("page-not-mapped", fault.Detail),
            FaultCause.DataReadOnly => ("read-only-page", fault.Detail),
            FaultCause.DataPrivilege => (view.Cpl == 3 ? "supervisor-page" : "smap", fault.Detail),
            FaultCause.TableNotInRam => ("page-tables-outside-ram", fault.Detail),
            FaultCause.SegmentLimit => ("segment-limit", fault.Detail),
            FaultCause.SegmentNull => ("null-segment", fault.Detail),
            FaultCause.SegmentReadOnly => ("read-only-segment", fault.Detail),
            FaultCause.Misaligned => ("misaligned", fault.Detail),
            FaultCause.Selector => ("bad-selector", fault.Detail),
            FaultCause.SystemRegister when fault.Detail.Contains("LME", StringComparison.Ordinal) => ("lme-without-pae", fault.Detail),
            FaultCause.SystemRegister => ("reserved-control-bits", fault.Detail),
            FaultCause.Msr => ("bad-msr", fault.Detail),
            FaultCause.StackNotCanonical => ("stack-not-canonical", fault.Detail),
            FaultCause.StackNotMapped when view.Walk((fault.Address ?? 0) + FirstPage).End == PageWalkEnd.Mapped =>
                ("stack-overflow", $"the stack has run over its lower end: {fault.Detail}"),
            FaultCause.StackNotMapped => ("stack-not-mapped", fault.Detail),
            FaultCause.StackReadOnly => ("stack-read-only", fault.Detail),
            _ => ("exception", fault.Detail),
        };
    }

    /// <summary>Whether the tables that should map an address lie in .bss, and are all zero where it is.</summary>
    private static (string Name, string Text)? Cleared(GuestView view, InstructionFault fault, KernelImage? kernel)
    {
        PageWalk walk = view.Walk(fault.Address ?? 0);
        if (kernel is null || walk.Count == 0 || walk.End != PageWalkEnd.NotPresent)
            return null;
        PageEntry last = walk[walk.Count - 1];
        ulong table = last.Address & ~(FirstPage - 1);
        return kernel.IsBss(table) && view.Memory.TryGetSpan(table, (int)FirstPage, out Span<byte> bytes)
            && !bytes.ContainsAnyExcept((byte)0)
            ? ("page-tables-cleared", $"the page table at 0x{table:x} lies in .bss and is all zero, as if .bss had been cleared over it: {fault.Detail}")
            : null;
    }

    private static bool IsText(ReadOnlySpan<byte> code) =>
        !code.ContainsAnyExceptInRange((byte)' ', (byte)'~') && code.ContainsAnyInRange((byte)'a', (byte)'z');
}
