using MiniVmm.Memory;

namespace MiniVmm.Ide;

/// <summary>
/// Half of the bus master of a PIIX (Programming Interface for Bus Master IDE Controller, 1.0): command, status, and the address
/// of a table of the guest's memory. Under the channel's lock.
/// </summary>
internal sealed class BusMaster
{
    /// <summary>Ports of a channel.</summary>
    public const int Length = 8;

    private const int Command = 0;
    private const int Status = 2;
    private const int Table = 4;
    private const byte Start = 1;
    private const byte ToMemory = 8;
    private const byte Active = 1;
    private const byte Failure = 2;
    private const byte Interrupt = 4;
    private const byte DrivesCanDma = 0x60;
    private byte _command;
    private byte _status;
    private uint _table;

    /// <summary>Whether the guest lets it run.</summary>
    public bool IsStarted => (_command & Start) != 0;

    /// <summary>Whether it is to write to memory.</summary>
    public bool IsToMemory => (_command & ToMemory) != 0;

    /// <summary>Address of the table.</summary>
    public uint TableAddress => _table;

    public void Reset() => (_command, _status) = (0, (byte)(_status & DrivesCanDma));

    public byte Read(int port) => port switch
    {
        Command => _command,
        Status => _status,
        >= Table => (byte)(_table >> (8 * (port - Table))),
        _ => 0,
    };

    /// <returns>Whether it was started by this.</returns>
    public bool Write(int port, byte value)
    {
        switch (port)
        {
            case Command:
                bool starts = (value & Start) != 0 && !IsStarted;
                _command = (byte)(value & (Start | ToMemory));
                if (starts)
                    _status |= Active;
                else if (!IsStarted)
                    _status &= unchecked((byte)~Active);
                return starts;
            case Status:
                _status = (byte)((_status & ~(value & (Failure | Interrupt)) & ~DrivesCanDma) | (value & DrivesCanDma));
                return false;
            case >= Table:
                int shift = 8 * (port - Table);
                _table = ((_table & ~(0xffu << shift)) | ((uint)value << shift)) & ~3u;
                return false;
            default:
                return false;
        }
    }

    /// <summary>The drive has raised its interrupt.</summary>
    public void NoteInterrupt() => _status |= Interrupt;

    /// <summary>A transfer has ended.</summary>
    public void Stop(bool hasFailed)
    {
        _status &= unchecked((byte)~Active);
        if (hasFailed)
            _status |= Failure;
    }
}

/// <summary>
/// One transfer by a bus master: walks the table of its memory, whose entries and addresses are checked here. Of the
/// channel's thread.
/// </summary>
/// <param name="memory">Guest RAM.</param>
internal sealed unsafe class BusMasterTransfer(GuestMemory memory)
{
    private const uint TableBytes = 0x1_0000; // a table crosses no boundary of 64 KiB
    private const uint EntrySize = 8;
    private const uint LastEntry = 1u << 31;
    private uint _entry;
    private uint _entriesLeft;
    private uint _address;
    private uint _left;
    private bool _isLast;

    /// <summary>Begins at a table.</summary>
    public void Begin(uint table)
    {
        _entry = table;
        _entriesLeft = (TableBytes - (table % TableBytes)) / EntrySize;
        (_left, _isLast) = (0, false);
    }

    /// <summary>Takes bytes to where the table leads.</summary>
    /// <returns>False where it leads to less, or not to RAM.</returns>
    public bool Write(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty)
        {
            if (!TryTake((uint)data.Length, out byte* host, out int count))
                return false;
            data[..count].CopyTo(new(host, count));
            data = data[count..];
        }

        return true;
    }

    /// <summary>Takes bytes from there.</summary>
    /// <inheritdoc cref="Write"/>
    public bool Read(Span<byte> data)
    {
        while (!data.IsEmpty)
        {
            if (!TryTake((uint)data.Length, out byte* host, out int count))
                return false;
            new ReadOnlySpan<byte>(host, count).CopyTo(data);
            data = data[count..];
        }

        return true;
    }

    private bool TryTake(uint most, out byte* host, out int count)
    {
        host = null;
        count = 0;
        if (_left == 0 && !TryNext())
            return false;
        uint length = Math.Min(most, _left);
        if (!memory.TryResolve(_address, length, out host))
            return false;
        _address += length;
        _left -= length;
        count = (int)length;
        return true;
    }

    private bool TryNext()
    {
        if (_isLast || _entriesLeft == 0 || !memory.TryRead(_entry, out ulong entry))
            return false;
        _entry += EntrySize;
        _entriesLeft--;
        _address = (uint)entry & ~1u;
        uint count = (uint)(entry >> 32);
        _left = (count & 0xfffe) == 0 ? 0x1_0000 : count & 0xfffe;
        _isLast = (count & LastEntry) != 0;
        return true;
    }
}
