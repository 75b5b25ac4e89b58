namespace MiniVmm.Devices;

/// <summary>What is behind a <see cref="Flash"/>: bytes that last.</summary>
internal interface IFlashArray
{
    /// <summary>All of them.</summary>
    Span<byte> Bytes { get; }

    /// <summary>Shows the bytes to the guest as memory, so that reads do not come to the device, or stops that.</summary>
    void Show(bool isShown);

    /// <summary>Some have changed.</summary>
    /// <returns>False where they could not be kept.</returns>
    bool Keep(int offset, int length);
}

/// <summary>
/// A flash of Intel's command set (28F640J3, as firmware for QEMU's "pc" machine drives it): its array is memory until a command
/// is written, and again from the next "read array" on. Bytes are programmed one by one, and erased in blocks of 4 KiB.
/// </summary>
/// <remarks>
/// One access at a time, under a lock that is held across system calls: commands change what is mapped, and come when
/// firmware stores a variable, not all day.
/// </remarks>
internal sealed class Flash : IBusDevice
{
    /// <summary>Bytes of a block.</summary>
    public const int BlockSize = 4096;

    private const byte Ready = 0x80, EraseFailed = 0x20, ProgramFailed = 0x10;
    private readonly Command _command = new();
    private readonly IFlashArray _array;
    private readonly Lock _lock = new();

    /// <param name="array">Its bytes, shown from here on.</param>
    public Flash(IFlashArray array) => _array = array;

    private enum Mode : byte
    {
        ReadArray = 0xff,
        Program = 0x40,
        Erase = 0x20,
        ReadStatus = 0x70,
        ReadId = 0x90,
        SetLock = 0x60,
    }

    public void Read(ulong offset, Span<byte> data)
    {
        lock (_lock)
        {
            switch (_command.Mode)
            {
                case Mode.ReadArray:
                    _array.Bytes.Slice((int)offset, data.Length).CopyTo(data); // one that came before the array was shown again
                    break;
                case Mode.ReadId:
                    data.Clear();
                    data[0] = (offset & 0xff) switch
                    {
                        0 => 0x89, // Intel
                        1 => 0x18,
                        _ => 0,
                    };
                    break;
                default:
                    data.Fill(_command.Status);
                    break;
            }
        }
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        lock (_lock)
        {
            bool wasShown = _command.Mode == Mode.ReadArray;
            if (_command.WantsData)
                Finish((int)offset, data);
            else
                Begin(data[0]);
            bool isShown = _command.Mode == Mode.ReadArray;
            if (isShown != wasShown)
                _array.Show(isShown);
        }
    }

    private void Begin(byte code)
    {
        switch (code)
        {
            case 0x10 or 0x40:
                (_command.Mode, _command.WantsData) = (Mode.Program, true);
                break;
            case 0x20:
                (_command.Mode, _command.WantsData) = (Mode.Erase, true);
                break;
            case 0x60:
                (_command.Mode, _command.WantsData) = (Mode.SetLock, true);
                break;
            case 0x50:
                _command.Status = 0;
                _command.Mode = Mode.ReadArray;
                break;
            case 0x70:
                _command.Mode = Mode.ReadStatus;
                break;
            case 0x90:
                _command.Mode = Mode.ReadId;
                break;
            default:
                _command.Mode = Mode.ReadArray;
                break;
        }
    }

    /// <summary>The second write of a command.</summary>
    private void Finish(int offset, ReadOnlySpan<byte> data)
    {
        _command.WantsData = false;
        _command.Status |= Ready;
        switch (_command.Mode)
        {
            case Mode.Program:
                Span<byte> bytes = _array.Bytes.Slice(offset, data.Length);
                for (int i = 0; i < data.Length; i++)
                    bytes[i] &= data[i]; // programming clears bits, and sets none
                if (!_array.Keep(offset, data.Length))
                    _command.Status |= ProgramFailed;
                break;
            case Mode.Erase when data[0] == 0xd0:
                int block = offset & ~(BlockSize - 1);
                int length = Math.Min(BlockSize, _array.Bytes.Length - block);
                _array.Bytes.Slice(block, length).Fill(0xff);
                if (!_array.Keep(block, length))
                    _command.Status |= EraseFailed;
                break;
            case Mode.Erase:
                _command.Mode = Mode.ReadArray;
                break;
        }
    }

    /// <summary>What was written last, and what came of it.</summary>
    private sealed class Command
    {
        public Mode Mode { get; set; } = Mode.ReadArray;

        public bool WantsData { get; set; }

        public byte Status { get; set; } = Ready;
    }
}
