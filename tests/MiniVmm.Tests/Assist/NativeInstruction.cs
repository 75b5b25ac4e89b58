using Iced.Intel;
using MiniVmm.Kvm;
using static Iced.Intel.AssemblerRegisters;
using static Tmds.Linux.LibC;

namespace MiniVmm.Tests.Assist;

/// <summary>
/// The processor itself: runs one instruction of user code in this process, with all general registers but RSP and the flags of
/// arithmetic from outside.
/// </summary>
internal sealed unsafe class NativeInstruction : IDisposable
{
    private const int PageBytes = 4096;

    private static readonly AssemblerRegister64[] Registers =
        [rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15];

    private readonly void* _page;

    /// <param name="instruction">Must not jump, nor use RSP.</param>
    public NativeInstruction(ReadOnlySpan<byte> instruction)
    {
        byte[] bytes = instruction.ToArray();
        byte[] code = AssistGuest.Assembled(c =>
        {
            foreach (AssemblerRegister64 register in (AssemblerRegister64[])[rbx, rbp, r12, r13, r14, r15, rdi])
                c.push(register);
            c.push(__qword_ptr[rdi + 17 * 8]);
            c.popfq();
            for (int i = 0; i < Registers.Length; i++)
            {
                if (i is not (5 or 6))
                    c.mov(Registers[i], __qword_ptr[rdi + i * 8]);
            }

            c.mov(rdi, __qword_ptr[rdi + 5 * 8]);
            c.db(bytes);
            c.push(rdi);
            c.mov(rdi, __qword_ptr[rsp + 8]);
            for (int i = 0; i < Registers.Length; i++)
            {
                if (i is not (5 or 6))
                    c.mov(__qword_ptr[rdi + i * 8], Registers[i]);
            }

            c.pop(rax);
            c.mov(__qword_ptr[rdi + 5 * 8], rax);
            c.pushfq();
            c.pop(rax);
            c.mov(__qword_ptr[rdi + 17 * 8], rax);
            c.cld();
            foreach (AssemblerRegister64 register in (AssemblerRegister64[])[rdi, r15, r14, r13, r12, rbp, rbx])
                c.pop(register);
            c.ret();
        });
        _page = mmap(null, PageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        Assert.True(_page != MAP_FAILED && code.Length < PageBytes);
        code.CopyTo(new Span<byte>(_page, PageBytes));
        Assert.Equal(0, mprotect(_page, PageBytes, PROT_READ | PROT_EXEC));
    }

    public void Run(ref kvm_regs registers)
    {
        fixed (kvm_regs* at = &registers)
            ((delegate* unmanaged<kvm_regs*, void>)_page)(at);
    }

    public void Dispose() => _ = munmap(_page, PageBytes);
}
