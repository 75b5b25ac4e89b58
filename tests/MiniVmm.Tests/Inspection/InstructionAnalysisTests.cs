using CsCheck;
using MiniVmm.Inspection;

namespace MiniVmm.Tests.Inspection;

public sealed class InstructionAnalysisTests
{
    [Theory]
    [InlineData("0f0b", nameof(FaultCause.Undefined), 6, 0u)] // ud2
    [InlineData("cc", nameof(FaultCause.Breakpoint), 3, 0u)]
    [InlineData("cd80", nameof(FaultCause.SoftwareInterrupt), 0x80, 0u)]
    [InlineData("06", nameof(FaultCause.NotAnInstruction), 6, 0u)] // push es
    [InlineData("8b00", nameof(FaultCause.DataNotMapped), 14, 0u)] // mov eax, [rax]
    [InlineData("8900", nameof(FaultCause.DataNotMapped), 14, 2u)]
    [InlineData("0100", nameof(FaultCause.DataNotMapped), 14, 2u)] // add [rax], eax: reads and writes
    [InlineData("8b02", nameof(FaultCause.DataNotCanonical), 13, 0u)] // [rdx]
    [InlineData("c60301", nameof(FaultCause.DataReadOnly), 14, 3u)] // [rbx]
    [InlineData("f7f6", nameof(FaultCause.DivideByZero), 0, 0u)] // div esi
    [InlineData("48f7f7", nameof(FaultCause.DivideOverflow), 0, 0u)] // div rdi
    [InlineData("0f28c8", nameof(FaultCause.SimdOff), 6, 0u)] // movaps xmm1, xmm0
    [InlineData("c5fc28c8", nameof(FaultCause.SimdOff), 6, 0u)] // vmovaps
    [InlineData("0f2200", nameof(FaultCause.SystemRegister), 13, 0u)] // mov cr0, rax: PG without PE
    [InlineData("8ed9", nameof(FaultCause.Selector), 13, 0xfff8u)] // mov ds, ecx
    [InlineData("0f00de", nameof(FaultCause.Selector), 13, 0u)] // ltr si: null
    [InlineData("ffe2", nameof(FaultCause.CodeNotCanonical), 13, 0u)] // jmp rdx
    public void What_an_instruction_raises_is_told(string code, string cause, byte vector, uint error)
    {
        using Guest guest = new(Convert.FromHexString(code));
        guest.Regs.rax = Guest.Unmapped;
        guest.Regs.rdx = 1UL << 63;
        guest.Regs.rbx = 0x40000;
        guest.Regs.rcx = 0xfff8;
        guest.Regs.rdi = 2;
        guest.Map(0x40000, 0x40001);
        if (code == "0f2200")
            guest.Regs.rax = 0x8000_0010;

        InstructionFault fault = InstructionAnalysis.Find(guest.View)!;

        Assert.Equal((cause, vector, error), (fault.Cause.ToString(), fault.Vector, fault.ErrorCode));
    }

    [Theory]
    [InlineData("90")]
    [InlineData("50")] // push rax
    [InlineData("8b03")] // mov eax, [rbx]
    [InlineData("8d00")] // lea reads nothing
    [InlineData("0f1800")] // prefetch faults never
    [InlineData("f4")]
    public void Nothing_is_wrong_with_an_instruction_whose_operands_are_there(string code)
    {
        using Guest guest = new(Convert.FromHexString(code));
        guest.Regs.rax = Guest.Unmapped;
        guest.Regs.rbx = Guest.Code;

        Assert.Null(InstructionAnalysis.Find(guest.View));
    }

    [Fact]
    public void An_instruction_that_runs_into_the_next_page_needs_that_too()
    {
        using Guest guest = new();
        guest.Write(Guest.Code + 0xffe, [0x48, 0x8b]);
        guest.Regs.rip = Guest.Code + 0xffe;

        InstructionFault fault = InstructionAnalysis.Find(guest.View)!;

        Assert.Equal((FaultCause.CodeNotMapped, Guest.Code + 0x1000), (fault.Cause, fault.Address));
    }

    [Fact]
    public void A_stack_that_ends_is_told_from_other_memory()
    {
        using Guest guest = new(0x50);
        guest.Regs.rsp = Guest.Stack - 0x4000;

        Assert.Equal(FaultCause.StackNotMapped, InstructionAnalysis.Find(guest.View)!.Cause);
    }

    [Fact]
    public void User_code_may_not_use_what_is_the_supervisors()
    {
        using Guest guest = new(0xfa);
        guest.Sregs.ss.dpl = 3;
        Assert.Equal(FaultCause.CodeSupervisorPage, InstructionAnalysis.Find(guest.View)!.Cause);

        for (ulong at = Guest.Tables; at < Guest.Tables + 0x3000; at += 0x1000)
        {
            Assert.True(guest.Memory.TryRead(at, out ulong entry));
            guest.Put(at, entry | 4);
        }

        guest.Map(Guest.Code, Guest.Code | 7);
        Assert.Equal(FaultCause.Privileged, InstructionAnalysis.Find(guest.View)!.Cause);
    }

    [Fact]
    public void Whatever_bytes_and_registers_hold_there_is_an_answer() =>
        Gen.Select(Gen.Byte.Array[15], Gen.ULong, Gen.ULong, Gen.UInt, Gen.UInt, Gen.Int[0, 2]).Sample(
            (code, a, b, cr0, cr4, mode) =>
            {
                using Guest guest = new(code);
                (guest.Regs.rax, guest.Regs.rbx, guest.Regs.rdx) = (a, b, a ^ b);
                guest.Sregs.cr0 = mode == 0 ? cr0 : guest.Sregs.cr0;
                guest.Sregs.cr4 = mode == 1 ? cr4 : guest.Sregs.cr4;
                if (mode == 2)
                    (guest.Regs.rsp, guest.Sregs.idt.@base, guest.Sregs.gdt.@base) = (a, b, a + b);
                InstructionFault? fault = InstructionAnalysis.Find(guest.View);
                _ = FaultChain.From(guest.View, fault?.Vector ?? 13, fault?.IsSoftware ?? false);
            },
            iter: 2000);
}
