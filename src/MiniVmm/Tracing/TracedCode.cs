using Iced.Intel;

namespace MiniVmm.Tracing;

/// <summary>
/// The code around a RIP, and which instruction of it an exit is about. KVM has passed the instruction already where its emulator
/// had nothing left to do in it: at a write to memory always, at an OUT where it emulates all of the guest's kernel.
/// </summary>
internal sealed class TracedCode
{
    private const int Longest = 15; // SDM vol. 2, 2.3.11
    private const int Kinds = (int)TraceEventKind.Kick + 1;

    private readonly byte[] _code;
    private readonly int _before;
    private readonly int _bits;
    private readonly ulong _rip;
    private readonly ulong? _physical;
    private readonly Found?[] _found = new Found?[Kinds];

    /// <param name="item">A <see cref="TraceEventKind.Code"/>.</param>
    public TracedCode(TraceEvent item)
    {
        _before = (int)Math.Min(item.Reason & 0xff, TraceEvent.CodeBytes / 2);
        int after = (int)Math.Min(item.Reason >> 8 & 0xff, TraceEvent.CodeBytes / 2);
        int half = TraceEvent.CodeBytes / 2;
        _code = item.Code[(half - _before)..(half + after)].ToArray();
        _bits = item.Size;
        _rip = item.Address;
        _physical = item.Value == ulong.MaxValue ? null : item.Value;
    }

    /// <summary>The instruction of an exit.</summary>
    /// <param name="exit">The exit.</param>
    /// <param name="names">Gives symbols, and says what this KVM does at an OUT.</param>
    public Found Find(in TraceEvent exit, ITraceNames names)
    {
        ref Found? found = ref _found[(int)exit.Kind];
        return found ??= Look(exit, names);
    }

    private Found Look(in TraceEvent exit, ITraceNames names)
    {
        Instruction at = Decode(_before);
        Instruction instruction = default;
        if (exit.Kind is TraceEventKind.MemoryWrite || exit.Kind is TraceEventKind.PortWrite && names.PassesOut)
            instruction = Before(exit);
        if (instruction.IsInvalid && (!at.IsInvalid && (exit.Kind > TraceEventKind.MemoryWrite || Does(at, exit))))
            instruction = at;
        if (instruction.IsInvalid && exit.Kind <= TraceEventKind.MemoryWrite)
            instruction = Before(exit);
        ulong address = instruction.IsInvalid ? _rip : instruction.IP;
        string? text = null;
        if (!instruction.IsInvalid)
        {
            FastStringOutput output = new();
            new FastFormatter().Format(instruction, output);
            text = output.ToString();
        }

        return new(address, text, names.Symbol(address, _physical is { } at0 ? at0 + (address - _rip) : null));
    }

    private Instruction Decode(int at, int end = -1)
    {
        int length = Math.Min((end < 0 ? _code.Length : end) - at, Longest);
        if (length <= 0)
            return default;
        Decoder decoder = Decoder.Create(_bits, new ByteArrayCodeReader(_code, at, length), _rip - (ulong)_before + (ulong)at, DecoderOptions.None);
        return decoder.Decode();
    }

    /// <summary>
    /// The instruction that ends at RIP. Code cannot be read backwards: each byte before is tried as the start of a run that meets
    /// RIP, and the instruction that most runs end with is it; runs that begin amid an instruction soon fall in step.
    /// </summary>
    private Instruction Before(in TraceEvent exit)
    {
        Span<int> votes = stackalloc int[TraceEvent.CodeBytes / 2];
        for (int start = 0; start < _before; start++)
        {
            int at = start;
            int last = -1;
            while (at < _before)
            {
                Instruction next = Decode(at);
                if (next.IsInvalid)
                    break;
                last = at;
                at += next.Length;
            }

            if (at == _before && last >= 0 && Does(Decode(last), exit))
                votes[last]++;
        }

        int best = -1;
        for (int i = 0; i < _before; i++)
        {
            if (votes[i] > 0 && (best < 0 || votes[i] > votes[best]))
                best = i;
        }

        return best < 0 ? default : Decode(best);
    }

    /// <summary>Whether an instruction may have made an access.</summary>
    private static bool Does(in Instruction instruction, in TraceEvent exit)
    {
        switch (exit.Kind)
        {
            case TraceEventKind.PortWrite:
                return instruction.Mnemonic is Mnemonic.Out && PortSize(instruction.Op1Register) == exit.Size
                    && (instruction.Op0Kind != OpKind.Immediate8 || instruction.Immediate8 == exit.Address)
                    || instruction.Mnemonic is Mnemonic.Outsb or Mnemonic.Outsw or Mnemonic.Outsd;
            case TraceEventKind.PortRead:
                return instruction.Mnemonic is Mnemonic.In && PortSize(instruction.Op0Register) == exit.Size
                    && (instruction.Op1Kind != OpKind.Immediate8 || instruction.Immediate8 == exit.Address)
                    || instruction.Mnemonic is Mnemonic.Insb or Mnemonic.Insw or Mnemonic.Insd;
            default:
                if (instruction.Mnemonic == Mnemonic.Lea)
                    return false;
                for (int i = 0; i < instruction.OpCount; i++)
                {
                    if (instruction.GetOpKind(i) is OpKind.Memory or OpKind.MemoryESDI or OpKind.MemoryESEDI or OpKind.MemoryESRDI
                        or OpKind.MemorySegSI or OpKind.MemorySegESI or OpKind.MemorySegRSI)
                        return instruction.MemorySize.GetSize() is var size && (size == 0 || size >= exit.Size);
                }

                return instruction.Mnemonic is Mnemonic.Push or Mnemonic.Pop or Mnemonic.Call or Mnemonic.Ret;
        }
    }

    private static int PortSize(Register register) => register switch
    {
        Register.AL => 1,
        Register.AX => 2,
        _ => 4,
    };

    /// <summary>An instruction, where it is.</summary>
    /// <param name="address">Its linear address; RIP where it is not known which it is.</param>
    /// <param name="text">As in "out dx,al".</param>
    /// <param name="symbol">The function that it is in.</param>
    internal sealed class Found(ulong address, string? text, string? symbol)
    {
        public ulong Address => address;

        public string? Text => text;

        public string? Symbol => symbol;
    }
}
