using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using CsCheck;
using Iced.Intel;
using MiniVmm.Assist;
using MiniVmm.Inspection;
using MiniVmm.Kvm;
using static Iced.Intel.AssemblerRegisters;

namespace MiniVmm.Tests.Assist;

/// <summary>Vector instructions with a guest's operands are what they are with the process' own.</summary>
public sealed unsafe class VectorInstructionsTests : IDisposable
{
    private const int Times = 200;
    private const int Size = 2432; // x87, SSE, header, AVX, AVX-512
    private const ulong Components = 0xe7;

    private static readonly Dictionary<string, Action<Assembler>> Forms = new()
    {
        ["addps"] = c => c.addps(xmm1, __xmmword_ptr[rsi]),
        ["mulsd"] = c => c.mulsd(xmm12, __qword_ptr[rsi]),
        ["divps"] = c => c.divps(xmm3, xmm9),
        ["sqrtpd"] = c => c.sqrtpd(xmm3, __xmmword_ptr[rsi]),
        ["pshufb"] = c => c.pshufb(xmm3, xmm4),
        ["movdqa load"] = c => c.movdqa(xmm15, __xmmword_ptr[rsi]),
        ["movdqa store"] = c => c.movdqa(__xmmword_ptr[rsi], xmm5),
        ["movups store"] = c => c.movups(__xmmword_ptr[rsi], xmm5),
        ["movntdq"] = c => c.movntdq(__xmmword_ptr[rsi], xmm5),
        ["movlps"] = c => c.movlps(__qword_ptr[rsi], xmm5),
        ["movss"] = c => c.movss(xmm5, __dword_ptr[rsi]),
        ["movd to"] = c => c.movd(xmm0, edi),
        ["movd from"] = c => c.movd(r9d, xmm1),
        ["movq from"] = c => c.movq(rbx, xmm1),
        ["pextrd"] = c => c.pextrd(__dword_ptr[rsi], xmm7, 2),
        ["pextrw"] = c => c.pextrw(eax, xmm7, 5),
        ["pinsrq"] = c => c.pinsrq(xmm7, __qword_ptr[rsi], 1),
        ["cvtsi2sd"] = c => c.cvtsi2sd(xmm2, rdi),
        ["cvttss2si"] = c => c.cvttss2si(r8, __dword_ptr[rsi]),
        ["ucomisd"] = c => c.ucomisd(xmm2, __qword_ptr[rsi]),
        ["ptest"] = c => c.ptest(xmm2, __xmmword_ptr[rsi]),
        ["pcmpistri"] = c => c.pcmpistri(xmm2, __xmmword_ptr[rsi], 0x0c),
        ["pcmpestri"] = c => c.pcmpestri(xmm2, xmm3, 0x44),
        ["aesenc"] = c => c.aesenc(xmm2, __xmmword_ptr[rsi]),
        ["pclmulqdq"] = c => c.pclmulqdq(xmm2, xmm3, 0x11),
        ["far address"] = c => c.paddd(xmm2, __xmmword_ptr[rsi + rbp * 8 + 0x1240]),
        ["r13 and r14"] = c => c.paddd(xmm8, __xmmword_ptr[r13 + r14 * 2 - 0x40]),
        ["gs"] = c => c.paddq(xmm8, __xmmword_ptr.gs[0x20]),
        ["rip"] = c => c.db(0xf3, 0x44, 0x0f, 0x6f, 0x05, 0, 1, 0, 0), // movdqu xmm8, [rip + 0x100]
        ["vpaddd"] = c => c.vpaddd(ymm1, ymm2, __ymmword_ptr[rsi]),
        ["vpxor"] = c => c.vpxor(xmm1, xmm2, xmm3),
        ["vpermd"] = c => c.vpermd(ymm11, ymm12, __ymmword_ptr[rsi]),
        ["vmovdqu store"] = c => c.vmovdqu(__ymmword_ptr[rsi], ymm11),
        ["vextracti128"] = c => c.vextracti128(__xmmword_ptr[rsi], ymm11, 1),
        ["vfmadd231pd"] = c => c.vfmadd231pd(ymm1, ymm2, __ymmword_ptr[rsi]),
        ["vzeroupper"] = c => c.vzeroupper(),
        ["vptest"] = c => c.vptest(ymm1, ymm2),
        ["vblendvps"] = c => c.vblendvps(ymm1, ymm2, __ymmword_ptr[rsi], ymm4),
        ["vprord"] = c => c.vprord(xmm1, xmm2, 7),
        ["vprorq"] = c => c.vprorq(zmm1, __zmmword_ptr[rsi], 7),
        ["vpermi2d"] = c => c.vpermi2d(zmm21, zmm2, __zmmword_ptr[rsi]),
        ["vpaddd broadcast"] = c => c.vpaddd(zmm21, zmm2, __dword_bcst[rsi]),
        ["vmovdqu32 masked"] = c => c.vmovdqu32(zmm21.k1.z, __zmmword_ptr[rsi]),
        ["vmovdqa64 store"] = c => c.vmovdqa64(__zmmword_ptr[rsi], zmm30),
        ["vpcmpeqd"] = c => c.vpcmpeqd(k3, zmm2, __zmmword_ptr[rsi]),
        ["kmovq"] = c => c.kmovq(rax, k1),
        ["vpbroadcastd"] = c => c.vpbroadcastd(zmm3, edi),
    };

    private static readonly Gen<byte[]> Bytes = Gen.Byte.Array[Size];
    private readonly AssistGuest _guest = new();
    private readonly byte* _areas = (byte*)NativeMemory.AlignedAlloc(6 * 4096, 64);

    public VectorInstructionsTests() => _guest.Xcr0 = Components;

    public static TheoryData<string> Instructions => [.. Forms.Keys];

    private static bool HasAvx512 => Avx512F.IsSupported && Avx512Vbmi.IsSupported;

    private byte* Initial => _areas;

    private byte* Operand => _areas + 4096;

    private byte* Result => _areas + 2 * 4096;

    private byte* Own => _areas + 3 * 4096;

    public void Dispose()
    {
        NativeMemory.AlignedFree(_areas);
        _guest.Dispose();
    }

    [Theory]
    [MemberData(nameof(Instructions))]
    public void An_instruction_does_in_the_guest_what_it_does_here(string form)
    {
        Assert.SkipUnless(HasAvx512, "this processor has no AVX-512");
        byte[] code = AssistGuest.Assembled(Forms[form]);
        using NativeInstruction native = new(AssistGuest.Assembled(c =>
        {
            c.mov(__qword_ptr[r11 + 4000], rax);
            c.mov(__qword_ptr[r11 + 4008], rdx);
            c.mov(eax, (int)Components);
            c.xor(edx, edx);
            c.xsave64(__[r11]);
            c.xrstor64(__[r12]);
            c.mov(rax, __qword_ptr[r11 + 4000]);
            c.mov(rdx, __qword_ptr[r11 + 4008]);
            c.push(r15);
            c.popfq();
            OfOperand(form)(c);
            c.mov(__qword_ptr[r11 + 4000], rax);
            c.mov(__qword_ptr[r11 + 4008], rdx);
            c.pushfq();
            c.pop(r15);
            c.mov(eax, (int)Components);
            c.mov(edx, 0);
            c.xsave64(__[r10]);
            c.xrstor64(__[r11]);
            c.mov(rax, __qword_ptr[r11 + 4000]);
            c.mov(rdx, __qword_ptr[r11 + 4008]);
        }));
        Gen.Select(Bytes, Gen.Byte.Array[64], Gen.ULong.Array[6]).Sample(
            (state, operand, values) => Compare(native, code, State(state), operand, values), iter: Times, threads: 1);
    }

    [Fact]
    public void Whatever_bytes_a_guest_executes_this_process_comes_to_no_harm()
    {
        byte[][] starts = [[0x0f], [0x66, 0x0f], [0xf3, 0x0f], [0xf2, 0x0f], [0x66, 0x0f, 0x38], [0x66, 0x0f, 0x3a], [0xc5], [0xc4], [0x62], [0x41, 0x0f], [0x67, 0x66, 0x45, 0x0f], [0x65, 0xc5]];
        Random random = new(20);
        byte[] code = new byte[15];
        int completed = 0;
        State(RandomBytes(random)).CopyTo(_guest.XsaveArea, 0);
        for (int i = 0; i < 100_000; i++)
        {
            random.NextBytes(code);
            starts[random.Next(starts.Length)].CopyTo(code, 0);
            if (code[0] == 0x62)
                (code[1], code[2]) = ((byte)(code[1] & 0xf0 | 1 + i % 3), (byte)(code[2] | 4)); // most others do not exist
            _guest.Cpu.Regs = new()
            {
                rax = AssistGuest.Data,
                rcx = 8,
                rdx = AssistGuest.Data,
                rbx = AssistGuest.Data + 64,
                rbp = AssistGuest.Data,
                rsi = AssistGuest.Data,
                rdi = AssistGuest.Data,
                r8 = AssistGuest.Data,
                rsp = AssistGuest.Data + 0x800,
                rflags = 2,
            };
            if (_guest.Execute(code) == AssistOutcome.Completed)
                completed++;
        }

        Assert.True(completed > 3_000, $"{completed} completed");
    }

    [Theory]
    [InlineData("movdqa load")]
    [InlineData("addps")]
    [InlineData("vmovdqa64 store")]
    public void An_operand_that_must_be_aligned_is_a_general_protection_fault_where_it_is_not(string form)
    {
        Assert.SkipUnless(HasAvx512, "this processor has no AVX-512");
        _guest.Cpu.Regs.rsi = AssistGuest.Data + 8;

        Assert.Equal(AssistOutcome.Raised, _guest.Execute(Forms[form]));
        Assert.Equal(new(ExceptionVector.GeneralProtection, 0), _guest.Assist.Exception);
    }

    [Theory]
    [InlineData("vmovdqu store")]
    [InlineData("movups store")]
    [InlineData("pcmpistri")]
    public void Another_operand_may_lie_across_pages_and_faults_where_it_is_not_mapped(string form)
    {
        _guest.Cpu.Regs.rsi = AssistGuest.Data + 0xff9;
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(Forms[form]));

        _guest.Map(AssistGuest.Data + 0x1000, 0, 0);
        Assert.Equal(AssistOutcome.Raised, _guest.Execute(Forms[form]));
        Assert.Equal(
            new(ExceptionVector.PageFault, form.Contains("store", StringComparison.Ordinal) ? 2u : 0, AssistGuest.Data + 0x1000),
            _guest.Assist.Exception);
    }

    [Theory]
    [InlineData("addps", ControlBits.Cr0Em, 0ul, ExceptionVector.InvalidOpcode)]
    [InlineData("addps", 0ul, ControlBits.Cr4Osfxsr, ExceptionVector.InvalidOpcode)]
    [InlineData("addps", ControlBits.Cr0Ts, 0ul, ExceptionVector.DeviceNotAvailable)]
    [InlineData("vpxor", 0ul, ControlBits.Cr4Osxsave, ExceptionVector.InvalidOpcode)]
    [InlineData("vpxor", ControlBits.Cr0Ts, 0ul, ExceptionVector.DeviceNotAvailable)]
    public void The_guest_must_have_turned_them_on(string form, ulong setsCr0, ulong clearsCr4, byte vector)
    {
        _guest.Cpu.Regs.rsi = AssistGuest.Data;
        _guest.Cpu.Sregs.cr0 |= setsCr0;
        _guest.Cpu.Sregs.cr4 &= ~clearsCr4;

        Assert.Equal(AssistOutcome.Raised, _guest.Execute(Forms[form]));
        Assert.Equal(new(vector), _guest.Assist.Exception);
    }

    [Theory]
    [InlineData("vpxor", 3ul)]
    [InlineData("vprord", 7ul)]
    [InlineData("kmovq", 7ul)] // the opmasks would be the host's own
    public void Without_its_state_in_XCR0_a_vector_does_not_exist(string form, ulong xcr0)
    {
        _guest.Xcr0 = xcr0;

        Assert.Equal(AssistOutcome.Raised, _guest.Execute(Forms[form]));
        Assert.Equal(new(ExceptionVector.InvalidOpcode), _guest.Assist.Exception);
    }

    [Fact]
    public void A_floating_point_exception_that_the_guest_has_not_masked_is_left_to_KVM()
    {
        byte[] state = State(new byte[Size]);
        BitConverter.TryWriteBytes(state.AsSpan(24), 0x1f80 & ~(1 << 9)); // ZM
        state.CopyTo(_guest.XsaveArea, 0);
        BitConverter.TryWriteBytes(_guest.XsaveArea.AsSpan(160), 1f);

        Assert.Equal(AssistOutcome.NotMine, _guest.Execute(c => c.divps(xmm0, xmm1)));
        Assert.False(_guest.ImageKept);

        BitConverter.TryWriteBytes(_guest.XsaveArea.AsSpan(24), 0x1f80);
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(c => c.divps(xmm0, xmm1)));
        Assert.Equal(0x1f80u | 4 | 1, BitConverter.ToUInt32(_guest.XsaveArea, 24)); // 1 / 0, and 0 / 0
    }

    [Fact]
    public void After_the_first_of_its_kind_nothing_is_allocated()
    {
        byte[][] codes = [AssistGuest.Assembled(Forms["movdqa store"]), AssistGuest.Assembled(Forms["pshufb"]), AssistGuest.Assembled(Forms["movd to"])];
        State(new byte[Size]).CopyTo(_guest.XsaveArea, 0);
        Assert.Equal(0, Allocations.Steady(() =>
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            foreach (byte[] code in codes)
            {
                _guest.Cpu.Regs.rsi = AssistGuest.Data;
                _ = _guest.Execute(code);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }));
    }

    /// <summary>The same with the operand at RSI, where this process can have it.</summary>
    private static Action<Assembler> OfOperand(string form) => form switch
    {
        "far address" => c => c.paddd(xmm2, __xmmword_ptr[rsi]),
        "r13 and r14" => c => c.paddd(xmm8, __xmmword_ptr[rsi]),
        "gs" => c => c.paddq(xmm8, __xmmword_ptr[rsi]),
        "rip" => c => c.movdqu(xmm8, __xmmword_ptr[rsi]),
        _ => Forms[form],
    };

    private void Compare(NativeInstruction native, byte[] code, byte[] state, byte[] operand, ulong[] values)
    {
        // Where the guest's addresses lead: the same for each way of writing them.
        ulong linear = AssistGuest.Data + 0x1240 + 0x10 * 8;
        kvm_regs before = new()
        {
            rax = values[0] & 15,
            rbx = values[1],
            rcx = values[2],
            rdx = values[3] & 15,
            rdi = values[4],
            rsi = AssistGuest.Data,
            rbp = 0x10,
            r8 = values[1],
            r9 = values[2],
            r13 = linear,
            r14 = 0x20,
            rflags = values[5] & Rflags.Status | 2,
            rsp = AssistGuest.Data,
        };
        bool isFar = code.AsSpan().SequenceEqual(AssistGuest.Assembled(Forms["far address"]));
        if (!isFar)
            before.rsi = linear;
        _guest.Cpu.Sregs.gs.@base = linear - 0x20;
        _guest.Cpu.Regs = before;
        state.CopyTo(_guest.XsaveArea, 0);
        bool isRip = code.AsSpan().SequenceEqual(AssistGuest.Assembled(Forms["rip"]));
        ulong place = isRip ? AssistGuest.Code + (ulong)code.Length + 0x100 : linear;
        Assert.True(_guest.Memory.TryGetSpan(place, 64, out Span<byte> memory));
        operand.CopyTo(memory);
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(code));

        state.CopyTo(new Span<byte>(Initial, Size));
        operand.CopyTo(new Span<byte>(Operand, 64));
        new Span<byte>(Result, Size).Clear();
        new Span<byte>(Own, 4096).Clear();
        kvm_regs expected = before with
        {
            rsi = (ulong)Operand,
            r10 = (ulong)Result,
            r11 = (ulong)Own,
            r12 = (ulong)Initial,
            r15 = before.rflags,
        };
        native.Run(ref expected);

        kvm_regs actual = _guest.Cpu.Regs;
        Assert.Equal(expected.r15 & Rflags.Status, actual.rflags & Rflags.Status);
        expected = expected with
        {
            rsi = before.rsi,
            r10 = 0,
            r11 = 0,
            r12 = 0,
            r15 = 0,
            rsp = before.rsp,
            rip = actual.rip,
            rflags = actual.rflags,
        };
        Assert.Equal(expected, actual);
        Assert.Equal(new ReadOnlySpan<byte>(Operand, 64).ToArray(), memory.ToArray());
        Assert.Equal(Meaning(new ReadOnlySpan<byte>(Result, Size)), Meaning(_guest.XsaveArea.AsSpan(0, Size)));
    }

    private static byte[] RandomBytes(Random random)
    {
        byte[] bytes = new byte[Size];
        random.NextBytes(bytes);
        return bytes;
    }

    private static byte[] State(byte[] random)
    {
        byte[] image = [.. random];
        image.AsSpan(0, 160).Clear();
        image[0] = 0x7f;
        image[1] = 3;
        BitConverter.TryWriteBytes(image.AsSpan(24), 0x1f80);
        BitConverter.TryWriteBytes(image.AsSpan(28), 0x2ffff);
        image.AsSpan(416, 160).Clear();
        image[512] = (byte)Components;
        return image;
    }

    private static byte[] Meaning(ReadOnlySpan<byte> image)
    {
        byte[] bytes = image.ToArray();
        bytes.AsSpan(28, 4).Clear();
        bytes.AsSpan(416, 160).Clear();
        return bytes;
    }
}
