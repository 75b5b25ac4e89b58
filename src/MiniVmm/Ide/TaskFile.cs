namespace MiniVmm.Ide;

/// <summary>
/// The registers of a command (ATA/ATAPI-6, 7), each two bytes deep: with 48-bit commands a driver writes it twice, the
/// upper byte first.
/// </summary>
internal sealed class TaskFile
{
    public const int Feature = 1, Count = 2, Low = 3, Middle = 4, High = 5, Device = 6;

    /// <summary>LBA rather than cylinder, head and sector.</summary>
    private const byte LbaMode = 0x40;

    private readonly byte[] _current = new byte[8];
    private readonly byte[] _previous = new byte[8];

    public byte this[int register]
    {
        get => _current[register];
        set => _current[register] = value;
    }

    /// <summary>What a register held before the last write.</summary>
    public byte Previous(int register) => _previous[register];

    /// <summary>Bit 4 of the device register: drive 1.</summary>
    public bool SelectsSecond => (_current[Device] & 0x10) != 0;

    public bool IsLba => (_current[Device] & LbaMode) != 0;

    /// <summary>Lower half of the device register: the head, or the upper bits of an LBA.</summary>
    public int Head => _current[Device] & 0x0f;

    /// <summary>Sectors or cylinder, 16 bits.</summary>
    public ushort Cylinder
    {
        get => (ushort)(_current[Middle] | (_current[High] << 8));
        set => (_current[Middle], _current[High]) = ((byte)value, (byte)(value >> 8));
    }

    /// <summary>The guest writes a register, of both drives.</summary>
    public void Write(int register, byte value)
    {
        if (register != Device)
            _previous[register] = _current[register];
        _current[register] = value;
    }

    /// <summary>A command's LBA of 28 bits.</summary>
    public ulong Lba28 => Lower24 | ((ulong)Head << 24);

    /// <summary>A command's LBA of 48 bits.</summary>
    public ulong Lba48 =>
        Lower24 | ((ulong)_previous[Low] << 24) | ((ulong)_previous[Middle] << 32) | ((ulong)_previous[High] << 40);

    private ulong Lower24 => _current[Low] | ((ulong)_current[Middle] << 8) | ((ulong)_current[High] << 16);

    /// <summary>Sectors of a command: 0 is the most that the register could not hold.</summary>
    public uint Sectors(bool is48Bit)
    {
        uint count = is48Bit ? (uint)(_current[Count] | (_previous[Count] << 8)) : _current[Count];
        return count != 0 ? count : is48Bit ? 0x1_0000u : 0x100u;
    }

    /// <summary>Leaves an LBA in the registers.</summary>
    public void SetLba(ulong lba, bool is48Bit)
    {
        (_current[Low], _current[Middle], _current[High]) = ((byte)lba, (byte)(lba >> 8), (byte)(lba >> 16));
        if (is48Bit)
            (_previous[Low], _previous[Middle], _previous[High]) = ((byte)(lba >> 24), (byte)(lba >> 32), (byte)(lba >> 40));
        else
            _current[Device] = (byte)((_current[Device] & 0xf0) | ((byte)(lba >> 24) & 0x0f));
    }

    /// <summary>What a drive shows after a reset, by which drivers know its kind (9.12).</summary>
    public void SetSignature(ushort cylinder)
    {
        _current[Count] = _current[Low] = 1;
        Cylinder = cylinder;
        _current[Device] &= 0xf0;
        Array.Clear(_previous);
    }
}
