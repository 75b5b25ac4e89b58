namespace MiniVmm.Devices;

/// <summary>The chipset's reset control register, 0xcf9: a write with bit 2 set resets the machine.</summary>
public sealed class ResetControl(IPowerControl power) : ByteDevice, ISuspendable
{
    private const byte ResetCpu = 0x04;
    private byte _value;

    public string StateName => "reset-control";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteByte(_value);
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        _value = reader.ReadByte();
        reader.Check((_value & ResetCpu) == 0, $"value 0x{_value:x2}");
    }

    protected override byte ReadByte(uint offset) => _value;

    protected override void WriteByte(uint offset, byte value)
    {
        _value = (byte)(value & ~ResetCpu);
        if ((value & ResetCpu) != 0)
            power.Reset();
    }
}

/// <summary>System control port A, 0x92: bit 1 is the fast A20 gate (always open here), bit 0 resets.</summary>
public sealed class SystemControlPortA(IPowerControl power) : ByteDevice
{
    protected override byte ReadByte(uint offset) => 0x02;

    protected override void WriteByte(uint offset, byte value)
    {
        if ((value & 0x01) != 0)
            power.Reset();
    }
}

/// <summary>
/// As much of the i8042 as kernels use on a machine without a keyboard: reset (0xfe, or output port bit 0
/// low), the self test, the command byte, and the A20 gate, which is always open.
/// </summary>
public sealed class I8042(IPowerControl power) : ByteDevice, ISuspendable
{
    /// <summary>Ports 0x60 (data) to 0x64 (command and status); those between are nobody's.</summary>
    public const int Length = 5;

    private const uint Command = IoPorts.I8042Command - IoPorts.I8042Data;
    private const byte OutputFull = 0x01;
    private const byte SystemFlag = 0x04;
    private readonly DeviceLock _lock = new();
    private byte _commandByte = SystemFlag;
    private byte _output;
    private bool _outputFull;
    private byte _pendingCommand;

    public string StateName => "i8042";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        using (_lock.Hold())
        {
            writer.WriteByte(_commandByte);
            writer.WriteByte(_pendingCommand);
            writer.WriteBool(_outputFull);
            writer.WriteByte(_output);
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
        }
    }

    protected override byte ReadByte(uint offset)
    {
        using (_lock.Hold())
        {
            if (offset == Command)
                return (byte)(SystemFlag | (_outputFull ? OutputFull : 0));
            if (offset != 0)
                return 0xff;
            _outputFull = false;
            return _output;
        }
    }

    protected override void WriteByte(uint offset, byte value)
    {
        bool reset = false;
        using (_lock.Hold())
        {
            if (offset == Command)
                reset = RunCommand(value);
            else if (offset == 0)
                reset = TakeData(value);
        }

        if (reset)
            power.Reset();
    }

    private bool RunCommand(byte command)
    {
        _pendingCommand = command;
        switch (command)
        {
            case 0x20: // read the command byte
                Reply(_commandByte);
                break;
            case 0xaa: // controller self test: passed
                Reply(0x55);
                break;
            case 0xa9 or 0xab: // test of a port: the line is stuck, nothing is plugged in
                Reply(0x01);
                break;
            case 0xd0: // read the output port: A20 open, not in reset
                Reply(0x03);
                break;
            case 0xfe:
                return true;
        }

        return false;
    }

    private bool TakeData(byte value)
    {
        byte command = _pendingCommand;
        _pendingCommand = 0;
        if (command == 0x60)
            _commandByte = value;
        return command == 0xd1 && (value & 0x01) == 0;
    }

    private void Reply(byte value)
    {
        _output = value;
        _outputFull = true;
    }
}
