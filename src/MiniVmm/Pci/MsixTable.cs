using System.Buffers.Binary;
using MiniVmm.Devices;

namespace MiniVmm.Pci;

/// <summary>
/// MSI-X (PCI Local Bus 3.0, 6.8.2): the table of messages, and behind it the pending bits, as a BAR shows them. A vector
/// that is masked is not connected: what comes meanwhile is pending, in the kernel's counter of its line.
/// </summary>
internal sealed class MsixTable : IBusDevice, ISuspendable, IDisposable
{
    /// <summary>Most vectors of a function.</summary>
    public const int MaxVectors = 2048;

    private const int EntrySize = 16;
    private const int AddressOffset = 0;
    private const int DataOffset = 8;
    private const int ControlOffset = 12;
    private const byte Masked = 1;

    // A message is a write to the local APICs' addresses (SDM vol. 3, 11.11.1); one to RAM would be no interrupt.
    private const ulong AddressMask = 0xfff0_0000;
    private const ulong LocalApics = 0xfee0_0000;
    private readonly IMessageLine[] _lines;
    private readonly byte[] _entries;
    private readonly bool[] _connected;
    private readonly Lock _lock = new();
    private volatile bool _enabled;
    private bool _functionMasked;

    /// <param name="lines">A line for each vector, 1 to <see cref="MaxVectors"/>; the table's from here on.</param>
    public MsixTable(IMessageLine[] lines)
    {
        ArgumentOutOfRangeException.ThrowIfZero(lines.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lines.Length, MaxVectors);
        _lines = lines;
        _entries = new byte[lines.Length * EntrySize];
        _connected = new bool[lines.Length];
        for (int vector = 0; vector < lines.Length; vector++)
            _entries[(vector * EntrySize) + ControlOffset] = Masked;
    }

    /// <summary>How many vectors there are.</summary>
    public int Count => _lines.Length;

    /// <summary>Where the pending bits begin in the window: on a boundary of 2 KiB behind the table.</summary>
    public uint PendingOffset => ((uint)_entries.Length + 0x7ff) & ~0x7ffu;

    /// <summary>Bytes of the window: a power of two, at least a page.</summary>
    public ulong Length => Math.Max(
        0x1000, System.Numerics.BitOperations.RoundUpToPowerOf2(PendingOffset + (uint)((_lines.Length + 63) / 64 * sizeof(ulong))));

    /// <summary>Whether the function uses it, instead of INTx.</summary>
    public bool IsEnabled => _enabled;

    public string StateName => "msix";

    public ushort StateVersion => 1;

    /// <summary>Sends a vector's message, or notes it where it is masked. Allocates nothing, takes no lock.</summary>
    public void Trigger(int vector) => _lines[vector].Trigger();

    /// <summary>What the capability's message control says, and whether the function may send at all.</summary>
    public void SetControl(bool enabled, bool functionMasked)
    {
        lock (_lock)
        {
            if (_enabled && !enabled)
            {
                _enabled = false;
                for (int vector = 0; vector < _lines.Length; vector++)
                {
                    Update(vector, moved: false);
                    _lines[vector].Clear();
                }
            }

            _enabled = enabled;
            _functionMasked = functionMasked;
            for (int vector = 0; vector < _lines.Length; vector++)
                Update(vector, moved: false);
        }
    }

    public void Read(ulong offset, Span<byte> data)
    {
        data.Clear();
        lock (_lock)
        {
            if (offset < (ulong)_entries.Length)
            {
                ReadOnlySpan<byte> from = _entries.AsSpan((int)offset);
                from[..Math.Min(from.Length, data.Length)].CopyTo(data);
                return;
            }

            for (int i = 0; i < data.Length; i++)
            {
                ulong first = (offset + (ulong)i - PendingOffset) * 8;
                for (int bit = 0; bit < 8 && first + (ulong)bit < (ulong)_lines.Length; bit++)
                {
                    int vector = (int)first + bit;
                    if (!_connected[vector] && _lines[vector].IsPending)
                        data[i] |= (byte)(1 << bit);
                }
            }
        }
    }

    public void Write(ulong offset, ReadOnlySpan<byte> data)
    {
        if (offset >= (ulong)_entries.Length || (ulong)data.Length > (ulong)_entries.Length - offset)
            return;
        lock (_lock)
        {
            data.CopyTo(_entries.AsSpan((int)offset));
            for (int vector = (int)offset / EntrySize; vector <= ((int)offset + data.Length - 1) / EntrySize; vector++)
            {
                // All but the mask bit is reserved, and reads as 0.
                Span<byte> entry = Entry(vector);
                BinaryPrimitives.WriteUInt32LittleEndian(entry[ControlOffset..], entry[ControlOffset] & (uint)Masked);
                Update(vector, moved: true);
            }
        }
    }

    public void Save(StateWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        lock (_lock)
        {
            writer.WriteBytes(_entries);
            for (int vector = 0; vector < _lines.Length; vector++)
                writer.WriteBool(!_connected[vector] && _lines[vector].IsPending);
        }
    }

    /// <inheritdoc/>
    /// <remarks>Whether it is enabled is the capability's state.</remarks>
    public void Restore(StateReader reader)
    {
        ArgumentNullException.ThrowIfNull(reader);
        lock (_lock)
        {
            ReadOnlySpan<byte> entries = reader.ReadBytes(_entries.Length);
            reader.Check(entries.Length == _entries.Length, $"{entries.Length} bytes of messages");
            entries.CopyTo(_entries);
            for (int vector = 0; vector < _lines.Length; vector++)
            {
                uint control = BinaryPrimitives.ReadUInt32LittleEndian(Entry(vector)[ControlOffset..]);
                reader.Check(control <= Masked, $"vector control 0x{control:x}");
                Update(vector, moved: true);
                _lines[vector].Clear();
                if (reader.ReadBool())
                    _lines[vector].Trigger();
            }
        }
    }

    public void Dispose()
    {
        foreach (IMessageLine line in _lines)
            line.Dispose();
    }

    private Span<byte> Entry(int vector) => _entries.AsSpan(vector * EntrySize, EntrySize);

    /// <summary>Connects a vector's line as the table and the capability say.</summary>
    /// <param name="vector">Which.</param>
    /// <param name="moved">Whether its message may be another.</param>
    private void Update(int vector, bool moved)
    {
        Span<byte> entry = Entry(vector);
        ulong address = BinaryPrimitives.ReadUInt64LittleEndian(entry[AddressOffset..]);
        bool connect = _enabled && !_functionMasked && (entry[ControlOffset] & Masked) == 0
            && (address & AddressMask) == LocalApics;
        if (connect && (moved || !_connected[vector]))
        {
            connect = _lines[vector].TryConnect(address, BinaryPrimitives.ReadUInt32LittleEndian(entry[DataOffset..]));
        }
        else if (!connect && _connected[vector])
        {
            _lines[vector].Disconnect();
        }

        _connected[vector] = connect;
    }
}
