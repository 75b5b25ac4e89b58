using Iced.Intel;
using MiniVmm.Inspection;
using MiniVmm.Memory;

namespace MiniVmm.Assist;

/// <summary>
/// Completes one instruction of a guest by the manuals: state in, state out, without KVM. What it does not do exactly it does
/// not do at all. After the first instruction of each kind it allocates nothing.
/// </summary>
/// <remarks>Not looked at: hardware breakpoints on data, and shadow stacks.</remarks>
internal sealed class InstructionAssist
{
    private readonly AssistedCpu _cpu;
    private readonly GuestOperands _operands;
    private readonly CodeBytes _code;
    private readonly Decoder _decoder16;
    private readonly Decoder _decoder32;
    private readonly Decoder _decoder64;
    private readonly GeneralInstructions _general;
    private readonly SystemInstructions _system;
    private readonly ExtendedStateInstructions _extended;
    private readonly Func<VectorInstructions> _makeVectors;
    private VectorInstructions? _vectors;
    private Instruction _instruction;

    /// <param name="cpu">The vCPU's registers: the caller fills them, and takes them back.</param>
    /// <param name="memory">Guest RAM.</param>
    /// <param name="extended">The rest of the vCPU.</param>
    /// <param name="layout">Of its XSAVE images.</param>
    public InstructionAssist(AssistedCpu cpu, GuestMemory memory, IExtendedState extended, XsaveLayout layout)
    {
        _cpu = cpu;
        _operands = new GuestOperands(cpu, memory);
        _code = new CodeBytes(_operands);
        _decoder16 = Decoder.Create(16, _code);
        _decoder32 = Decoder.Create(32, _code);
        _decoder64 = Decoder.Create(64, _code);
        _general = new GeneralInstructions(cpu, _operands);
        _system = new SystemInstructions(cpu, _operands, extended);
        _extended = new ExtendedStateInstructions(cpu, _operands, extended, layout);
        _makeVectors = () => new VectorInstructions(cpu, _operands, extended, _code);
    }

    /// <summary>What to deliver after <see cref="AssistOutcome.Raised"/>.</summary>
    public GuestException Exception { get; private set; }

    /// <summary>The instruction that was decoded last.</summary>
    public Mnemonic Mnemonic => _instruction.Mnemonic;

    /// <summary>Completes the instruction at RIP.</summary>
    /// <param name="leavesBreakpoints">Whether INT3 is not its own.</param>
    public AssistOutcome Execute(bool leavesBreakpoints = false)
    {
        _code.Restart();
        Decoder decoder = _cpu.CodeBits switch { 64 => _decoder64, 32 => _decoder32, _ => _decoder16 };
        decoder.IP = _cpu.Regs.rip;
        decoder.Decode(out _instruction);
        if (decoder.LastError == DecoderError.NoMoreBytes)
            return Failed();
        if (decoder.LastError != DecoderError.None || (leavesBreakpoints && Mnemonic == Mnemonic.Int3))
            return AssistOutcome.NotMine;

        AssistStep step = _general.Execute(_instruction);
        if (step == AssistStep.Unknown)
            step = _system.Execute(_instruction);
        if (step == AssistStep.Unknown)
            step = _extended.Execute(_instruction);
        if (step == AssistStep.Unknown && VectorInstructions.AreKnown(_instruction))
            step = (_vectors ??= _makeVectors()).Execute(_instruction);
        return step switch
        {
            AssistStep.Done => Retired(),
            AssistStep.Trap => Trapped(_system.Trap),
            AssistStep.InvalidOpcode => Faulted(new(ExceptionVector.InvalidOpcode)),
            AssistStep.GeneralProtection => Faulted(_operands.Error(ExceptionVector.GeneralProtection)),
            AssistStep.DeviceNotAvailable => Faulted(new(ExceptionVector.DeviceNotAvailable)),
            AssistStep.MathFault => Faulted(new(ExceptionVector.X87)),
            AssistStep.MemoryFault => Failed(),
            _ => AssistOutcome.NotMine,
        };
    }

    private AssistOutcome Failed() => _operands.Fault is { } fault ? Faulted(fault) : AssistOutcome.NotMine;

    /// <summary>A fault: RIP stays, and RF is set in what is pushed (SDM vol. 3, 18.3.1.1).</summary>
    private AssistOutcome Faulted(GuestException fault)
    {
        _cpu.Regs.rflags |= Rflags.Resume;
        Exception = fault;
        return AssistOutcome.Raised;
    }

    private AssistOutcome Trapped(GuestException trap)
    {
        Advance();
        Exception = trap;
        return AssistOutcome.Raised;
    }

    private AssistOutcome Retired()
    {
        Advance();
        if ((_cpu.Regs.rflags & ControlBits.RflagsTf) == 0)
            return AssistOutcome.Completed;
        Exception = new(ExceptionVector.Debug);
        return AssistOutcome.Raised;
    }

    private void Advance()
    {
        ulong next = _cpu.Regs.rip + (uint)_instruction.Length;
        _cpu.Regs.rip = _cpu.Is64Bit ? next : (uint)next;
        _cpu.Regs.rflags &= ~Rflags.Resume;
    }
}
