namespace MiniVmm.Devices;

/// <summary>
/// The keyboard controller of a PC (Intel 8042; IBM PS/2 Hardware Interface Technical Reference) with an MF2 keyboard and a mouse
/// with a wheel; reset (0xfe, or output port bit 0 low), and the A20 gate, which is always open. As a BIOS leaves it: the keyboard
/// sends scan codes of set 1 and raises its interrupt, the mouse is off.
/// </summary>
/// <remarks>
/// The data register holds one byte, from whoever has one while it is free: the controller, the keyboard, the mouse. It is
/// refilled as soon as it has been read, and an interrupt goes with each byte.
/// </remarks>
public sealed class I8042(IPowerControl power) : ByteDevice, ISuspendable, IDescribesAccesses
{
    /// <summary>Ports 0x60 (data) to 0x64 (command and status); those between are nobody's.</summary>
    public const int Length = 5;

    private const uint Command = IoPorts.I8042Command - IoPorts.I8042Data;

    private const byte OutputFull = 0x01;
    private const byte SystemFlag = 0x04;
    private const byte CommandWritten = 0x08;
    private const byte NotLocked = 0x10;
    private const byte FromMouse = 0x20;

    private const byte KeyboardInterrupt = 0x01; // of the command byte
    private const byte MouseInterrupt = 0x02;
    private const byte KeyboardDisabled = 0x10;
    private const byte MouseDisabled = 0x20;
    private const byte Translates = 0x40;

    private readonly DeviceLock _lock = new();
    private readonly Ps2Keyboard _keyboard = new();
    private readonly Ps2Mouse _mouse = new();
    private byte _commandByte = KeyboardInterrupt | SystemFlag | MouseDisabled | Translates;
    private byte _output;
    private bool _outputFull;
    private bool _outputFromMouse;
    private bool _released; // the translator has seen the prefix of a released key
    private bool _lastWasCommand = true;
    private byte _pendingCommand;

    /// <summary>IRQ 1; null in a machine where nobody can type.</summary>
    internal IInterruptTrigger? KeyboardLine { get; set; }

    /// <summary>IRQ 12; null in a machine without a pointer.</summary>
    internal IInterruptTrigger? MouseLine { get; set; }

    /// <summary>Bytes of keys that the guest has not read; from any thread.</summary>
    internal int Waiting
    {
        get
        {
            using (_lock.Hold())
                return _keyboard.Typed;
        }
    }

    /// <inheritdoc/>
    public IAccessWords CreateWords() => new I8042Words();

    public string StateName => "i8042";

    public ushort StateVersion => 2;

    /// <summary>Presses or releases a key, from any thread.</summary>
    /// <returns>False where too many wait for the guest: nothing has happened.</returns>
    internal bool TryReport(ScanCode key, bool down)
    {
        IInterruptTrigger? raise;
        using (_lock.Hold())
        {
            if (!_keyboard.TryReport(key, down))
                return false;
            raise = Refill();
        }

        raise?.Trigger();
        return true;
    }

    /// <summary>Moves the mouse, from any thread; see <see cref="Ps2Mouse.Move"/>.</summary>
    internal void MoveMouse(int x, int y, int wheel, byte buttons)
    {
        IInterruptTrigger? raise;
        using (_lock.Hold())
        {
            _mouse.Move(x, y, wheel, buttons);
            raise = Refill();
        }

        raise?.Trigger();
    }

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        using (_lock.Hold())
        {
            writer.WriteByte(_commandByte);
            writer.WriteByte(_pendingCommand);
            writer.WriteBool(_outputFull);
            writer.WriteByte(_output);
            writer.WriteBool(_outputFromMouse);
            writer.WriteBool(_released);
            writer.WriteBool(_lastWasCommand);
            _keyboard.Save(writer);
            _mouse.Save(writer);
        }
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        using (_lock.Hold())
        {
            _commandByte = reader.ReadByte();
            _pendingCommand = reader.ReadByte();
            _outputFull = reader.ReadBool();
            _output = reader.ReadByte();
            if (reader.Version < 2) // a controller without a keyboard
                return;
            _outputFromMouse = reader.ReadBool();
            _released = reader.ReadBool();
            _lastWasCommand = reader.ReadBool();
            _keyboard.Restore(reader);
            _mouse.Restore(reader);
        }
    }

    protected override byte ReadByte(uint offset)
    {
        byte value;
        IInterruptTrigger? raise;
        using (_lock.Hold())
        {
            if (offset == Command)
                return Status();
            if (offset != 0)
                return 0xff;
            value = _output;
            _outputFull = false;
            raise = Refill();
        }

        raise?.Trigger();
        return value;
    }

    protected override void WriteByte(uint offset, byte value)
    {
        bool reset = false;
        IInterruptTrigger? raise;
        using (_lock.Hold())
        {
            raise = null;
            if (offset == Command)
                reset = RunCommand(value);
            else if (offset == 0)
                reset = TakeData(value, ref raise);
            raise ??= Refill();
        }

        raise?.Trigger();
        if (reset)
            power.Reset();
    }

    private byte Status() => (byte)(SystemFlag | NotLocked
        | (_outputFull ? OutputFull : 0)
        | (_lastWasCommand ? CommandWritten : 0)
        | (_outputFull && _outputFromMouse ? FromMouse : 0));

    private bool RunCommand(byte command)
    {
        _lastWasCommand = true;
        _pendingCommand = command;
        switch (command)
        {
            case 0x20: // read the command byte
                Reply(_commandByte);
                break;
            case 0xa7:
                _commandByte |= MouseDisabled;
                break;
            case 0xa8:
                _commandByte &= unchecked((byte)~MouseDisabled);
                break;
            case 0xa9 or 0xab: // test of a port: nothing is wrong
                Reply(0x00);
                break;
            case 0xaa: // controller self test: passed
                Reply(0x55);
                break;
            case 0xad:
                _commandByte |= KeyboardDisabled;
                break;
            case 0xae:
                _commandByte &= unchecked((byte)~KeyboardDisabled);
                break;
            case 0xc0: // read the input port: the keyboard is not locked
                Reply(0x80);
                break;
            case 0xd0: // read the output port: A20 open, not in reset
                Reply(0x03);
                break;
            case 0xfe:
                return true;
        }

        return false;
    }

    private bool TakeData(byte value, ref IInterruptTrigger? raise)
    {
        _lastWasCommand = false;
        byte command = _pendingCommand;
        _pendingCommand = 0;
        switch (command)
        {
            case 0x60:
                bool interrupted = _outputFull && !Raises(_commandByte) && Raises(value);
                _commandByte = value;
                if (interrupted)
                    raise = Line();
                break;
            case 0xd1:
                return (value & 0x01) == 0;
            case 0xd2: // as if the keyboard had sent it
                raise = Fill(value, fromMouse: false);
                break;
            case 0xd3:
                raise = Fill(value, fromMouse: true);
                break;
            case 0xd4:
                _commandByte &= unchecked((byte)~MouseDisabled);
                _mouse.Receive(value);
                break;
            default: // the line is opened for it
                _commandByte &= unchecked((byte)~KeyboardDisabled);
                _keyboard.Receive(value);
                break;
        }

        return false;
    }

    /// <summary>An answer of the controller's own, which takes the place of what waits, and raises no interrupt.</summary>
    private void Reply(byte value)
    {
        _output = value;
        _outputFull = true;
        _outputFromMouse = false;
    }

    /// <summary>Takes the next byte of a device that has one, if the register is free.</summary>
    /// <returns>The line to raise, or null.</returns>
    private IInterruptTrigger? Refill()
    {
        while (!_outputFull)
        {
            bool keyboard = (_commandByte & KeyboardDisabled) == 0, mouse = (_commandByte & MouseDisabled) == 0;
            if (_keyboard.Replies > 0 || (keyboard && _keyboard.Typed > 0))
            {
                byte value = _keyboard.Take(keyboard);
                if ((_commandByte & Translates) == 0)
                    return Fill(value, fromMouse: false);
                if (value == 0xf0)
                {
                    _released = true;
                    continue;
                }

                value = (byte)(ScanCode.Translate(value) | (_released ? 0x80 : 0));
                _released = false;
                return Fill(value, fromMouse: false);
            }

            if (_mouse.Replies == 0 && (!mouse || _mouse.Packets == 0))
                return null;
            return Fill(_mouse.Take(mouse), fromMouse: true);
        }

        return null;
    }

    private IInterruptTrigger? Fill(byte value, bool fromMouse)
    {
        _output = value;
        _outputFull = true;
        _outputFromMouse = fromMouse;
        return Raises(_commandByte) ? Line() : null;
    }

    private bool Raises(byte commandByte) => (commandByte & (_outputFromMouse ? MouseInterrupt : KeyboardInterrupt)) != 0;

    private IInterruptTrigger? Line() => _outputFromMouse ? MouseLine : KeyboardLine;
}
