namespace MiniVmm.Devices;

/// <summary>
/// An MF2 keyboard of 102 keys behind a PS/2 port (IBM PS/2 Hardware Interface Technical Reference, keyboard): commands and their
/// acknowledgements, scan code sets 1 and 2, and a queue of what was typed. The controller guards it.
/// </summary>
internal sealed class Ps2Keyboard
{
    /// <summary>Bytes that wait for the guest at most: a real keyboard keeps 16, but nobody types a line into it at once.</summary>
    public const int QueueSize = 4096;

    private const int MostReplies = 4;
    private const byte Acknowledge = 0xfa;
    private const byte Resend = 0xfe;
    private const byte SelfTestPassed = 0xaa;

    private readonly ByteQueue _replies = new(MostReplies);
    private ByteQueue? _typed; // none before the first key: most machines have none
    private byte _pendingCommand;
    private byte _last;

    /// <summary>1 or 2.</summary>
    public byte ScanCodeSet { get; private set; } = 2;

    /// <summary>Whether keys are reported; else they are dropped.</summary>
    public bool IsScanning { get; private set; } = true;

    /// <summary>Caps Lock, Num Lock and Scroll Lock: bits 2, 1 and 0.</summary>
    public byte Leds { get; private set; }

    /// <summary>Answers to commands that wait.</summary>
    public int Replies => _replies.Count;

    /// <summary>Bytes of keys that wait.</summary>
    public int Typed => _typed?.Count ?? 0;

    /// <summary>Reports a key: all of its bytes or none.</summary>
    /// <returns>Whether there was room; also where the guest wants no keys.</returns>
    public bool TryReport(ScanCode key, bool down)
    {
        if (!IsScanning)
            return true;
        Span<byte> bytes = stackalloc byte[ScanCode.MostBytes];
        int count = key.Write(ScanCodeSet, down, bytes);
        _typed ??= new ByteQueue(QueueSize);
        if (_typed.Room < count)
            return false;
        foreach (byte value in bytes[..count])
            _typed.Enqueue(value);
        return true;
    }

    /// <summary>The next byte for the controller; there must be one.</summary>
    /// <param name="typed">Whether keys may come, or only answers.</param>
    public byte Take(bool typed) => _last = _replies.Count > 0 || !typed ? _replies.Dequeue() : _typed!.Dequeue();

    /// <summary>A byte from the host: a command, or what belongs to one.</summary>
    public void Receive(byte value)
    {
        byte command = _pendingCommand;
        _pendingCommand = 0;
        _replies.Discard(_replies.Count); // whoever sends a new command does not wait for the old one's answer
        switch (command)
        {
            case 0xed when value < 0x80:
                Leds = (byte)(value & 0x07);
                Reply(Acknowledge);
                return;
            case 0xf0 when value == 0:
                Reply(Acknowledge);
                Reply(ScanCodeSet);
                return;
            case 0xf0 when value is 1 or 2:
                ScanCodeSet = value;
                Reply(Acknowledge);
                return;
            case 0xf0 when value == 3: // few keyboards know it
                Reply(Resend);
                return;
            case 0xf3 when value < 0x80: // how often a key that is held repeats: whoever types repeats it
                Reply(Acknowledge);
                return;
        }

        RunCommand(value);
    }

    public void Save(StateWriter writer)
    {
        writer.WriteByte(ScanCodeSet);
        writer.WriteBool(IsScanning);
        writer.WriteByte(Leds);
        writer.WriteByte(_pendingCommand);
        writer.WriteByte(_last);
        writer.WriteBytes(_replies.ToArray());
        writer.WriteBytes(_typed?.ToArray() ?? []);
    }

    public void Restore(StateReader reader)
    {
        ScanCodeSet = reader.ReadByte();
        reader.Check(ScanCodeSet is 1 or 2, $"scan code set {ScanCodeSet}");
        IsScanning = reader.ReadBool();
        Leds = reader.ReadByte();
        reader.Check(Leds < 0x08, $"LEDs 0x{Leds:x2}");
        _pendingCommand = reader.ReadByte();
        _last = reader.ReadByte();
        _replies.Replace(reader.ReadBytes(MostReplies));
        ReadOnlySpan<byte> typed = reader.ReadBytes(QueueSize);
        if (typed.Length > 0)
            _typed ??= new ByteQueue(QueueSize);
        _typed?.Replace(typed);
    }

    private void RunCommand(byte command)
    {
        switch (command)
        {
            case 0xed or 0xf0 or 0xf3: // LEDs, scan code set, repetition: a byte follows
                _pendingCommand = command;
                Reply(Acknowledge);
                break;
            case 0xee: // echo
                Reply(command);
                break;
            case 0xf2: // which keyboard: MF2
                Reply(Acknowledge);
                Reply(0xab);
                Reply(0x83);
                break;
            case 0xf4 or 0xf5 or 0xf6: // begin, stop and begin anew with defaults
                if (command != 0xf4)
                    SetDefaults();
                IsScanning = command != 0xf5;
                Reply(Acknowledge);
                break;
            case >= 0xf7 and <= 0xfd: // what keys of set 3 do
                Reply(Acknowledge);
                break;
            case 0xfe:
                Reply(_last);
                break;
            case 0xff:
                SetDefaults();
                IsScanning = true;
                Reply(Acknowledge);
                Reply(SelfTestPassed);
                break;
            default:
                Reply(Resend);
                break;
        }
    }

    private void SetDefaults()
    {
        ScanCodeSet = 2;
        Leds = 0;
        _typed?.Discard(_typed.Count);
    }

    private void Reply(byte value) => _replies.Enqueue(value);
}
