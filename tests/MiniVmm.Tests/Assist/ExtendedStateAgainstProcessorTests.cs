using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using CsCheck;
using Iced.Intel;
using MiniVmm.Assist;
using MiniVmm.Kvm;
using static Iced.Intel.AssemblerRegisters;

namespace MiniVmm.Tests.Assist;

/// <summary>
/// XSAVE and XRSTOR leave memory and state as the processor does. Between the tested instruction and what is compared the
/// processor loads and saves all its state, as KVM does for the assist.
/// </summary>
public sealed unsafe class ExtendedStateAgainstProcessorTests : IDisposable
{
    private const int Times = 500;
    private const int Size = 832; // x87, SSE, header, AVX
    private const ulong Components = 7;
    private static readonly Gen<byte[]> Bytes = Gen.Byte.Array[Size];
    private readonly AssistGuest _guest = new();
    private readonly byte* _areas = (byte*)NativeMemory.AlignedAlloc(5 * 4096, 64);

    public ExtendedStateAgainstProcessorTests() => Assert.SkipUnless(Avx.IsSupported, "this processor has no AVX");

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
    [InlineData("xsave")]
    [InlineData("xsave64")]
    [InlineData("xsavec")]
    [InlineData("xsavec64")]
    public void What_is_saved_is_where_the_processor_puts_it(string name)
    {
        Action<Assembler> instruction = name switch
        {
            "xsave" => c => c.xsave(__[rsi]),
            "xsave64" => c => c.xsave64(__[rsi]),
            "xsavec" => c => c.xsavec(__[rsi]),
            _ => c => c.xsavec64(__[rsi]),
        };
        using NativeInstruction native = Native(instruction);
        Gen.Select(Bytes, Bytes, Gen.ULong[0, 7]).Sample(
            (state, before, mask) =>
            {
                Put(Initial, State(state, Components));
                Put(Operand, before);
                native.Run(ref Arguments(mask));
                RunInGuest(instruction, State(state, Components), before, mask);
                byte[] actual = GuestOperand();
                byte[] expected = new ReadOnlySpan<byte>(Operand, Size).ToArray();

                // The processor's own bookkeeping of what is in use, which differs between processors.
                actual[512] &= (byte)~mask;
                expected[512] &= (byte)~mask;
                actual.AsSpan(28, 4).Clear(); // the mask of MXCSR's bits, which is the processor's
                expected.AsSpan(28, 4).Clear();
                Assert.Equal(expected, actual);
            },
            iter: Times,
            threads: 1);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void What_is_restored_is_what_the_processor_loads(bool compact, bool wide)
    {
        void Restore(Assembler c)
        {
            if (wide)
                c.xrstor64(__[rsi]);
            else
                c.xrstor(__[rsi]);
        }

        using NativeInstruction native = Native(Restore);
        Gen.Select(Bytes, Bytes, Gen.ULong[0, 7], Gen.ULong[0, 7], Gen.ULong[0, 7]).Sample(
            (state, operand, mask, present, format) =>
            {
                byte[] image = State(operand, compact ? present & format : present);
                if (compact)
                    image[520 + 7] = 0x80;
                if (compact)
                    image[520] = (byte)format;
                Put(Initial, State(state, Components));
                Put(Operand, image);
                native.Run(ref Arguments(mask));
                RunInGuest(Restore, State(state, Components), image, mask);

                Assert.Equal(Meaning(new ReadOnlySpan<byte>(Result, Size)), Meaning(_guest.XsaveArea.AsSpan(0, Size)));
            },
            iter: Times,
            threads: 1);
    }

    /// <summary>Loads the initial state, executes the instruction with a mask, and saves the state that there is then.</summary>
    private static NativeInstruction Native(Action<Assembler> instruction) => new(AssistGuest.Assembled(c =>
    {
        c.mov(eax, (int)Components);
        c.xor(edx, edx);
        c.xsave64(__[r11]);
        c.xrstor64(__[r8]);
        c.mov(eax, r10d);
        instruction(c);
        c.mov(eax, (int)Components);
        c.xsave64(__[r9]);
        c.xrstor64(__[r11]);
    }));

    private ref kvm_regs Arguments(ulong mask)
    {
        new Span<byte>(Result, Size).Clear();
        new Span<byte>(Own, Size).Clear();
        _arguments = new()
        {
            rsi = (ulong)Operand,
            r8 = (ulong)Initial,
            r9 = (ulong)Result,
            r10 = mask,
            r11 = (ulong)Own,
            rflags = 2,
        };
        return ref _arguments;
    }

    private kvm_regs _arguments;

    private void RunInGuest(Action<Assembler> instruction, byte[] state, byte[] operand, ulong mask)
    {
        state.CopyTo(_guest.XsaveArea, 0);
        Assert.True(_guest.Memory.TryGetSpan(AssistGuest.Data, Size, out Span<byte> memory));
        operand.CopyTo(memory);
        _guest.Cpu.Regs.rsi = AssistGuest.Data;
        _guest.Cpu.Regs.rax = mask;
        _guest.Cpu.Regs.rdx = 0;
        Assert.Equal(AssistOutcome.Completed, _guest.Execute(instruction));
    }

    private byte[] GuestOperand()
    {
        Assert.True(_guest.Memory.TryGetSpan(AssistGuest.Data, Size, out Span<byte> memory));
        return memory.ToArray();
    }

    private static void Put(byte* area, byte[] bytes) => bytes.CopyTo(new Span<byte>(area, Size));

    /// <summary>
    /// A state that a processor can be in: all x87 exceptions masked, none reported, no pointers, which AMD's do not keep then;
    /// MXCSR without reserved bits.
    /// </summary>
    private static byte[] State(byte[] random, ulong present)
    {
        byte[] image = [.. random];
        image[0] = 0x7f;
        image[1] &= 0x0f;
        image[2] &= 0x3f;
        image[3] &= 0x7f;
        image[5] = 0;
        image.AsSpan(6, 18).Clear();
        image[26] = image[27] = 0;
        BitConverter.TryWriteBytes(image.AsSpan(28), 0x2ffff);
        image[25] |= 0x1f; // all masked
        image[24] = (byte)(image[24] & 0x3f | 0x80);
        for (int st = 0; st < 8; st++)
            image.AsSpan(32 + st * 16 + 10, 6).Clear();
        image.AsSpan(416, 96).Clear(); // reserved, for software
        image.AsSpan(512, 64).Clear();
        image[512] = (byte)present;
        return image;
    }

    /// <summary>All that an image says of the state, but for the mask that the processor adds, and its own bookkeeping.</summary>
    private static byte[] Meaning(ReadOnlySpan<byte> image)
    {
        byte[] bytes = image.ToArray();
        bytes.AsSpan(28, 4).Clear();
        bytes.AsSpan(416, 160).Clear();
        return bytes;
    }
}
