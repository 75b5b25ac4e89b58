using System.Text;

namespace MiniVmm.Gdb;

/// <summary>The packets that begin with <c>q</c> and <c>Q</c> (GDB manual, "General Query Packets"), and QEMU's own.</summary>
/// <param name="target">The guest.</param>
internal sealed class GdbQueries(IGdbTarget target)
{
    private const int MostCommand = 1024;
    private const ulong StepEnabled = 1;
    private const ulong StepWithoutInterrupts = 2;
    private const ulong StepWithoutTimers = 4;

    private byte[]? _description;
    private int _listed; // threads

    /// <summary>Whether gdb knows the stop reasons of breakpoints.</summary>
    public bool KnowsBreakpoints { get; private set; }

    /// <summary>Whether the addresses of memory packets are physical ones.</summary>
    public bool ReadsPhysical { get; private set; }

    /// <inheritdoc cref="GdbCommands.Do"/>
    public CommandOutcome Do(ReadOnlySpan<byte> payload, int vcpu, PacketBuilder reply, Action<string> note)
    {
        PacketCursor packet = new(payload);
        if (packet.TryTake("qSupported"u8))
            AnswerSupported(packet, reply);
        else if (packet.TryTake("QStartNoAckMode"u8))
            return Done(reply, CommandOutcome.WithoutAcknowledgements);
        else if (packet.TryTake("qXfer:features:read:target.xml:"u8))
            TransferDescription(packet, reply);
        else if (packet.TryTake("qfThreadInfo"u8))
            ListThreads(reply, from: 0);
        else if (packet.TryTake("qsThreadInfo"u8))
            ListThreads(reply, _listed);
        else if (packet.TryTake("qThreadExtraInfo,"u8))
            DescribeThread(packet, reply);
        else if (packet.TryTake("qRcmd,"u8))
            return Monitor(packet, vcpu, reply, note);
        else if (packet.TryTake("qAttached"u8))
            reply.Add("1"u8); // so that gdb detaches when it ends
        else if (packet.TryTake("qSymbol:"u8))
            reply.Add("OK"u8); // none are wanted
        else if (packet.TryTake("qC"u8) && packet.IsAtEnd)
            reply.Add("QC"u8).AddNumber(GdbReplies.Thread(vcpu));
        else
            AnswerQemu(packet, reply);
        return CommandOutcome.Answered;
    }

    private static CommandOutcome Done(PacketBuilder reply, CommandOutcome outcome = CommandOutcome.Answered)
    {
        reply.Add("OK"u8);
        return outcome;
    }

    private void AnswerSupported(PacketCursor packet, PacketBuilder reply)
    {
        KnowsBreakpoints = packet.Rest.IndexOf("swbreak+"u8) >= 0 && packet.Rest.IndexOf("hwbreak+"u8) >= 0;
        reply.Add("PacketSize="u8).AddNumber(GdbFraming.MostPayload)
            .Add(";qXfer:features:read+;QStartNoAckMode+;vContSupported+;swbreak+;hwbreak+"u8);
    }

    /// <summary>A part of the description, with a letter in front: whether it is the last.</summary>
    private void TransferDescription(PacketCursor packet, PacketBuilder reply)
    {
        if (!packet.TryTakeNumber(out ulong offset) || !packet.TryTake(',') || !packet.TryTakeNumber(out int length))
        {
            reply.Add("E00"u8);
            return;
        }

        _description ??= TargetDescription.Write(target.Registers);
        int start = (int)Math.Min(offset, (ulong)_description.Length);
        int count = Math.Min(Math.Min(length, _description.Length - start), GdbFraming.MostPayload / 2);
        reply.Add(start + count < _description.Length ? "m"u8 : "l"u8).Add(_description.AsSpan(start, count));
    }

    private void ListThreads(PacketBuilder reply, int from)
    {
        IReadOnlyList<int> vcpus = target.Vcpus;
        int at = from;
        for (; at < vcpus.Count && reply.Room > 32; at++)
            reply.Add(at == from ? "m"u8 : ","u8).AddNumber(GdbReplies.Thread(vcpus[at]));
        if (at == from)
            reply.Add("l"u8);
        _listed = at;
    }

    private void DescribeThread(PacketCursor packet, PacketBuilder reply)
    {
        if (packet.TryTakeNumber(out int thread) && target.Vcpus.Contains(thread - 1))
            reply.AddHex(Encoding.ASCII.GetBytes(target.Describe(thread - 1)));
        else
            reply.Add("E16"u8);
    }

    private CommandOutcome Monitor(PacketCursor packet, int vcpu, PacketBuilder reply, Action<string> note)
    {
        Span<byte> command = stackalloc byte[MostCommand];
        if (!HexText.TryParse(packet.Rest, command, out int length))
        {
            reply.Add("E16"u8);
            return CommandOutcome.Answered;
        }

        note(target.Monitor(Encoding.ASCII.GetString(command[..length]).Trim(), vcpu));
        return Done(reply);
    }

    /// <summary>QEMU's (its manual, "GDB usage"), which gdb users send by <c>maintenance packet</c>.</summary>
    private void AnswerQemu(PacketCursor packet, PacketBuilder reply)
    {
        if (packet.TryTake("qqemu.Supported"u8))
        {
            reply.Add("sstepbits;sstep;PhyMemMode"u8);
        }
        else if (packet.TryTake("qqemu.PhyMemMode"u8))
        {
            reply.Add(ReadsPhysical ? "1"u8 : "0"u8);
        }
        else if (packet.TryTake("Qqemu.PhyMemMode:"u8) && packet.TryTakeNumber(out int on))
        {
            ReadsPhysical = on != 0;
            reply.Add("OK"u8);
        }
        else if (packet.TryTake("qqemu.sstepbits"u8))
        {
            reply.Add("ENABLE="u8).AddNumber(StepEnabled).Add(",NOIRQ="u8).AddNumber(StepWithoutInterrupts)
                .Add(",NOTIMER="u8).AddNumber(StepWithoutTimers);
        }
        else if (packet.TryTake("Qqemu.sstep="u8) && packet.TryTakeNumber(out ulong flags))
        {
            if ((flags & ~(StepEnabled | StepWithoutInterrupts | StepWithoutTimers)) != 0)
            {
                reply.Add("E16"u8);
                return;
            }

            target.StepsHoldInterrupts = (flags & StepWithoutInterrupts) != 0;
            reply.Add("OK"u8);
        }
        else if (packet.TryTake("qqemu.sstep"u8))
        {
            // Time stands still in a step anyway.
            reply.Add("0x"u8).AddNumber(
                StepEnabled | StepWithoutTimers | (target.StepsHoldInterrupts ? StepWithoutInterrupts : 0));
        }
    }
}
