using MiniVmm.Devices;
using MiniVmm.Memory;

namespace MiniVmm.Ide;

/// <summary>
/// An IDE channel with up to two drives, its interrupt line, and its half of the bus master. Whatever touches an image is
/// done by <see cref="Serve"/>, on a thread of the channel's; a vCPU never waits for it.
/// </summary>
internal sealed class IdeChannel
{
    /// <summary>Ports of the command block.</summary>
    public const int CommandLength = 8;

    private const int DataPort = 0;
    private const int StatusPort = 7; // and command
    private const byte UpperBytes = 0x80; // HOB, of the control register
    private const byte SoftReset = 0x04;
    private const byte InterruptsOff = 0x02;
    private readonly IdeDrive?[] _drives;
    private readonly LevelLine _line;
    private readonly Action _ring;
    private readonly BusMasterTransfer _transfer;
    private readonly BusMaster _busMaster = new();
    private readonly DeviceLock _lock = new();
    private byte _control;
    private bool _interrupt;
    private bool _works; // the thread is at the drive that has work, without the lock
    private bool _resets; // once the thread is done

    /// <param name="first">Drive 0, or null.</param>
    /// <param name="second">Drive 1, or null.</param>
    /// <param name="line">Its interrupt.</param>
    /// <param name="memory">Guest RAM.</param>
    /// <param name="ring">Has <see cref="Serve"/> called on the channel's thread; waits for nothing.</param>
    public IdeChannel(IdeDrive? first, IdeDrive? second, ILevelInterrupt line, GuestMemory memory, Action ring)
    {
        _drives = [first, second];
        _line = new LevelLine(line);
        _ring = ring;
        _transfer = new BusMasterTransfer(memory);
        Reset();
    }

    /// <summary>The eight ports of the command block.</summary>
    public IBusDevice CommandPorts => new PortBlock(this, PortKind.Command);

    /// <summary>The port of the control block: alternate status, and control.</summary>
    public IBusDevice ControlPort => new PortBlock(this, PortKind.Control);

    private enum PortKind
    {
        Command,
        Control,
    }

    private IdeDrive? Selected => _drives[(_drives[0] ?? _drives[1])?.Registers.SelectsSecond == true ? 1 : 0];

    private bool HasDrives => _drives[0] is not null || _drives[1] is not null;

    /// <summary>The drive that the channel's thread is to work for.</summary>
    private IdeDrive? Working => _drives[0]?.Phase == DrivePhase.Work ? _drives[0]
        : _drives[1]?.Phase == DrivePhase.Work ? _drives[1]
        : null;

    /// <summary>Reads a port of the bus master's half.</summary>
    public byte ReadBusMaster(int port)
    {
        using (_lock.Hold())
            return _busMaster.Read(port);
    }

    /// <summary>Writes one.</summary>
    public void WriteBusMaster(int port, byte value)
    {
        bool rings;
        using (_lock.Hold())
            rings = _busMaster.Write(port, value) && TryStartDma();
        if (rings)
            _ring();
    }

    /// <summary>Does what a drive left to the channel's thread, if any did. On that thread alone.</summary>
    public void Serve()
    {
        IdeDrive? drive;
        DriveWork work;
        bool isToMemory;
        using (_lock.Hold())
        {
            drive = _works ? null : Working;
            if (drive is null)
                return;
            work = drive.Work;
            _works = true;
            isToMemory = _busMaster.IsToMemory;
            if (work is DriveWork.DmaIn or DriveWork.DmaOut)
                _transfer.Begin(_busMaster.TableAddress);
        }

        int result = work is DriveWork.DmaIn or DriveWork.DmaOut ? MoveAll(drive, work, isToMemory) : drive.Transfer(work);
        bool changed;
        using (_lock.Hold())
        {
            _works = false;
            if (work is DriveWork.DmaIn or DriveWork.DmaOut)
                _busMaster.Stop(hasFailed: result == -1);
            if (_resets)
                Reset();
            else
                drive.Worked(result);
            changed = Update();
        }

        if (changed)
            _line.Drive();
    }

    /// <returns>0, an errno, or -1 where the guest's table or its stop ends the transfer early.</returns>
    private int MoveAll(IdeDrive drive, DriveWork work, bool isToMemory)
    {
        if (isToMemory != (work == DriveWork.DmaIn))
            return -1;
        bool isDone = false;
        while (!isDone)
        {
            using (_lock.Hold())
            {
                if (_resets || !_busMaster.IsStarted)
                    return -1;
            }

            int result = drive.DmaStep(work, _transfer, out isDone);
            if (result != 0)
                return result;
        }

        return 0;
    }

    private void Read(PortKind kind, int port, Span<byte> data)
    {
        bool changed;
        bool rings;
        using (_lock.Hold())
        {
            bool worked = Working is not null;
            if (kind == PortKind.Command && port == DataPort)
            {
                ReadData(data);
            }
            else
            {
                for (int i = 0; i < data.Length; i++)
                    data[i] = kind == PortKind.Control ? Status : ReadRegister(port + i);
            }

            rings = !worked && Working is not null;
            changed = Update();
        }

        if (changed)
            _line.Drive();
        if (rings)
            _ring();
    }

    private void Write(PortKind kind, int port, ReadOnlySpan<byte> data)
    {
        bool changed;
        bool rings;
        using (_lock.Hold())
        {
            bool worked = Working is not null;
            if (kind == PortKind.Command && port == DataPort)
            {
                Selected?.WriteData(data);
            }
            else
            {
                for (int i = 0; i < data.Length; i++)
                {
                    if (kind == PortKind.Control)
                        WriteControl(data[i]);
                    else
                        WriteRegister(port + i, data[i]);
                }
            }

            rings = !worked && Working is not null;
            changed = Update();
        }

        if (changed)
            _line.Drive();
        if (rings)
            _ring();
    }

    private void ReadData(Span<byte> data)
    {
        if (Selected is { } drive)
            drive.ReadData(data);
        else
            data.Fill(0xff);
    }

    private byte Status => Selected is not { } drive ? (byte)0
        : _resets || (_control & SoftReset) != 0 ? (byte)AtaStatus.Busy
        : (byte)drive.Status;

    private byte ReadRegister(int register)
    {
        if (register == StatusPort)
        {
            _interrupt = false;
            return Status;
        }

        if (!HasDrives || Selected is not { } drive)
            return 0;
        if (register == TaskFile.Feature)
            return (byte)drive.Error;
        if (register == TaskFile.Device)
            return (byte)(drive.Registers[register] | 0xa0);
        return (_control & UpperBytes) != 0 ? drive.Registers.Previous(register) : drive.Registers[register];
    }

    private void WriteRegister(int register, byte value)
    {
        _control &= unchecked((byte)~UpperBytes);
        if (register == StatusPort)
        {
            Begin(value);
            return;
        }

        // A drive at work has its registers for itself.
        if (Working is not null)
            return;
        foreach (IdeDrive? drive in _drives)
            drive?.Registers.Write(register, value);
    }

    private void Begin(byte command)
    {
        const byte deviceReset = 0x08;
        if (Selected is not { } drive || Working is not null || _resets || (_control & SoftReset) != 0)
            return;
        if ((drive.Status & (AtaStatus.Busy | AtaStatus.DataRequest)) != 0 && command != deviceReset)
            return;
        _interrupt = false;
        drive.Begin(command);
        if (_busMaster.IsStarted)
            TryStartDma();
    }

    private void WriteControl(byte value)
    {
        bool wasReset = (_control & SoftReset) != 0;
        _control = (byte)(value & (UpperBytes | SoftReset | InterruptsOff));
        if (wasReset || (_control & SoftReset) == 0)
            return;
        if (_works)
            _resets = true;
        else
            Reset();
    }

    private void Reset()
    {
        _resets = false;
        _interrupt = false;
        _busMaster.Reset();
        foreach (IdeDrive? drive in _drives)
            drive?.Reset();
    }

    private bool TryStartDma() => (_drives[0]?.StartDma() ?? false) || (_drives[1]?.StartDma() ?? false);

    /// <summary>Works out the line from what drives want; the caller drives it where this says so.</summary>
    private bool Update()
    {
        foreach (IdeDrive? drive in _drives)
        {
            if (drive is not { WantsInterrupt: true })
                continue;
            drive.WantsInterrupt = false;
            _interrupt = true;
            _busMaster.NoteInterrupt();
        }

        return _line.Want(_interrupt && (_control & InterruptsOff) == 0);
    }

    /// <summary>Ports of the channel, as the bus has them.</summary>
    private sealed class PortBlock(IdeChannel channel, PortKind kind) : IBusDevice
    {
        public void Read(ulong offset, Span<byte> data) => channel.Read(kind, (int)offset, data);

        public void Write(ulong offset, ReadOnlySpan<byte> data) => channel.Write(kind, (int)offset, data);
    }
}
