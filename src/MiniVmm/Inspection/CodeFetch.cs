using MiniVmm.Kvm;

namespace MiniVmm.Inspection;

/// <summary>Whether the processor can read the instruction at RIP.</summary>
internal static class CodeFetch
{
    /// <summary>Longest instruction in bytes (SDM vol. 2, 2.3.11).</summary>
    public const int MostBytes = 15;

    /// <summary>What is wrong with the first byte of the instruction at RIP; null for nothing.</summary>
    public static InstructionFault? Check(GuestView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        return CheckLimit(view) ?? Check(view, view.Rip);
    }

    /// <summary>What is wrong with a byte of code; null for nothing.</summary>
    public static InstructionFault? Check(GuestView view, ulong linear)
    {
        ArgumentNullException.ThrowIfNull(view);
        PagingState paging = view.Paging;
        PageWalk walk = view.Walk(linear);
        if (walk.End == PageWalkEnd.NotCanonical)
        {
            return new(
                FaultCause.CodeNotCanonical, ExceptionVector.GeneralProtection, 0, $"RIP 0x{linear:x} is not canonical", linear);
        }

        if (walk.End == PageWalkEnd.TableNotInRam)
        {
            return new(
                FaultCause.TableNotInRam, ExceptionVector.PageFault, 0,
                $"the page tables for RIP 0x{linear:x} lie at 0x{walk.Physical:x}, which is not RAM", linear);
        }

        if (walk.Permits(PageAccess.Fetch | (view.Cpl == 3 ? PageAccess.User : 0), paging, out uint error))
        {
            return view.Memory.TryGetSpan(walk.Physical, 1, out _)
                ? null
                : new(
                    FaultCause.CodeNotInRam, ExceptionVector.InvalidOpcode, 0,
                    $"RIP 0x{linear:x} is at physical 0x{walk.Physical:x}, which is not RAM", linear);
        }

        (FaultCause cause, string detail) = walk.End switch
        {
            PageWalkEnd.NotPresent => (FaultCause.CodeNotMapped, $"RIP 0x{linear:x} is not mapped"),
            PageWalkEnd.ReservedBit => (
                FaultCause.CodeReservedBit, $"{walk[walk.Count - 1].Name} of RIP 0x{linear:x} has reserved bits 0x{walk.ReservedBits:x} set"),
            _ when view.Cpl == 3 && !walk.IsUser => (FaultCause.CodeSupervisorPage, $"RIP 0x{linear:x} is on a supervisor page"),
            _ when !walk.IsExecutable => (FaultCause.CodeNoExecute, $"RIP 0x{linear:x} is on a no-execute page"),
            _ => (FaultCause.CodeUserPage, $"RIP 0x{linear:x} is on a user page, which SMEP keeps the kernel off"),
        };
        return new(cause, ExceptionVector.PageFault, error, detail, linear);
    }

    /// <summary>CS' limit, outside of 64-bit code.</summary>
    public static InstructionFault? CheckLimit(GuestView view)
    {
        ref readonly kvm_sregs sregs = ref view.Sregs;
        return view.Is64Bit || view.Regs.rip <= sregs.cs.limit
            ? null
            : new(
                FaultCause.CodeBeyondLimit, ExceptionVector.GeneralProtection, 0,
                $"offset 0x{view.Regs.rip:x} is beyond the limit 0x{sregs.cs.limit:x} of CS", view.Rip);
    }
}
