using MiniVmm.Devices;

namespace MiniVmm.Floppy;

/// <summary>
/// A floppy controller (Intel 82077AA, 290166), with DMA. Commands that touch a disk are done by <see cref="Serve"/>, on a thread
/// of the controller's. Tracks cannot be formatted, and the mode without DMA is not there: both end with an error.
/// </summary>
internal sealed class FloppyController
{
    /// <summary>Ports 0x3f0 to 0x3f5.</summary>
    public const int Length = 6;

    private const int Channel = 2;
    private const int DigitalOutput = 2, MainStatus = 4, Fifo = 5;

    // Digital output.
    private const byte NotReset = 0x04, DmaGate = 0x08;

    // Main status.
    private const byte Ready = 0x80, ToHost = 0x40, Busy = 0x10;
    private const byte SoftwareReset = 0x80;

    // Status registers of results.
    private const byte Abnormal = 0x40, Invalid = 0x80, SeekEnd = 0x20, NotReady = 0x08, HeadBit = 0x04;
    private const byte MissingAddress = 0x01, NotWritable = 0x02, NoData = 0x04, DataError = 0x20, EndOfCylinder = 0x80;
    private readonly FloppyDrive?[] _drives;
    private readonly DmaController _dma;
    private readonly LevelLine _line;
    private readonly Action _ring;
    private readonly DeviceLock _lock = new();
    private readonly byte[] _command = new byte[9];
    private readonly byte[] _result = new byte[16];
    private byte _output = NotReset | DmaGate;
    private int _given; // bytes of the command so far
    private int _results;
    private int _taken;
    private bool _interrupt;
    private bool _works;
    private bool _resets;
    private bool _waits; // for the thread
    private int _sensesLeft; // of a reset: one a drive
    private byte _sense;
    private bool _hasSense;
    private byte _specify1, _specify2, _configuration, _precompensation;
    private bool _isLocked;

    /// <param name="first">Drive A, or null.</param>
    /// <param name="second">Drive B, or null.</param>
    /// <param name="dma">Its channel 2 is this controller's.</param>
    /// <param name="line">Its interrupt.</param>
    /// <param name="ring">Has <see cref="Serve"/> called on the controller's thread; waits for nothing.</param>
    public FloppyController(FloppyDrive? first, FloppyDrive? second, DmaController dma, ILevelInterrupt line, Action ring)
    {
        _drives = [first, second, null, null];
        _dma = dma;
        _line = new LevelLine(line);
        _ring = ring;
    }

    /// <summary>Ports 0x3f0 to 0x3f5.</summary>
    public IBusDevice Ports => new RegisterPorts(this);

    /// <summary>Port 0x3f7: whether a disk was changed, which none is, and the data rate, of which every one will do.</summary>
    public static IBusDevice ChangePort => new ChangeLine();

    private enum Command : byte
    {
        Specify = 0x03,
        DriveStatus = 0x04,
        Write = 0x05,
        Read = 0x06,
        Recalibrate = 0x07,
        SenseInterrupt = 0x08,
        WriteDeleted = 0x09,
        ReadId = 0x0a,
        ReadDeleted = 0x0c,
        Format = 0x0d,
        Dump = 0x0e,
        Seek = 0x0f,
        Version = 0x10,
        Perpendicular = 0x12,
        Configure = 0x13,
        Lock = 0x14,
        PartId = 0x18,
    }

    private Command Current => (Command)(_command[0] & 0x1f);

    /// <summary>Drive and head, in the second byte of most commands.</summary>
    private int Head => (_command[1] >> 2) & 1;

    private FloppyDrive? Drive => _drives[_command[1] & 3];

    /// <summary>Does what was left to the thread. On that thread alone.</summary>
    public void Serve()
    {
        using (_lock.Hold())
        {
            if (!_waits || _works)
                return;
            _works = true;
        }

        Transfer();
        bool changed;
        using (_lock.Hold())
        {
            _works = _waits = false;
            if (_resets)
                Reset();
            _interrupt = true;
            changed = Update();
        }

        if (changed)
            _line.Drive();
    }

    /// <summary>Bytes of a command besides the first; -1 for what is none.</summary>
    private static int Parameters(byte first) => (Command)(first & 0x1f) switch
    {
        Command.Specify or Command.Seek => 2,
        Command.DriveStatus or Command.Recalibrate or Command.ReadId or Command.Perpendicular => 1,
        Command.Read or Command.Write or Command.ReadDeleted or Command.WriteDeleted => 8,
        Command.Format => 5,
        Command.Configure => 3,
        Command.SenseInterrupt or Command.Dump or Command.Version or Command.Lock or Command.PartId => 0,
        _ => -1,
    };

    private byte ReadPort(uint port)
    {
        byte value = 0;
        bool changed;
        using (_lock.Hold())
        {
            switch (port)
            {
                case DigitalOutput:
                    value = _output;
                    break;
                case MainStatus when (_output & NotReset) != 0 && !_resets:
                    value = _waits ? Busy : (byte)(Ready | (_results > 0 ? ToHost | Busy : _given > 0 ? Busy : 0));
                    break;
                case Fifo when _results > 0 && !_waits:
                    value = _result[_taken++];
                    _interrupt = false;
                    if (_taken == _results)
                        _results = _taken = 0;
                    break;
            }

            changed = Update();
        }

        if (changed)
            _line.Drive();
        return value;
    }

    private void WritePort(uint port, byte value)
    {
        bool changed;
        bool rings;
        using (_lock.Hold())
        {
            bool waited = _waits;
            switch (port)
            {
                case DigitalOutput:
                    WriteOutput(value);
                    break;
                case MainStatus when (value & SoftwareReset) != 0:
                    BeginReset();
                    break;
                case Fifo when (_output & NotReset) != 0 && _results == 0 && !_waits:
                    Take(value);
                    break;
            }

            rings = !waited && _waits;
            changed = Update();
        }

        if (changed)
            _line.Drive();
        if (rings)
            _ring();
    }

    private void WriteOutput(byte value)
    {
        bool leaves = (_output & NotReset) == 0 && (value & NotReset) != 0;
        _output = value;
        if (leaves)
            BeginReset();
    }

    private void BeginReset()
    {
        if (_works)
            _resets = true;
        else
            Reset();
    }

    private void Reset()
    {
        _resets = _waits = false;
        _given = _results = _taken = 0;
        if (!_isLocked)
            _configuration = _precompensation = 0;
        _sensesLeft = _drives.Length;
        _hasSense = false;
        _interrupt = true;
    }

    /// <summary>A byte of a command.</summary>
    private void Take(byte value)
    {
        _command[_given++] = value;
        int parameters = Parameters(_command[0]);
        if (parameters < 0)
        {
            _given = 0;
            Answer(Invalid);
            return;
        }

        if (_given <= parameters)
            return;
        _given = 0;
        Execute();
    }

    private void Execute()
    {
        switch (Current)
        {
            case Command.Specify:
                (_specify1, _specify2) = (_command[1], _command[2]);
                break;
            case Command.DriveStatus:
                bool isAtTrack0 = Drive is { Cylinder: 0 };
                bool isReadOnly = Drive is { IsReadOnly: true };
                Answer((byte)(0x28 | (_command[1] & 7) | (isAtTrack0 ? 0x10 : 0) | (isReadOnly ? 0x40 : 0)));
                break;
            case Command.Recalibrate or Command.Seek:
                SeekTo(Current == Command.Seek ? _command[2] : 0);
                break;
            case Command.SenseInterrupt:
                SenseInterrupt();
                break;
            case Command.ReadId when Drive is { } drive:
                AnswerTransfer(Sense0(0), 0, 0, drive.Cylinder, Head, 1);
                _interrupt = true;
                break;
            case Command.Read or Command.ReadDeleted or Command.Write or Command.WriteDeleted when Drive is not null:
                _waits = true;
                break;
            case Command.Dump:
                Answer(Cylinder(0), Cylinder(1), 0, 0, _specify1, _specify2, 0, (byte)(_isLocked ? 0x80 : 0), _configuration, _precompensation);
                break;
            case Command.Version:
                Answer(0x90);
                break;
            case Command.Lock:
                _isLocked = (_command[0] & 0x80) != 0;
                Answer((byte)(_isLocked ? 0x10 : 0));
                break;
            case Command.PartId:
                Answer(0x41);
                break;
            case Command.Configure:
                (_configuration, _precompensation) = (_command[2], _command[3]);
                break;
            case Command.Perpendicular:
                break;
            default:
                // No disk, or a track to format: what is not there.
                AnswerTransfer(Sense0(Drive is null ? Abnormal | NotReady : Abnormal), MissingAddress, 0, 0, Head, 1);
                _interrupt = true;
                break;
        }
    }

    private byte Cylinder(int drive) => (byte)(_drives[drive]?.Cylinder ?? 0);

    private byte Sense0(int flags) => (byte)(flags | (Head != 0 ? HeadBit : 0) | (_command[1] & 3));

    private void SeekTo(int cylinder)
    {
        if (Drive is { } drive)
            drive.Cylinder = Math.Min(cylinder, drive.Format.Cylinders - 1);
        _sense = (byte)(SeekEnd | (Drive is null ? Abnormal | 0x10 : 0) | (_command[1] & 7));
        _hasSense = true;
        _interrupt = true;
    }

    private void SenseInterrupt()
    {
        _interrupt = false;
        if (_sensesLeft > 0)
        {
            int drive = _drives.Length - _sensesLeft--;
            Answer((byte)(0xc0 | drive), Cylinder(drive & 1));
        }
        else if (_hasSense)
        {
            _hasSense = false;
            Answer(_sense, Cylinder(_sense & 1));
        }
        else
        {
            Answer(Invalid);
        }
    }

    /// <summary>Reads or writes, without the lock: nothing else touches the drive, the command or its result meanwhile.</summary>
    private void Transfer()
    {
        FloppyDrive drive = Drive!;
        bool writes = Current is Command.Write or Command.WriteDeleted;
        (int cylinder, int head, int sector) = (_command[2], _command[3] & 1, _command[4]);
        int last = Math.Min((int)_command[6], drive.Format.Sectors);
        bool isMultiTrack = (_command[0] & 0x80) != 0;
        int wanted = _dma.Remaining(Channel);
        if (_command[5] != 2 || (_specify2 & 1) != 0 || wanted == 0)
        {
            AnswerTransfer(Sense0(Abnormal), MissingAddress, 0, cylinder, head, sector);
            return;
        }

        if (drive.Format.Sector(cylinder, head, sector) is not { } first || sector > last)
        {
            AnswerTransfer(Sense0(Abnormal), NoData, 0, cylinder, head, sector);
            return;
        }

        // To the end of the track, or with both heads of the cylinder: if the channel lasts so long.
        int there = last - sector + 1 + (isMultiTrack && head == 0 && last == drive.Format.Sectors ? last : 0);
        int sectors = Math.Min((wanted + FloppyFormat.SectorSize - 1) / FloppyFormat.SectorSize, there);
        Span<byte> data = drive.Buffer[..Math.Min(wanted, sectors * FloppyFormat.SectorSize)];
        drive.Cylinder = cylinder;
        if (writes && drive.IsReadOnly)
        {
            AnswerTransfer(Sense0(Abnormal), NotWritable, 0, cylinder, head, sector);
            return;
        }

        bool isGood = writes ? TryWrite(drive, first, sectors, data) : drive.Read(first, sectors) == 0 && _dma.TryMove(Channel, data, toMemory: true);
        if (!isGood)
        {
            AnswerTransfer(Sense0(Abnormal), DataError, 0, cylinder, head, sector);
            return;
        }

        int next = sector + sectors;
        if (next > last)
        {
            int tracks = 1 + (next - last - 1) / last;
            next = 1 + ((next - last - 1) % last);
            head += tracks;
            cylinder += isMultiTrack ? head / 2 : 1;
            head = isMultiTrack ? head & 1 : _command[3] & 1;
        }

        bool isShort = wanted > data.Length;
        AnswerTransfer(Sense0(isShort ? Abnormal : 0), isShort ? EndOfCylinder : (byte)0, 0, cylinder, head, next);
    }

    private bool TryWrite(FloppyDrive drive, int first, int sectors, Span<byte> data)
    {
        drive.Buffer[data.Length..(sectors * FloppyFormat.SectorSize)].Clear();
        return _dma.TryMove(Channel, data, toMemory: false) && drive.Write(first, sectors) == 0;
    }

    private void AnswerTransfer(byte status0, byte status1, byte status2, int cylinder, int head, int sector) =>
        Answer(status0, status1, status2, (byte)cylinder, (byte)head, (byte)sector, 2);

    private void Answer(params ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_result);
        (_results, _taken) = (bytes.Length, 0);
    }

    private bool Update() => _line.Want(_interrupt && (_output & DmaGate) != 0);

    private sealed class RegisterPorts(FloppyController controller) : ByteDevice
    {
        protected override byte ReadByte(uint offset) => controller.ReadPort(offset);

        protected override void WriteByte(uint offset, byte value) => controller.WritePort(offset, value);
    }

    private sealed class ChangeLine : ByteDevice
    {
        protected override byte ReadByte(uint offset) => 0;

        protected override void WriteByte(uint offset, byte value)
        {
            // A data rate.
        }
    }
}
