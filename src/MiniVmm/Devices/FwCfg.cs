using System.Buffers.Binary;
using System.Runtime.InteropServices;
using MiniVmm.Memory;

namespace MiniVmm.Devices;

/// <summary>
/// QEMU's firmware configuration device (docs/specs/fw_cfg.rst): a selector at 0x510, a byte of the selected item at each read
/// of 0x511, and at 0x514 the address of a DMA request, 64 bits, big-endian. All items are read-only but those that somebody accepts.
/// </summary>
internal sealed unsafe class FwCfg : IBusDevice, ISuspendable
{
    /// <summary>Ports that the device takes: selector and data, two that are nobody's, and the DMA address.</summary>
    public const int Length = 12;

    /// <summary>What the item <see cref="FwCfgItems.Key.Id"/> says: the ports and DMA.</summary>
    public const uint Features = 3;

    private const ulong Selector = 0;
    private const ulong Data = 1;
    private const ulong DmaHigh = 4;
    private const ulong DmaLow = 8;
    private const ushort WriteChannel = 0x4000; // of the selector: writes, which there are none of any more
    private const int RequestSize = 16;

    private readonly GuestMemory _memory;
    private readonly Dictionary<ushort, byte[]> _items;
    private readonly FwCfgItems _names;
    private readonly DeviceLock _lock = new();
    private byte[] _item = [];
    private IFwCfgWritten? _written;
    private ushort _writtenKey;
    private ushort _selected;
    private int _offset;
    private uint _dmaHigh;

    /// <param name="items">What there is; complete.</param>
    /// <param name="memory">Where DMA requests are, and their data.</param>
    public FwCfg(FwCfgItems items, GuestMemory memory)
    {
        ArgumentNullException.ThrowIfNull(items);
        _memory = memory;
        _names = items;
        _items = items.ByNumber();
        Select(0);
    }

    [Flags]
    private enum Control : uint
    {
        Error = 1 << 0,
        Read = 1 << 1,
        Skip = 1 << 2,
        Select = 1 << 3,
        Write = 1 << 4,
    }

    /// <summary>"QEMU CFG", by which a driver knows that there is DMA.</summary>
    private static ReadOnlySpan<byte> Signature => "QEMU CFG"u8;

    public string StateName => "fw-cfg";

    public ushort StateVersion => 2;

    /// <summary>Lets the guest write a file, by DMA; before it runs, and one file at most.</summary>
    /// <param name="name">Of a file that there is.</param>
    /// <param name="written">Has its bytes, and is told.</param>
    public void Accept(string name, IFwCfgWritten written)
    {
        ArgumentNullException.ThrowIfNull(written);
        _writtenKey = _names.NumberOf(name);
        _items[_writtenKey] = written.Content;
        _written = written;
    }

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        using (_lock.Hold())
        {
            writer.WriteUInt16(_selected);
            writer.WriteUInt32((uint)_offset);
            writer.WriteUInt32(_dmaHigh);
            writer.WriteBytes(_written is null ? [] : _written.Content);
        }
    }

    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        using (_lock.Hold())
        {
            Select(reader.ReadUInt16());
            uint offset = reader.ReadUInt32();
            reader.Check(offset <= (uint)_item.Length, $"offset {offset} in an item of {_item.Length} bytes");
            _offset = (int)offset;
            _dmaHigh = reader.ReadUInt32();
            if (reader.Version < 2)
                return;
            byte[] content = _written?.Content ?? [];
            ReadOnlySpan<byte> written = reader.ReadBytes(content.Length);
            reader.Check(written.Length == content.Length, $"{written.Length} bytes in a file of {content.Length}");
            written.CopyTo(content);
            _written?.Written();
        }
    }

    public void Read(ulong offset, Span<byte> data)
    {
        data.Fill(0xff);
        if (offset >= DmaHigh && offset + (uint)data.Length <= Length)
        {
            Signature.Slice((int)(offset - DmaHigh), data.Length).CopyTo(data);
        }
        else if (offset <= Data && data.Length == 1)
        {
            using (_lock.Hold())
                data[0] = _offset < _item.Length ? _item[_offset++] : (byte)0;
        }
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        ulong address;
        using (_lock.Hold())
        {
            switch (offset, data.Length)
            {
                case (Selector, 2):
                    Select(BinaryPrimitives.ReadUInt16LittleEndian(data));
                    return;
                case (DmaHigh, 4):
                    _dmaHigh = BinaryPrimitives.ReadUInt32BigEndian(data);
                    return;
                case (DmaLow, 4):
                    address = ((ulong)_dmaHigh << 32) | BinaryPrimitives.ReadUInt32BigEndian(data);
                    break;
                case (DmaHigh, 8):
                    address = BinaryPrimitives.ReadUInt64BigEndian(data);
                    break;
                default:
                    return;
            }

            _dmaHigh = 0;
        }

        Serve(address);
    }

    /// <summary>
    /// Does what a request says, which is read once. A request that is not in RAM has no place for an answer, either.
    /// </summary>
    private void Serve(ulong address)
    {
        if (!_memory.TryResolve(address, RequestSize, out byte* request))
            return;
        ReadOnlySpan<byte> fields = new(request, RequestSize);
        uint control = BinaryPrimitives.ReadUInt32BigEndian(fields);
        uint length = BinaryPrimitives.ReadUInt32BigEndian(fields[4..]);
        ulong target = BinaryPrimitives.ReadUInt64BigEndian(fields[8..]);
        uint answer = TryTransfer((Control)control, (ushort)(control >> 16), length, target) ? 0 : (uint)Control.Error;
        BinaryPrimitives.WriteUInt32BigEndian(new(request, sizeof(uint)), answer);
    }

    /// <summary>Whether the request could be done. Beyond the item's end there are zeroes.</summary>
    private bool TryTransfer(Control control, ushort key, uint length, ulong target)
    {
        byte* at = null;
        bool reads = (control & Control.Read) != 0;
        bool writes = !reads && (control & Control.Write) != 0;
        bool isGood = !(reads || writes) || _memory.TryResolve(target, length, out at);
        ReadOnlySpan<byte> from;
        using (_lock.Hold())
        {
            if ((control & Control.Select) != 0)
                Select(key);
            if (!isGood)
                return false;
            if (writes)
                return TryWrite(at, length);
            if (!reads && (control & Control.Skip) == 0)
                return true;
            int count = (int)Math.Min(length, (uint)(_item.Length - _offset));
            from = _item.AsSpan(_offset, count);
            _offset += count;
        }

        // Without the lock: a kernel is megabytes, and another vCPU would spin for it.
        if (reads)
        {
            from.CopyTo(new Span<byte>(at, from.Length));
            NativeMemory.Clear(at + from.Length, length - (uint)from.Length);
        }

        return true;
    }

    /// <summary>Under the lock: all of the bytes, or none.</summary>
    private bool TryWrite(byte* from, uint length)
    {
        if (_written is null || _selected != _writtenKey || length > (uint)(_item.Length - _offset))
            return false;
        new ReadOnlySpan<byte>(from, (int)length).CopyTo(_item.AsSpan(_offset));
        _offset += (int)length;
        _written.Written();
        return true;
    }

    private void Select(ushort key)
    {
        _selected = (ushort)(key & ~WriteChannel);
        _item = _items.TryGetValue(_selected, out byte[]? item) ? item : [];
        _offset = 0;
    }
}
