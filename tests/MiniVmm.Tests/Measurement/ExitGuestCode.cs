using Iced.Intel;
using MiniVmm.Measurement;

namespace MiniVmm.Tests.Measurement;

/// <summary>The loops as a processor sees them: bytes of the image, taken apart.</summary>
internal static class ExitGuestCode
{
    public static ExitGuest Guest { get; } = new();

    /// <summary>The instructions of a loop, from its entry to the OUT that ends it.</summary>
    public static List<Instruction> Loop(string name, LoopForm form)
    {
        ulong entry = Assert.NotNull(Guest.Entry(name, form));
        List<Instruction> loop = [];
        foreach (Instruction instruction in From(entry))
        {
            loop.Add(instruction);
            if (IsEnd(instruction))
                return loop;
        }

        Assert.Fail($"{name}, {form}: no OUT to the port that ends a loop");
        return loop;
    }

    /// <summary>What lies between the two readings of the clock, as text, but for the saving of the first.</summary>
    public static IEnumerable<string> Timed(string name)
    {
        List<Instruction> loop = Loop(name, LoopForm.Timed);
        int[] clocks = [.. Enumerable.Range(0, loop.Count).Where(i => loop[i].Mnemonic == Mnemonic.Rdtsc)];
        Assert.Equal(2, clocks.Length);
        Assert.Equal("mov r8d,eax", loop[clocks[0] + 1].ToString());
        Assert.Equal(
            ["sub eax,r8d", "mov [r11],eax", "add r11,4", "dec edi"],
            loop.Skip(clocks[1] + 1).Take(4).Select(instruction => instruction.ToString()));
        return loop[(clocks[0] + 2)..clocks[1]].Select(instruction => instruction.ToString());
    }

    /// <summary>All instructions from an address to the end of the image.</summary>
    public static IEnumerable<Instruction> From(ulong address)
    {
        byte[] code = Guest.Image[(int)address..].ToArray();
        Decoder decoder = Decoder.Create(64, code, address, DecoderOptions.None);
        while (decoder.IP < address + (ulong)code.Length)
        {
            Instruction instruction = decoder.Decode();
            Assert.False(instruction.IsInvalid, $"no instruction at 0x{instruction.IP:x}");
            yield return instruction;
        }
    }

    public static bool IsEnd(in Instruction instruction) =>
        instruction.Code == Code.Out_imm8_AL && instruction.Immediate8 == BenchPorts.End;
}
