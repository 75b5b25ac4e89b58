namespace MiniVmm.Devices;

/// <summary>
/// A PS/2 mouse with a wheel (IBM PS/2 Hardware Interface Technical Reference, mouse; Microsoft's IntelliMouse extension, by which
/// a driver finds the wheel). The controller guards it.
/// </summary>
internal sealed class Ps2Mouse
{
    private const int MostReplies = 4;
    private const int QueueSize = 64; // packets that wait; movement after that is added up
    private const int MostMovement = 1 << 16;
    private const byte Acknowledge = 0xfa;
    private const byte Resend = 0xfe;
    private const byte WithWheel = 3;
    private const byte UsualRate = 100;
    private const byte UsualResolution = 2;

    private readonly ByteQueue _replies = new(MostReplies);
    private readonly ByteQueue _packets = new(QueueSize);
    private byte _pendingCommand;
    private byte _last;
    private byte _id;
    private byte _rate = UsualRate;
    private byte _resolution = UsualResolution;
    private byte _knock; // the rates that were set last say what driver this is: how many of 200, 100, 80
    private bool _enabled;
    private bool _remote;
    private bool _wraps;
    private bool _scaled;
    private byte _buttons;
    private byte _reportedButtons;
    private int _x;
    private int _y;
    private int _wheel;

    /// <summary>Answers to commands that wait.</summary>
    public int Replies => _replies.Count;

    /// <summary>Bytes of packets that wait.</summary>
    public int Packets => _packets.Count;

    /// <summary>Moves the mouse.</summary>
    /// <param name="x">To the right.</param>
    /// <param name="y">Up.</param>
    /// <param name="wheel">Towards the user.</param>
    /// <param name="buttons">Those that are down: left 1, right 2, middle 4.</param>
    public void Move(int x, int y, int wheel, byte buttons)
    {
        _x = Added(_x, x);
        _y = Added(_y, y);
        _wheel = Added(_wheel, wheel);
        _buttons = (byte)(buttons & 0x07);
        Report();
    }

    /// <summary>The next byte for the controller; there must be one.</summary>
    /// <param name="packets">Whether movement may come, or only answers.</param>
    public byte Take(bool packets)
    {
        _last = _replies.Count > 0 || !packets ? _replies.Dequeue() : _packets.Dequeue();
        Report();
        return _last;
    }

    /// <summary>A byte from the host: a command, or what belongs to one.</summary>
    public void Receive(byte value)
    {
        byte command = _pendingCommand;
        _pendingCommand = 0;
        _replies.Discard(_replies.Count);
        if (_wraps && value is not (0xec or 0xff))
        {
            Reply(value);
        }
        else if (command == 0xf3)
        {
            SetRate(value);
            Reply(Acknowledge);
        }
        else if (command == 0xe8)
        {
            _resolution = (byte)(value & 0x03);
            Reply(Acknowledge);
        }
        else
        {
            RunCommand(value);
        }

        Report();
    }

    public void Save(StateWriter writer)
    {
        writer.WriteByte(_id);
        writer.WriteByte(_rate);
        writer.WriteByte(_resolution);
        writer.WriteByte(_knock);
        writer.WriteBool(_enabled);
        writer.WriteBool(_remote);
        writer.WriteBool(_wraps);
        writer.WriteBool(_scaled);
        writer.WriteByte(_buttons);
        writer.WriteByte(_reportedButtons);
        writer.WriteInt64(_x);
        writer.WriteInt64(_y);
        writer.WriteInt64(_wheel);
        writer.WriteByte(_pendingCommand);
        writer.WriteByte(_last);
        writer.WriteBytes(_replies.ToArray());
        writer.WriteBytes(_packets.ToArray());
    }

    public void Restore(StateReader reader)
    {
        _id = reader.ReadByte();
        reader.Check(_id is 0 or WithWheel, $"mouse {_id}");
        _rate = reader.ReadByte();
        _resolution = reader.ReadByte();
        reader.Check(_resolution < 4, $"resolution {_resolution}");
        _knock = reader.ReadByte();
        reader.Check(_knock < 3, $"{_knock} rates of a driver's for wheels");
        _enabled = reader.ReadBool();
        _remote = reader.ReadBool();
        _wraps = reader.ReadBool();
        _scaled = reader.ReadBool();
        _buttons = reader.ReadByte();
        _reportedButtons = reader.ReadByte();
        reader.Check(_buttons < 8 && _reportedButtons < 8, $"buttons 0x{_buttons:x2}, 0x{_reportedButtons:x2}");
        _x = Movement(reader);
        _y = Movement(reader);
        _wheel = Movement(reader);
        _pendingCommand = reader.ReadByte();
        _last = reader.ReadByte();
        _replies.Replace(reader.ReadBytes(MostReplies));
        _packets.Replace(reader.ReadBytes(QueueSize));
    }

    private static int Movement(StateReader reader)
    {
        long value = reader.ReadInt64();
        reader.Check(value is >= -MostMovement and <= MostMovement, $"movement by {value}");
        return (int)value;
    }

    private static int Added(int sum, int more) =>
        (int)Math.Clamp((long)sum + more, -MostMovement, MostMovement);

    private void RunCommand(byte command)
    {
        switch (command)
        {
            case 0xe6 or 0xe7:
                _scaled = command == 0xe7;
                Reply(Acknowledge);
                break;
            case 0xe8 or 0xf3: // a byte follows
                _pendingCommand = command;
                Reply(Acknowledge);
                break;
            case 0xe9: // what is set
                Reply(Acknowledge);
                Reply((byte)((_remote ? 0x40 : 0) | (_enabled ? 0x20 : 0) | (_scaled ? 0x10 : 0) | Swapped(_buttons)));
                Reply(_resolution);
                Reply(_rate);
                break;
            case 0xea or 0xf0: // report by itself, or when asked
                _remote = command == 0xf0;
                Reply(Acknowledge);
                break;
            case 0xeb: // asked
                Reply(Acknowledge);
                Queue(_packets.Room < QueueSize);
                break;
            case 0xec or 0xee:
                _wraps = command == 0xee;
                Reply(Acknowledge);
                break;
            case 0xf2:
                Reply(Acknowledge);
                Reply(_id);
                break;
            case 0xf4 or 0xf5:
                _enabled = command == 0xf4;
                Reply(Acknowledge);
                break;
            case 0xf6:
                SetDefaults();
                Reply(Acknowledge);
                break;
            case 0xfe:
                Reply(_last);
                break;
            case 0xff:
                SetDefaults();
                _id = 0;
                Reply(Acknowledge);
                Reply(0xaa); // passed its test
                Reply(_id);
                break;
            default:
                Reply(Resend);
                break;
        }
    }

    private void SetDefaults()
    {
        (_rate, _resolution) = (UsualRate, UsualResolution);
        (_enabled, _remote, _wraps, _scaled) = (false, false, false, false);
        (_x, _y, _wheel, _knock) = (0, 0, 0, 0);
        _packets.Discard(_packets.Count);
    }

    /// <summary>A driver that sets 200, 100 and 80 reports a second, one after the other, knows the wheel.</summary>
    private void SetRate(byte rate)
    {
        _rate = rate;
        ReadOnlySpan<byte> knock = [200, 100, 80];
        _knock = rate == knock[_knock] ? (byte)(_knock + 1) : (byte)(rate == knock[0] ? 1 : 0);
        if (_knock < knock.Length)
            return;
        _knock = 0;
        _id = WithWheel;
    }

    private void Report()
    {
        while (_enabled && !_remote && !_wraps && (_x != 0 || _y != 0 || _wheel != 0 || _buttons != _reportedButtons))
        {
            if (!Queue(waiting: false))
                return;
        }
    }

    /// <summary>Queues a packet of what has moved, as much as one can carry.</summary>
    /// <param name="waiting">Whether one waits that has not been read.</param>
    /// <returns>Whether there was room.</returns>
    private bool Queue(bool waiting)
    {
        int length = _id == WithWheel ? 4 : 3;
        if (waiting || _packets.Room < length)
            return false;
        int x = Math.Clamp(_x, -255, 255), y = Math.Clamp(_y, -255, 255), wheel = Math.Clamp(_wheel, -8, 7);
        _x -= x;
        _y -= y;
        _wheel = length == 4 ? _wheel - wheel : 0;
        _reportedButtons = _buttons;
        _packets.Enqueue((byte)((y < 0 ? 0x20 : 0) | (x < 0 ? 0x10 : 0) | 0x08 | _buttons));
        _packets.Enqueue((byte)x);
        _packets.Enqueue((byte)y);
        if (length == 4)
            _packets.Enqueue((byte)wheel);
        return true;
    }

    /// <summary>In a status the left button is bit 2 and the right one bit 0.</summary>
    private static byte Swapped(byte buttons) =>
        (byte)(((buttons & 1) << 2) | ((buttons & 2) >> 1) | ((buttons & 4) >> 1));

    private void Reply(byte value) => _replies.Enqueue(value);
}
