namespace MiniVmm.Devices;

/// <summary>
/// A 16550A UART (National Semiconductor PC16550D): 16-byte FIFOs, interrupts, loopback. The line is instant:
/// a byte written is sent at once, so THR and shift register are always empty; what the host sends waits in a
/// queue, of which the guest sees as much as the FIFO would hold.
/// </summary>
/// <param name="sink">Takes what the guest sends.</param>
/// <param name="interrupt">The line to the interrupt controller; pulsed when INTR would rise.</param>
public sealed class Serial16550(IConsoleSink sink, IInterruptTrigger interrupt) : ByteDevice, IConsoleKeys, ISuspendable, IDescribesAccesses
{
    /// <summary>Ports that the device takes.</summary>
    public const int Length = 8;

    private const int FifoSize = 16;
    private const int QueueSize = 4096;

    private const byte IerReceived = 0x01;
    private const byte IerTransmitEmpty = 0x02;
    private const byte IerLineStatus = 0x04;
    private const byte IerModemStatus = 0x08;
    private const byte IirNone = 0x01;
    private const byte IirModemStatus = 0x00;
    private const byte IirTransmitEmpty = 0x02;
    private const byte IirReceived = 0x04;
    private const byte IirLineStatus = 0x06;
    private const byte IirTimeout = 0x0c;
    private const byte IirFifoOn = 0xc0;
    private const byte IerBits = 0x0f;
    private const byte FcrEnable = 0x01;
    private const byte FcrClearReceive = 0x02;
    private const byte FcrBits = 0xc9;
    private const byte LcrDivisorLatch = 0x80;
    private const byte McrBits = 0x1f;
    private const byte McrLoop = 0x10;
    private const byte LsrDataReady = 0x01;
    private const byte LsrOverrun = 0x02;
    private const byte LsrBreak = 0x10;
    private const byte LsrTransmitEmpty = 0x60;
    private const byte MsrLines = 0xf0;
    private const byte MsrConnected = 0xb0; // CTS, DSR and DCD: somebody is at the other end

    private readonly ByteQueue _line = new(QueueSize);
    private readonly ByteQueue _looped = new(FifoSize);
    private readonly DeviceLock _lock = new();
    private byte _interruptEnable;
    private byte _fifoControl;
    private byte _lineControl = 0x03; // 8 data bits, no parity, 1 stop bit
    private byte _modemControl = 0x08;
    private byte _modemStatus = MsrConnected;
    private byte _lineErrors;
    private int _beforeBreak = -1; // bytes on the line ahead of the break's NUL; -1 when none is to come
    private byte _scratch;
    private ushort _divisor = 1; // 115200 baud
    private bool _transmitPending;
    private bool _intr;

    /// <summary>Takes bytes from the host, as many as there is room for.</summary>
    /// <returns>How many were taken; the caller keeps the rest and tries again.</returns>
    public int Receive(ReadOnlySpan<byte> data)
    {
        int n;
        bool raise;
        using (_lock.Hold())
        {
            n = Math.Min(data.Length, _line.Room);
            for (int i = 0; i < n; i++)
                _line.Enqueue(data[i]);
            raise = IntrRises();
        }

        if (raise)
            interrupt.Trigger();
        return n;
    }

    /// <summary>
    /// Sends a break, which a Linux console takes as the start of a SysRq. Lost where the line is full, and one
    /// with a break that the guest has not come to yet.
    /// </summary>
    public void SendBreak()
    {
        bool raise;
        using (_lock.Hold())
        {
            if (_line.Room > 0 && _beforeBreak < 0)
            {
                _beforeBreak = _line.Count;
                _line.Enqueue(0);
            }

            raise = IntrRises();
        }

        if (raise)
            interrupt.Trigger();
    }

    /// <inheritdoc/>
    public IAccessWords CreateWords()
    {
        using (_lock.Hold())
            return new SerialWords(DivisorLatch);
    }

    public string StateName => "serial-16550";

    public ushort StateVersion => 1;

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        using (_lock.Hold())
        {
            writer.WriteByte(_interruptEnable);
            writer.WriteByte(_fifoControl);
            writer.WriteByte(_lineControl);
            writer.WriteByte(_modemControl);
            writer.WriteByte(_modemStatus);
            writer.WriteByte(_lineErrors);
            writer.WriteByte(_scratch);
            writer.WriteUInt16(_divisor);
            writer.WriteBool(_transmitPending);
            writer.WriteUInt32((uint)(_beforeBreak + 1));
            writer.WriteBytes(_looped.ToArray());
            writer.WriteBytes(_line.ToArray());
        }
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        bool raise;
        using (_lock.Hold())
        {
            _interruptEnable = reader.ReadByte();
            reader.Check((_interruptEnable & ~IerBits) == 0, $"interrupt enable 0x{_interruptEnable:x2}");
            _fifoControl = reader.ReadByte();
            reader.Check(
                _fifoControl == 0 || (_fifoControl & ~FcrBits) == 0 && FifoEnabled, $"FIFO control 0x{_fifoControl:x2}");
            _lineControl = reader.ReadByte();
            _modemControl = reader.ReadByte();
            reader.Check((_modemControl & ~McrBits) == 0, $"modem control 0x{_modemControl:x2}");
            _modemStatus = reader.ReadByte();
            _lineErrors = reader.ReadByte();
            reader.Check((_lineErrors & ~(LsrOverrun | LsrBreak)) == 0, $"line errors 0x{_lineErrors:x2}");
            _scratch = reader.ReadByte();
            _divisor = reader.ReadUInt16();
            _transmitPending = reader.ReadBool();
            uint toBreak = reader.ReadUInt32();
            _looped.Replace(reader.ReadBytes(FifoCapacity));
            _line.Replace(reader.ReadBytes(QueueSize));
            reader.Check(toBreak <= (uint)_line.Count, $"a break at byte {toBreak} of {_line.Count}");
            _beforeBreak = (int)toBreak - 1;

            raise = _intr = Cause() != IirNone;
        }

        // Once more: KVM may have had the edge on its way to the controllers when their state was saved.
        if (raise)
            interrupt.Trigger();
    }

    protected override byte ReadByte(uint offset)
    {
        byte value;
        bool raise;
        using (_lock.Hold())
        {
            value = ReadRegister(offset);
            raise = IntrRises();
        }

        if (raise)
            interrupt.Trigger();
        return value;
    }

    protected override void WriteByte(uint offset, byte value)
    {
        bool send;
        bool raise;
        using (_lock.Hold())
        {
            send = WriteRegister(offset, value);
            raise = IntrRises();
        }

        if (send)
            sink.Write(value);
        if (raise)
            interrupt.Trigger();
    }

    private bool FifoEnabled => (_fifoControl & FcrEnable) != 0;

    private bool DivisorLatch => (_lineControl & LcrDivisorLatch) != 0;

    private bool Loop => (_modemControl & McrLoop) != 0;

    /// <summary>
    /// Bytes to be read. In loopback the line is cut off: what the host sends waits until it is over.
    /// </summary>
    private int Available => _looped.Count + (Loop ? 0 : _line.Count);

    private int FifoCapacity => FifoEnabled ? FifoSize : 1;

    /// <summary>Bytes that the guest can read before more would move up from the line.</summary>
    private int Visible => Math.Min(Available, FifoCapacity);

    private int TriggerLevel => FifoEnabled ? (_fifoControl >> 6) switch { 0 => 1, 1 => 4, 2 => 8, _ => 14 } : 1;

    private byte ReadRegister(uint offset)
    {
        switch (offset)
        {
            case 0 when DivisorLatch:
                return (byte)_divisor;
            case 0:
                return Dequeue();
            case 1 when DivisorLatch:
                return (byte)(_divisor >> 8);
            case 1:
                return _interruptEnable;
            case 2:
                byte cause = Cause();
                if (cause == IirTransmitEmpty)
                    _transmitPending = false; // reading IIR acknowledges this cause alone
                return (byte)(cause | (FifoEnabled ? IirFifoOn : 0));
            case 3:
                return _lineControl;
            case 4:
                return _modemControl;
            case 5:
                byte status = (byte)(LsrTransmitEmpty | _lineErrors | (Available > 0 ? LsrDataReady : 0));
                _lineErrors = 0;
                return status;
            case 6:
                byte modem = _modemStatus;
                _modemStatus &= MsrLines; // the delta bits are cleared by reading them
                return modem;
            default:
                return _scratch;
        }
    }

    /// <returns>Whether the byte is to go out on the line.</returns>
    private bool WriteRegister(uint offset, byte value)
    {
        switch (offset)
        {
            case 0 when DivisorLatch:
                _divisor = (ushort)((_divisor & 0xff00) | value);
                break;
            case 0:
                return Transmit(value);
            case 1 when DivisorLatch:
                _divisor = (ushort)((_divisor & 0x00ff) | (value << 8));
                break;
            case 1:
                // Enabling the transmit interrupt while THR is empty raises it at once; drivers rely on it.
                if ((value & ~_interruptEnable & IerTransmitEmpty) != 0)
                    _transmitPending = true;
                _interruptEnable = (byte)(value & IerBits);
                break;
            case 2:
                bool toggled = ((value ^ _fifoControl) & FcrEnable) != 0;
                if (toggled || (value & (FcrEnable | FcrClearReceive)) == (FcrEnable | FcrClearReceive))
                    ClearFifo();
                _fifoControl = (value & FcrEnable) != 0 ? (byte)(value & FcrBits) : (byte)0;
                break;
            case 3:
                _lineControl = value;
                break;
            case 4:
                _modemControl = (byte)(value & McrBits);
                SetModemLines();
                break;
            case 7:
                _scratch = value;
                break;
        }

        return false;
    }

    private bool Transmit(byte value)
    {
        // Empty again at once: the cause is set anew for each byte, which is what keeps a driver sending.
        _transmitPending = true;
        if (!Loop)
            return true;
        if (_looped.Count == FifoCapacity)
        {
            _lineErrors |= LsrOverrun;
            if (FifoEnabled)
                return false; // a full FIFO keeps what it has
            _looped.Discard(1);
        }

        _looped.Enqueue(value);
        return false;
    }

    /// <summary>In loopback the modem outputs come back on the inputs: DTR→DSR, RTS→CTS, OUT1→RI, OUT2→DCD.</summary>
    private void SetModemLines()
    {
        byte lines = MsrConnected;
        if (Loop)
        {
            lines = (byte)(((_modemControl & 0x02) << 3) | ((_modemControl & 0x01) << 5)
                | ((_modemControl & 0x04) << 4) | ((_modemControl & 0x08) << 4));
        }

        byte changed = (byte)((lines ^ _modemStatus) & MsrLines);
        bool ringEnded = (changed & _modemStatus & 0x40) != 0;
        byte delta = (byte)(((changed >> 4) & 0x0b) | (ringEnded ? 0x04 : 0)); // RI counts only on its trailing edge
        _modemStatus = (byte)(lines | (_modemStatus & 0x0f) | delta);
    }

    /// <summary>The highest-priority cause, as IIR reports it (PC16550D, table 5).</summary>
    private byte Cause()
    {
        if ((_interruptEnable & IerLineStatus) != 0 && _lineErrors != 0)
            return IirLineStatus;
        if ((_interruptEnable & IerReceived) != 0 && Available > 0)
            return Visible >= TriggerLevel ? IirReceived : IirTimeout; // nothing more is under way on an instant line
        if ((_interruptEnable & IerTransmitEmpty) != 0 && _transmitPending)
            return IirTransmitEmpty;
        return (_interruptEnable & IerModemStatus) != 0 && (_modemStatus & 0x0f) != 0 ? IirModemStatus : IirNone;
    }

    /// <summary>Follows the INTR pin; true on its rising edge.</summary>
    private bool IntrRises()
    {
        RevealBreak();
        bool before = _intr;
        _intr = Cause() != IirNone;
        return _intr && !before;
    }

    private byte Dequeue()
    {
        if (Available == 0)
            return 0;
        if (_looped.Count > 0)
            return _looped.Dequeue();
        MoveBreakUp(1);
        return _line.Dequeue();
    }

    /// <summary>Empties the receive FIFO; what has not moved up from the line stays.</summary>
    private void ClearFifo()
    {
        int visible = Visible;
        int looped = Math.Min(_looped.Count, visible);
        _looped.Discard(looped);
        MoveBreakUp(visible - looped);
        _line.Discard(visible - looped);
    }

    private void MoveBreakUp(int count) => _beforeBreak = Math.Max(_beforeBreak - count, -1);

    /// <summary>
    /// A break shows in LSR when its NUL is the next byte to be read, not before (PC16550D, LSR bit 4).
    /// </summary>
    private void RevealBreak()
    {
        if (_beforeBreak != 0 || Loop || _looped.Count > 0)
            return;
        _lineErrors |= LsrBreak;
        _beforeBreak = -1;
    }
}
