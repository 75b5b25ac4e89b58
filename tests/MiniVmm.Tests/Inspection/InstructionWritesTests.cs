using MiniVmm.Inspection;

namespace MiniVmm.Tests.Inspection;

/// <summary>The registers are those behind the instruction; RDI is 0x1f100 there, RSP 0x1fff8.</summary>
public sealed class InstructionWritesTests
{
    [Theory]
    [InlineData("c7 07 02 00 00 00", 0x1f100, true)] // mov dword [rdi], 2
    [InlineData("c7 07 02 00 00 00", 0x1f0fc, false)]
    [InlineData("c7 07 02 00 00 00", 0x1f104, false)]
    [InlineData("c7 07 02 00 00 00", 0x1f0ff, true)] // in part
    [InlineData("8b 07", 0x1f100, false)] // mov eax, [rdi]: reads
    [InlineData("83 05 f9 ff 00 00 01", 0x20000, true)] // add dword [rip + 0xfff9], 1
    [InlineData("83 05 f9 ff 00 00 01", 0x1f100, false)]
    [InlineData("90", 0x1f100, false)]
    [InlineData("50", 0x1fff8, true)] // push rax: RSP has moved
    [InlineData("50", 0x1f100, false)]
    [InlineData("ab", 0x1f0fc, true)] // stosd: RDI has moved
    [InlineData("f3 ab", 0x10, true)] // rep stosd: from anywhere
    [InlineData("06", 0x10, true)] // no instruction: cannot be told
    public void An_instruction_may_have_written_where_its_operand_is(string code, ulong address, bool may)
    {
        using Guest guest = new(Convert.FromHexString(code.Replace(" ", "", StringComparison.Ordinal)));
        (guest.Regs.rip, guest.Regs.rdi, guest.Regs.rsp) = (Guest.Code + 0x100, 0x1f100, 0x1fff8);

        Assert.Equal(may, InstructionWrites.MayBe(guest.View, Guest.Code, address, 4));
    }
}
