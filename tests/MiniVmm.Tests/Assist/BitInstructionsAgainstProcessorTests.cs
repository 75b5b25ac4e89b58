using System.Runtime.Intrinsics.X86;
using CsCheck;
using Iced.Intel;
using MiniVmm.Assist;
using MiniVmm.Kvm;
using static Iced.Intel.AssemblerRegisters;

namespace MiniVmm.Tests.Assist;

/// <summary>The assist leaves registers, flags and memory as the processor does, over random operands.</summary>
public sealed unsafe class BitInstructionsAgainstProcessorTests : IDisposable
{
    private const ulong C = Rflags.Carry, Z = Rflags.Zero, S = Rflags.Sign, O = Rflags.Overflow;
    private const int Times = 2000;

    /// <summary>Each with the flags that the manual leaves undefined.</summary>
    private static readonly Dictionary<string, (Action<Assembler> Write, ulong Undefined)> Forms = new()
    {
        ["popcnt eax, ecx"] = (c => c.popcnt(eax, ecx), 0),
        ["popcnt rbp, [rsi]"] = (c => c.popcnt(rbp, __qword_ptr[rsi]), 0),
        ["popcnt ax, r15w"] = (c => c.popcnt(ax, r15w), 0),
        ["lzcnt rax, rcx"] = (c => c.lzcnt(rax, rcx), Rflags.Status & ~(C | Z)),
        ["lzcnt ax, [rsi]"] = (c => c.lzcnt(ax, __word_ptr[rsi]), Rflags.Status & ~(C | Z)),
        ["lzcnt ebx, r9d"] = (c => c.lzcnt(ebx, r9d), Rflags.Status & ~(C | Z)),
        ["tzcnt rax, [rsi]"] = (c => c.tzcnt(rax, __qword_ptr[rsi]), Rflags.Status & ~(C | Z)),
        ["tzcnt ecx, ecx"] = (c => c.tzcnt(ecx, ecx), Rflags.Status & ~(C | Z)),
        ["tzcnt dx, r8w"] = (c => c.tzcnt(dx, r8w), Rflags.Status & ~(C | Z)),
        ["andn rax, rcx, rdx"] = (c => c.andn(rax, rcx, rdx), Rflags.Adjust | Rflags.Parity),
        ["andn r10d, r11d, [rsi]"] = (c => c.andn(r10d, r11d, __dword_ptr[rsi]), Rflags.Adjust | Rflags.Parity),
        ["bextr rax, rcx, rdx"] = (c => c.bextr(rax, rcx, rdx), Rflags.Adjust | S | Rflags.Parity),
        ["bextr eax, [rsi], edx"] = (c => c.bextr(eax, __dword_ptr[rsi], edx), Rflags.Adjust | S | Rflags.Parity),
        ["blsi rax, rcx"] = (c => c.blsi(rax, rcx), Rflags.Adjust | Rflags.Parity),
        ["blsi eax, [rsi]"] = (c => c.blsi(eax, __dword_ptr[rsi]), Rflags.Adjust | Rflags.Parity),
        ["blsmsk rax, rcx"] = (c => c.blsmsk(rax, rcx), Rflags.Adjust | Rflags.Parity),
        ["blsmsk eax, ecx"] = (c => c.blsmsk(eax, ecx), Rflags.Adjust | Rflags.Parity),
        ["blsr rax, [rsi]"] = (c => c.blsr(rax, __qword_ptr[rsi]), Rflags.Adjust | Rflags.Parity),
        ["blsr edi, edi"] = (c => c.blsr(edi, edi), Rflags.Adjust | Rflags.Parity),
        ["bzhi rax, rcx, rdx"] = (c => c.bzhi(rax, rcx, rdx), Rflags.Adjust | Rflags.Parity),
        ["bzhi eax, [rsi], edx"] = (c => c.bzhi(eax, __dword_ptr[rsi], edx), Rflags.Adjust | Rflags.Parity),
        ["pdep rax, rcx, rdx"] = (c => c.pdep(rax, rcx, rdx), 0),
        ["pdep eax, ecx, [rsi]"] = (c => c.pdep(eax, ecx, __dword_ptr[rsi]), 0),
        ["pext rax, rcx, [rsi]"] = (c => c.pext(rax, rcx, __qword_ptr[rsi]), 0),
        ["pext r8d, r9d, r10d"] = (c => c.pext(r8d, r9d, r10d), 0),
        ["rorx rax, rcx, 13"] = (c => c.rorx(rax, rcx, 13), 0),
        ["rorx eax, [rsi], 45"] = (c => c.rorx(eax, __dword_ptr[rsi], 45), 0),
        ["sarx rax, [rsi], rdx"] = (c => c.sarx(rax, __qword_ptr[rsi], rdx), 0),
        ["sarx eax, ecx, edx"] = (c => c.sarx(eax, ecx, edx), 0),
        ["shlx rax, rcx, rdx"] = (c => c.shlx(rax, rcx, rdx), 0),
        ["shlx eax, ecx, edx"] = (c => c.shlx(eax, ecx, edx), 0),
        ["shrx rax, rcx, rdx"] = (c => c.shrx(rax, rcx, rdx), 0),
        ["shrx r13d, [rsi], r14d"] = (c => c.shrx(r13d, __dword_ptr[rsi], r14d), 0),
        ["mulx rax, rcx, rbx"] = (c => c.mulx(rax, rcx, rbx), 0),
        ["mulx r8, r8, [rsi]"] = (c => c.mulx(r8, r8, __qword_ptr[rsi]), 0),
        ["mulx eax, ecx, [rsi]"] = (c => c.mulx(eax, ecx, __dword_ptr[rsi]), 0),
        ["adcx rax, rcx"] = (c => c.adcx(rax, rcx), 0),
        ["adcx eax, [rsi]"] = (c => c.adcx(eax, __dword_ptr[rsi]), 0),
        ["adox rax, [rsi]"] = (c => c.adox(rax, __qword_ptr[rsi]), 0),
        ["adox eax, ecx"] = (c => c.adox(eax, ecx), 0),
        ["crc32 eax, ch"] = (c => c.crc32(eax, ch), 0),
        ["crc32 eax, sil"] = (c => c.crc32(eax, dil), 0),
        ["crc32 eax, [rsi] word"] = (c => c.crc32(eax, __word_ptr[rsi]), 0),
        ["crc32 ebx, ecx"] = (c => c.crc32(ebx, ecx), 0),
        ["crc32 rax, [rsi]"] = (c => c.crc32(rax, __qword_ptr[rsi]), 0),
        ["crc32 rax, cl"] = (c => c.crc32(rax, cl), 0),
        ["movbe rax, [rsi]"] = (c => c.movbe(rax, __qword_ptr[rsi]), 0),
        ["movbe ax, [rsi]"] = (c => c.movbe(ax, __word_ptr[rsi]), 0),
        ["movbe [rsi], rcx"] = (c => c.movbe(__qword_ptr[rsi], rcx), 0),
        ["movbe [rsi], r9d"] = (c => c.movbe(__dword_ptr[rsi], r9d), 0),
        ["lock cmpxchg16b [rsi]"] = (c => c.@lock.cmpxchg16b(__[rsi]), 0),
        ["cmpxchg16b [rsi]"] = (c => c.cmpxchg16b(__[rsi]), 0),
        ["lfence"] = (c => c.lfence(), 0),
        ["mfence"] = (c => c.mfence(), 0),
        ["sfence"] = (c => c.sfence(), 0),
        ["prefetcht0 [rsi]"] = (c => c.prefetcht0(__byte_ptr[rsi]), 0),
        ["prefetchw [rsi]"] = (c => c.prefetchw(__byte_ptr[rsi]), 0),
        ["clflush [rsi]"] = (c => c.clflush(__byte_ptr[rsi]), 0),
        ["fwait"] = (c => c.wait(), 0),
    };

    // Random bits seldom meet what is special about 0, all ones, a single bit or a shift count.
    private static readonly Gen<ulong> Operand = Gen.Frequency(
        (4, Gen.ULong),
        (1, Gen.Const(0UL)),
        (1, Gen.Const(ulong.MaxValue)),
        (2, Gen.Int[0, 63].Select(bit => 1UL << bit)),
        (2, Gen.ULong[0, 0x4040]));

    private readonly AssistGuest _guest = new();

    public static TheoryData<string> Instructions => [.. Forms.Keys];

    public void Dispose() => _guest.Dispose();

    [Theory]
    [MemberData(nameof(Instructions))]
    public void An_instruction_does_what_the_processor_does(string form)
    {
        Assert.SkipUnless(
            Bmi1.IsSupported && Bmi2.IsSupported && Lzcnt.IsSupported && Popcnt.IsSupported && Sse42.IsSupported,
            "this processor lacks the instructions");
        (Action<Assembler> write, ulong undefined) = Forms[form];
        byte[] code = AssistGuest.Assembled(write);
        using NativeInstruction native = new(code);
        byte* line = (byte*)System.Runtime.InteropServices.NativeMemory.AlignedAlloc(64, 64);
        try
        {
            Gen.Select(Operand.Array[17], Operand.Array[2], Gen.Bool).Sample(
                (values, memory, same) => Compare(native, code, values, memory, same, undefined, line),
                iter: Times,
                threads: 1);
        }
        finally
        {
            System.Runtime.InteropServices.NativeMemory.AlignedFree(line);
        }
    }

    private void Compare(
        NativeInstruction native, byte[] code, ulong[] values, ulong[] memory, bool same, ulong undefined, byte* line)
    {
        kvm_regs before = new()
        {
            rax = values[0],
            rbx = values[1],
            rcx = values[2],
            rdx = values[3],
            rdi = values[5],
            rbp = values[6],
            r8 = values[7],
            r9 = values[8],
            r10 = values[9],
            r11 = values[10],
            r12 = values[11],
            r13 = values[12],
            r14 = values[13],
            r15 = values[14],
            rflags = values[15] & Rflags.Status | 0x202,
        };
        ulong* host = (ulong*)line;
        (host[0], host[1]) = same ? (before.rax, before.rdx) : (memory[0], memory[1]); // as CMPXCHG16B expects
        Assert.True(_guest.Memory.TryWrite(AssistGuest.Data, host[0]) && _guest.Memory.TryWrite(AssistGuest.Data + 8, host[1]));

        kvm_regs expected = before with { rsi = (ulong)line };
        native.Run(ref expected);

        _guest.Cpu.Regs = before with { rsi = AssistGuest.Data, rsp = before.rsp };
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(code));

        kvm_regs actual = _guest.Cpu.Regs;
        Assert.Equal(AssistGuest.Code + (ulong)code.Length, actual.rip);
        Assert.Equal(expected with { rsi = AssistGuest.Data, rip = actual.rip, rflags = expected.rflags & ~undefined },
            actual with { rflags = actual.rflags & ~undefined });
        Assert.True(_guest.Memory.TryRead(AssistGuest.Data, out UInt128 stored));
        Assert.Equal(new UInt128(host[1], host[0]), stored);
    }
}
