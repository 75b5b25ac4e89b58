using System.Text;
using MiniVmm.Execution;
using MiniVmm.Host;

namespace MiniVmm.Gdb;

/// <summary>
/// One gdb's connection, as bytes in and bytes out: packets, acknowledgements, and whether the guest runs (GDB manual, appendix
/// E). A packet that is not understood gets the empty reply, a wrong one an error; nothing that comes makes it wait or end.
/// </summary>
/// <param name="target">The guest, which stands still when gdb comes.</param>
internal sealed class GdbSession(IGdbTarget target)
{
    private readonly byte[] _input = new byte[GdbFraming.MostFrame];
    private readonly byte[] _payload = new byte[GdbFraming.MostPayload];
    private readonly byte[] _frame = new byte[GdbFraming.MostFrame];
    private readonly PacketBuilder _reply = new();
    private readonly List<byte> _output = [];
    private readonly GdbCommands _commands = new(target);
    private int _held; // bytes of _input
    private int _frameLength;
    private bool _acknowledges = true;

    /// <summary>Whether the guest runs, so that gdb waits to be told that it has stopped.</summary>
    public bool IsRunning { get; private set; }

    /// <summary>Whether the connection has served its purpose.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Whether gdb has said that it leaves, or has ended the machine: the guest has its orders.</summary>
    public bool HasLeft { get; private set; }

    /// <summary>What is to be sent.</summary>
    public ReadOnlySpan<byte> Output => System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_output);

    /// <summary>The first so many bytes of <see cref="Output"/> are on their way.</summary>
    public void Sent(int count) => _output.RemoveRange(0, count);

    /// <summary>Takes what gdb sent.</summary>
    public void Receive(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty && !HasEnded)
        {
            int taken = Math.Min(bytes.Length, _input.Length - _held);
            bytes[..taken].CopyTo(_input.AsSpan(_held));
            _held += taken;
            bytes = bytes[taken..];
            int done = 0;
            while (!HasEnded)
            {
                GdbInput kind = GdbFraming.Read(_input.AsSpan(done.._held), _payload, out int consumed, out int length);
                if (kind == GdbInput.Incomplete)
                    break;
                done += consumed;
                Treat(kind, _payload.AsSpan(0, length));
            }

            if (done == 0 && _held == _input.Length)
                done = _held; // nothing more would fit, and nobody would ever come out of here
            _input.AsSpan(done.._held).CopyTo(_input);
            _held -= done;
        }
    }

    /// <summary>Looks whether the guest has stopped by itself, and tells gdb.</summary>
    public void LookForStop()
    {
        if (!IsRunning)
            return;
        try
        {
            if (target.TryTakeStop(out GdbStop stop))
                Report(stop);
        }
        catch (Exception refusal) when (refusal is VmmException or SystemCallException)
        {
            Note($"{refusal.Message}\n");
        }
    }

    /// <summary>The machine has ended: a gdb that waits for the guest is told how.</summary>
    public void End(StopReason reason)
    {
        if (IsRunning)
        {
            _reply.Clear();
            GdbReplies.AddEnd(_reply, reason);
            Send();
        }

        HasEnded = HasLeft = true;
    }

    private void Treat(GdbInput kind, ReadOnlySpan<byte> payload)
    {
        switch (kind)
        {
            case GdbInput.Refused when _acknowledges && _output.Count < GdbFraming.MostFrame: // not again for each of many
                _output.AddRange(_frame.AsSpan(0, _frameLength));
                break;
            case GdbInput.Interrupt when IsRunning:
                Interrupt();
                break;
            case GdbInput.Damaged when _acknowledges:
                _output.Add((byte)'-');
                break;
            case GdbInput.Packet:
                if (_acknowledges)
                    _output.Add((byte)'+');
                Answer(payload);
                break;
        }
    }

    private void Interrupt()
    {
        try
        {
            target.Stop();
            Report(target.TryTakeStop(out GdbStop stop) ? stop : new(_commands.Current, StopCause.Interrupt));
        }
        catch (Exception refusal) when (refusal is VmmException or SystemCallException)
        {
            Note($"{refusal.Message}\n");
        }
    }

    private void Answer(ReadOnlySpan<byte> payload)
    {
        _reply.Clear();
        CommandOutcome outcome;
        try
        {
            if (IsRunning)
            {
                target.Stop(); // gdb sends nothing then, but for Ctrl-C; others do
                IsRunning = false;
            }

            outcome = _commands.Do(payload, _reply, Note);
        }
        catch (Exception refusal) when (refusal is VmmException or SystemCallException)
        {
            _reply.Clear();
            _reply.Add("E05"u8); // EIO
            outcome = CommandOutcome.Answered;
        }

        switch (outcome)
        {
            case CommandOutcome.Running:
                IsRunning = true;
                return;
            case CommandOutcome.Left:
                HasLeft = HasEnded = true;
                break;
        }

        Send();
        if (outcome == CommandOutcome.WithoutAcknowledgements)
            _acknowledges = false;
    }

    private void Report(GdbStop stop)
    {
        if (stop.Note is not null)
            Note(stop.Note);
        IsRunning = false;
        _commands.Stopped(stop);
        _reply.Clear();
        GdbReplies.AddStop(_reply, stop, _commands.KnowsBreakpoints);
        Send();
    }

    /// <summary>Shows gdb's user a text.</summary>
    private void Note(string text)
    {
        PacketBuilder console = new();
        for (ReadOnlySpan<byte> rest = Encoding.ASCII.GetBytes(text); !rest.IsEmpty;)
        {
            console.Clear();
            ReadOnlySpan<byte> some = rest[..Math.Min(rest.Length, (GdbFraming.MostPayload / 2) - 1)];
            console.Add("O"u8).AddHex(some);
            Send(console);
            rest = rest[some.Length..];
        }
    }

    private void Send() => Send(_reply);

    private void Send(PacketBuilder packet)
    {
        _frameLength = GdbFraming.Write(packet.Payload, _frame);
        _output.AddRange(_frame.AsSpan(0, _frameLength));
    }
}
