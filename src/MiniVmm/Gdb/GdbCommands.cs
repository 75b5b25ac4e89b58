namespace MiniVmm.Gdb;

/// <summary>What becomes of the connection by a packet.</summary>
internal enum CommandOutcome
{
    /// <summary>Its reply is to be sent.</summary>
    Answered,

    /// <summary>The same, and packets are not acknowledged any more after it.</summary>
    WithoutAcknowledgements,

    /// <summary>The guest runs; the reply is when it has stopped.</summary>
    Running,

    /// <summary>gdb has detached, or has ended the machine; its reply is to be sent.</summary>
    Left,
}

/// <summary>What gdb's packets ask for, while the guest stands still (GDB manual, "Packets").</summary>
/// <param name="target">The guest.</param>
internal sealed class GdbCommands(IGdbTarget target)
{
    private const int MostTransfer = (GdbFraming.MostPayload / 2) - 1;

    private readonly byte[] _bytes = new byte[GdbFraming.MostPayload];
    private readonly GdbQueries _queries = new(target);
    private GdbStop _lastStop = new(0, StopCause.Step);
    private int? _continued; // of Hc; null for all

    /// <summary>The vCPU that packets about registers and memory mean.</summary>
    public int Current { get; private set; }

    /// <summary>Whether gdb knows the stop reasons of breakpoints.</summary>
    public bool KnowsBreakpoints => _queries.KnowsBreakpoints;

    /// <summary>The guest has stopped.</summary>
    public void Stopped(GdbStop stop)
    {
        _lastStop = stop;
        Current = stop.Vcpu;
    }

    /// <summary>Does what a packet says.</summary>
    /// <param name="payload">The packet.</param>
    /// <param name="reply">Gets the reply; empty for a packet that is not known.</param>
    /// <param name="note">Shows gdb's user a text.</param>
    /// <exception cref="VmmException">The host cannot.</exception>
    public CommandOutcome Do(ReadOnlySpan<byte> payload, PacketBuilder reply, Action<string> note)
    {
        if (payload.IsEmpty)
            return CommandOutcome.Answered;
        if (!target.Vcpus.Contains(Current))
            Current = target.Vcpus[0]; // it was taken out of the machine
        PacketCursor packet = new(payload[1..]);
        switch (payload[0])
        {
            case (byte)'?':
                GdbReplies.AddStop(reply, _lastStop with { Vcpu = Current }, KnowsBreakpoints);
                return CommandOutcome.Answered;
            case (byte)'c' or (byte)'C' or (byte)'s' or (byte)'S':
                return Resume(payload[0], packet, reply);
            case (byte)'v':
                return DoVerb(payload, reply);
            case (byte)'D':
                target.Detach();
                reply.Add("OK"u8);
                return CommandOutcome.Left;
            case (byte)'k':
                target.Kill();
                reply.Add("OK"u8);
                return CommandOutcome.Left;
            case (byte)'q' or (byte)'Q':
                return _queries.Do(payload, Current, reply, note);
            default:
                Answer(payload[0], packet, reply);
                return CommandOutcome.Answered;
        }
    }

    private void Answer(byte command, PacketCursor packet, PacketBuilder reply)
    {
        switch (command)
        {
            case (byte)'g':
                target.ReadRegisters(Current, _bytes.AsSpan(0, target.Registers.Size));
                reply.AddHex(_bytes.AsSpan(0, target.Registers.Size));
                break;
            case (byte)'G':
                Say(reply, TryWriteAll(packet));
                break;
            case (byte)'p':
                ReadRegister(packet, reply);
                break;
            case (byte)'P':
                Say(reply, TryWriteRegister(packet));
                break;
            case (byte)'m':
                ReadMemory(packet, reply);
                break;
            case (byte)'M' or (byte)'X':
                Say(reply, TryWriteMemory(packet, isHex: command == 'M'));
                break;
            case (byte)'H':
                Say(reply, TrySelect(packet));
                break;
            case (byte)'T':
                Say(reply, TryTakeThread(ref packet, out int? vcpu) && vcpu is not null);
                break;
            case (byte)'Z' or (byte)'z':
                DoBreakpoint(command == 'Z', packet, reply);
                break;
        }
    }

    private static void Say(PacketBuilder reply, bool done) => reply.Add(done ? "OK"u8 : "E16"u8); // EINVAL

    /// <summary>A thread's number: one, or all of them or any (null).</summary>
    private bool TryTakeThread(ref PacketCursor packet, out int? vcpu)
    {
        vcpu = null;
        if (packet.TryTake('-'))
            return packet.TryTake('1');
        if (!packet.TryTakeNumber(out int thread))
            return false;
        if (thread == 0)
            return true;
        vcpu = thread - 1;
        return target.Vcpus.Contains(thread - 1);
    }

    private bool TrySelect(PacketCursor packet)
    {
        bool forRunning = packet.TryTake('c');
        if ((!forRunning && !packet.TryTake('g')) || !TryTakeThread(ref packet, out int? vcpu))
            return false;
        if (forRunning)
            _continued = vcpu;
        else
            Current = vcpu ?? Current;
        return true;
    }

    private void ReadRegister(PacketCursor packet, PacketBuilder reply)
    {
        if (!packet.TryTakeNumber(out int number) || number >= target.Registers.All.Count)
        {
            Say(reply, false);
            return;
        }

        GdbRegister register = target.Registers.All[number];
        target.ReadRegisters(Current, _bytes.AsSpan(0, target.Registers.Size));
        reply.AddHex(_bytes.AsSpan(register.Place, register.Bytes));
    }

    private bool TryWriteRegister(PacketCursor packet)
    {
        if (!packet.TryTakeNumber(out int number) || number >= target.Registers.All.Count || !packet.TryTake('='))
            return false;
        GdbRegister register = target.Registers.All[number];
        return HexText.TryParse(packet.Rest, _bytes, out int count) && count == register.Bytes
            && target.TryWriteRegisters(Current, [register with { Place = 0 }], _bytes.AsMemory(0, count));
    }

    private bool TryWriteAll(PacketCursor packet) =>
        HexText.TryParse(packet.Rest, _bytes, out int count) && count == target.Registers.Size
        && target.TryWriteRegisters(Current, target.Registers.All, _bytes.AsMemory(0, count));

    private void ReadMemory(PacketCursor packet, PacketBuilder reply)
    {
        if (!packet.TryTakeNumber(out ulong address) || !packet.TryTake(',') || !packet.TryTakeNumber(out int length))
        {
            Say(reply, false);
            return;
        }

        Span<byte> bytes = _bytes.AsSpan(0, Math.Min(length, MostTransfer));
        int got = target.ReadMemory(Current, address, bytes, _queries.ReadsPhysical);
        if (got > 0 || length == 0)
            reply.AddHex(bytes[..got]);
        else
            reply.Add("E0e"u8); // EFAULT
    }

    private bool TryWriteMemory(PacketCursor packet, bool isHex)
    {
        if (!packet.TryTakeNumber(out ulong address) || !packet.TryTake(',') || !packet.TryTakeNumber(out int length)
            || !packet.TryTake(':'))
            return false;
        ReadOnlySpan<byte> bytes = packet.Rest;
        if (isHex)
        {
            if (!HexText.TryParse(bytes, _bytes, out int count))
                return false;
            bytes = _bytes.AsSpan(0, count);
        }

        return bytes.Length == length
            && (length == 0 || target.TryWriteMemory(Current, address, bytes, _queries.ReadsPhysical));
    }

    private void DoBreakpoint(bool isSet, PacketCursor packet, PacketBuilder reply)
    {
        if (!packet.TryTakeNumber(out int kind) || !packet.TryTake(',') || !packet.TryTakeNumber(out ulong address)
            || !packet.TryTake(',') || !packet.TryTakeNumber(out int length))
        {
            Say(reply, false);
            return;
        }

        // What may follow are conditions and commands, which gdb was not told that there are.
        Breakpoint breakpoint = new((BreakpointKind)kind, address, length);
        if (isSet)
        {
            switch (target.Set(breakpoint))
            {
                case BreakpointAnswer.Done:
                    reply.Add("OK"u8);
                    break;
                case BreakpointAnswer.Full:
                    reply.Add("E1c"u8); // ENOSPC
                    break;
            }
        }
        else
        {
            target.Clear(breakpoint);
            reply.Add("OK"u8);
        }
    }

    /// <summary>Before <c>vCont</c> there were packets for one thread, with the address from which to go on.</summary>
    private CommandOutcome Resume(byte command, PacketCursor packet, PacketBuilder reply)
    {
        if (command is (byte)'C' or (byte)'S')
        {
            if (!packet.TryTakeNumber(out int _)) // no signal is delivered to a guest
            {
                Say(reply, false);
                return CommandOutcome.Answered;
            }

            _ = packet.TryTake(';');
        }

        if (!packet.IsAtEnd)
        {
            GdbRegister pointer = target.Registers.All[target.Registers.InstructionPointer];
            byte[] value = new byte[8];
            if (!packet.TryTakeNumber(out ulong address) || !BitConverter.TryWriteBytes(value, address)
                || !target.TryWriteRegisters(Current, [pointer with { Place = 0 }], value.AsMemory(0, pointer.Bytes)))
            {
                Say(reply, false);
                return CommandOutcome.Answered;
            }
        }

        bool steps = command is (byte)'s' or (byte)'S';
        int stepped = _continued ?? Current;
        target.Run(vcpu => new(!steps ? ThreadOrder.Continue : vcpu == stepped ? ThreadOrder.Step : ThreadOrder.Stay));
        return CommandOutcome.Running;
    }

    private CommandOutcome DoVerb(ReadOnlySpan<byte> payload, PacketBuilder reply)
    {
        PacketCursor packet = new(payload);
        if (packet.TryTake("vCont?"u8))
        {
            reply.Add("vCont;c;C;s;S;r"u8);
            return CommandOutcome.Answered;
        }

        if (packet.TryTake("vKill;"u8))
        {
            target.Kill();
            reply.Add("OK"u8);
            return CommandOutcome.Left;
        }

        if (!packet.TryTake("vCont;"u8))
            return CommandOutcome.Answered; // vMustReplyEmpty, and what is not known
        if (VContActions.TryParse(packet.Rest) is not { } actions)
        {
            Say(reply, false);
            return CommandOutcome.Answered;
        }

        target.Run(actions.For);
        return CommandOutcome.Running;
    }
}
